#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Valgrind refuses large reservations and simulates threads: the library runs under it, and memcheck finds nothing in it.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need valgrind
compile small.c
"$scratch/small" >"$scratch/plain.out"

# under OPTION...
under() {
    LD_PRELOAD=$LIB valgrind -q --error-exitcode=9 "$@" "$scratch/small" >"$scratch/ours.out" 2>"$scratch/err" || {
        cat "$scratch/err" >&2
        fail "valgrind $*"
    }
    clean "$scratch/err"
    cmp -s "$scratch/plain.out" "$scratch/ours.out" || fail "another output under valgrind $*"
    echo "fine: valgrind $*"
}
under --tool=none
under --tool=callgrind --callgrind-out-file=/dev/null
# Valgrind's own malloc in the place of ours, then ours itself under memcheck.
under --tool=memcheck
under --tool=memcheck --soname-synonyms=somalloc=nouserintercepts
