#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# On other processors, under qemu-user: the tests of the interface and of stress, linked in each way, and preloaded.
# Little-endian and big-endian. CROSS="riscv64-linux-gnu" picks some.
# label: long
# timeout: 7200
. "$(dirname "$0")/common.bash"

# <compiler's prefix>:<qemu>. OS pages are of 4 KiB; told of others, qemu 7.2 still writes what mincore says of pages of 4.
all="riscv64-linux-gnu:riscv64 powerpc64le-linux-gnu:ppc64le s390x-linux-gnu:s390x aarch64-linux-gnu:aarch64"
api=$(basename -s .c "$SOURCE_DIR"/tests/api/test_*.c)
export MIMALLOC_GUARDED_SAMPLE_RATE=0
tried=0
wrong=0

# With tables for stacks in profiles: gcc for RISC-V makes none unasked.
build() {
    [ -d "$scratch/$1" ] && return
    "$CMAKE" -S "$SOURCE_DIR" -B "$scratch/$1" -DCMAKE_TOOLCHAIN_FILE="$SOURCE_DIR/cmake/cross.cmake" -DMI_CROSS="$1" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-funwind-tables >/dev/null
    # shellcheck disable=SC2086
    "$CMAKE" --build "$scratch/$1" --parallel "$jobs" \
        --target mimalloc mimalloc-static mimalloc-object $api stress-stress stress-remote_frees stress-heaps >/dev/null
    cd "$scratch/$1"
    "$1-gcc" -I"$SOURCE_DIR/include" -o probe-object "$scratch/probe.c" mimalloc.o
    "$1-gcc" -I"$SOURCE_DIR/include" -o probe-static "$scratch/probe.c" -static libmimalloc.a
    "$1-gcc" -I"$SOURCE_DIR/include" -o probe-shared "$scratch/probe.c" libmimalloc.so -Wl,-rpath,"$PWD"
    "$1-gcc" -O1 -w -o small "$SOURCE_DIR/tests/system/small.c" -pthread
}

# one <what> <program and arguments>
one() {
    local what=$1 said
    shift
    if said=$(timeout 600 "$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed="$failed $what"
        printf '%s: %s\n' "$what" "$(tail -n 3 <<<"$said")"
    fi
}

for target in $all; do
    IFS=: read -r prefix processor <<<"$target"
    case " ${CROSS:-$prefix} " in *" $prefix "*) ;; *) continue ;; esac
    if ! command -v "$prefix-gcc" >/dev/null || ! command -v "qemu-$processor" >/dev/null; then
        echo "$prefix: no compiler, or no qemu-$processor"
        continue
    fi
    build "$prefix"
    cd "$scratch/$prefix"
    passed=0
    failed=
    how=("qemu-$processor" -L "/usr/$prefix")
    for name in $api; do
        one "$name" "${how[@]}" "tests/$name"
    done
    one stress "${how[@]}" tests/stress-stress 4 3 3
    one remote_frees "${how[@]}" tests/stress-remote_frees 20000
    one heaps "${how[@]}" tests/stress-heaps 2
    one object "${how[@]}" ./probe-object
    one shared "${how[@]}" ./probe-shared
    one static "${how[@]}" ./probe-static
    one preloaded "${how[@]}" -E LD_PRELOAD="$PWD/libmimalloc.so" ./small
    echo "$prefix: $passed passed${failed:+, FAILED:$failed}"
    tried=$((tried + 1))
    [ -z "$failed" ] || wrong=1
done
[ "$tried" -gt 0 ] || skip "no cross compiler, or no qemu-user"
exit "$wrong"
