#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# On 64-bit ARM, under qemu-user: every library is built and works linked in each way and preloaded, with threads.
. "$(dirname "$0")/common.bash"

command -v aarch64-linux-gnu-gcc >/dev/null || skip "no aarch64-linux-gnu-gcc"
command -v qemu-aarch64 >/dev/null || skip "no qemu-aarch64"
"$CMAKE" -S "$SOURCE_DIR" -B "$scratch/build" -DMI_BUILD_TESTS=OFF \
    -DCMAKE_TOOLCHAIN_FILE="$SOURCE_DIR/cmake/aarch64-linux-gnu.cmake" >/dev/null
"$CMAKE" --build "$scratch/build" --parallel "$jobs" >/dev/null
cd "$scratch/build"

link() {
    aarch64-linux-gnu-gcc -I"$SOURCE_DIR/include" -o probe "$scratch/probe.c" "$@"
    try "$*" qemu-aarch64 -L /usr/aarch64-linux-gnu ./probe
}
link mimalloc.o
link -static libmimalloc.a
link libmimalloc.so -Wl,-rpath,"$PWD"

LIB="$BUILD_DIR/libmimalloc.so" LIB_AARCH64="$PWD/libmimalloc.so" CC_AARCH64=aarch64-linux-gnu-gcc CC=cc \
    bash "$SOURCE_DIR/tests/system/qemu.sh"
