#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# On 64-bit ARM, under qemu-user: every library is built and works linked in each way and preloaded, with threads.
. "$(dirname "$0")/common.bash"

command -v aarch64-linux-gnu-gcc >/dev/null || skip "no aarch64-linux-gnu-gcc"
command -v qemu-aarch64 >/dev/null || skip "no qemu-aarch64"
"$CMAKE" -S "$SOURCE_DIR" -B "$scratch/build" -DMI_BUILD_TESTS=OFF \
    -DCMAKE_TOOLCHAIN_FILE="$SOURCE_DIR/cmake/cross.cmake" >/dev/null
"$CMAKE" --build "$scratch/build" --parallel "$jobs" >/dev/null
cd "$scratch/build"

link() {
    aarch64-linux-gnu-gcc -I"$SOURCE_DIR/include" -o probe "$scratch/probe.c" "$@"
    try "$*" qemu-aarch64 -L /usr/aarch64-linux-gnu ./probe
}
link mimalloc.o
link -static libmimalloc.a
link libmimalloc.so -Wl,-rpath,"$PWD"

# Stacks in the profile, of code with frame pointers and without.
profile=$SOURCE_DIR/tests/system/profile
for frames in -fno-omit-frame-pointer -fomit-frame-pointer; do
    for how in "libmimalloc.so -Wl,-rpath,$PWD" mimalloc.o; do
        # shellcheck disable=SC2086
        aarch64-linux-gnu-gcc -g -O1 -fno-builtin $frames -o profile "$profile.c" $how
        rm -f dump.*
        MIMALLOC_PROFILE=dump MIMALLOC_PROFILE_FORMAT=text MIMALLOC_PROFILE_RATE=64K \
            qemu-aarch64 -L /usr/aarch64-linux-gnu ./profile >/dev/null
        "$PYTHON" "$profile.py" stacks dump.*.heap aarch64-linux-gnu-addr2line
    done
done

LIB="$BUILD_DIR/libmimalloc.so" LIB_AARCH64="$PWD/libmimalloc.so" CC_AARCH64=aarch64-linux-gnu-gcc CC=cc \
    bash "$SOURCE_DIR/tests/system/qemu.sh"
