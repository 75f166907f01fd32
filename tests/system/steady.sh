#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A load that stays the same makes no system call. Another process on a loaded machine may take a thread's place for
# longer than memory stays unused, so there are three tries.
# serial: yes
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile steady.c
for _ in 1 2 3; do
    status=0
    MIMALLOC_GUARDED_SAMPLE_RATE=0 LD_PRELOAD=$LIB "$scratch/steady" || status=$?
    case $status in
    0) exit 0 ;;
    77) echo "SKIP: no seccomp" && exit 77 ;;
    esac
done
fail "system calls amid a steady load"
