#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# On 64-bit ARM, under qemu-user: every library is built and works linked in each way, with threads.
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

aarch64-linux-gnu-gcc -O1 -I"$SOURCE_DIR/include" -I"$SOURCE_DIR/tests/stress" -o stress "$SOURCE_DIR/tests/stress/stress.c" \
    libmimalloc.a -pthread
try stress qemu-aarch64 -L /usr/aarch64-linux-gnu ./stress 4 5 3
