#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 1200
# long: every
# The library by other compilers and with other options: unoptimized, for the processor at hand, optimized as a whole. Programs
# of the interface linked with it, and stress preloaded, must pass. The long form takes each gcc and clang that is installed.
. "$(dirname "$0")/common.bash"

ways=("cc -O0" "cc -O3 -march=native" "cc -O2 -flto" "clang -O2")
if [ "${1:-}" = every ]; then
    ways=()
    for compiler in $(compgen -c | grep -xE '(gcc|clang)(-[0-9]+)?' | sort -uV); do
        ways+=("$compiler -O0" "$compiler -O2" "$compiler -O3 -march=native")
        # What clang makes for that can't be joined to one object by the linker.
        [[ $compiler == clang* ]] || ways+=("$compiler -O2 -flto")
    done
fi
tests=$SOURCE_DIR/tests
passed=0
for way in "${ways[@]}"; do
    read -r compiler flags <<<"$way"
    command -v "$compiler" >/dev/null || continue
    out=$scratch/out
    rm -rf "$out"
    if ! "$CMAKE" -S "$SOURCE_DIR" -B "$out" -DMI_BUILD_TESTS=OFF -DMI_BUILD_OBJECT=OFF -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$flags" >"$scratch/log" 2>&1 ||
        ! "$CMAKE" --build "$out" --parallel "$jobs" --target mimalloc mimalloc-static >>"$scratch/log" 2>&1; then
        tail -n 20 "$scratch/log"
        echo "$way: no library"
        exit 1
    fi
    for program in basic heap aligned; do
        # shellcheck disable=SC2086
        "$compiler" $flags -std=gnu11 -DMI_DEBUG=0 -DMI_SECURE=0 -I"$tests/api" -I"$tests" -I"$SOURCE_DIR/include" -o "$out/$program" \
            "$tests/api/test_api_$program.c" "$out/libmimalloc.a" -pthread
        MIMALLOC_GUARDED_SAMPLE_RATE=0 "$out/$program" >"$scratch/log" 2>&1 || { tail "$scratch/log"; echo "$way: $program"; exit 1; }
    done
    for program in "stress 4 20 5" "remote_frees 100000" tls_destructors; do
        read -r name args <<<"$program"
        # shellcheck disable=SC2086
        "$compiler" $flags -std=gnu11 -I"$tests" -o "$out/$name" "$tests/stress/$name.c" -pthread
        # shellcheck disable=SC2086
        LD_PRELOAD=$out/libmimalloc.so "$out/$name" $args >"$scratch/log" 2>&1 || { tail "$scratch/log"; echo "$way: $name"; exit 1; }
    done
    passed=$((passed + 1))
    echo "$way: 6 of 6 programs ($("$compiler" --version | head -n 1))"
done
echo "$passed of ${#ways[@]} ways"
[ "$passed" -gt 0 ]
