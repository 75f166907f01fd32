#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library built for ARM64, under user-mode emulation.
#
#   LIB_AARCH64: the cross-built library; CC_AARCH64: the cross compiler; without them there is nothing to run
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
if [ -z "${LIB_AARCH64:-}" ]; then
    echo "SKIP: LIB_AARCH64 is not set"
    exit 77
fi
cc_aarch64=${CC_AARCH64:-aarch64-linux-gnu-gcc}
need qemu-aarch64 "$cc_aarch64"
root=${SYSROOT_AARCH64:-/usr/aarch64-linux-gnu}
compile small.c
"$scratch/small" >"$scratch/plain.out"
CC=$cc_aarch64 compile small.c
file_of_stress=$here/../stress/stress.c

# emulated PROGRAM [ARGUMENT...]
emulated() {
    qemu-aarch64 -L "$root" -E LD_PRELOAD="$(realpath "$LIB_AARCH64")" "$@"
}
emulated -E MIMALLOC_VERBOSE=1 "$scratch/small" >"$scratch/ours.out" 2>"$scratch/err" || fail "small: $(cat "$scratch/err")"
grep -q '^mimalloc: active' "$scratch/err" || fail "the library does not serve the program: $(cat "$scratch/err")"
cmp -s "$scratch/plain.out" "$scratch/ours.out" || fail "another output: $(cat "$scratch/ours.out")"
"$cc_aarch64" -O1 -o "$scratch/stress" "$file_of_stress" -pthread
emulated "$scratch/stress" 4 3 3
