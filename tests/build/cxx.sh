#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# The C++ headers in every version of the language, by every compiler that is there, without a warning; and they work.
. "$(dirname "$0")/common.bash"

flags=(-Wall -Wextra -pedantic -Werror -Wno-psabi -O1 "-I$SOURCE_DIR/include" "-I$SOURCE_DIR/tests/api")
found=
for cxx in g++ clang++; do
    command -v "$cxx" >/dev/null || continue
    found=$cxx
    for standard in 98 11 14 17 20; do
        tests=(stl)
        [ "$standard" -lt 17 ] || [ "$standard" = 98 ] || tests+=(pmr)
        for test in "${tests[@]}"; do
            "$cxx" "-std=c++$standard" "${flags[@]}" -o "$scratch/program" "$SOURCE_DIR/tests/api/test_api_$test.cc" \
                "$BUILD_DIR/libmimalloc.a" -pthread -ldl
            try "$cxx, C++$standard, $test" "$scratch/program"
        done
        # The operators, in a file of their own.
        echo '#include <mimalloc-new-delete.h>' >"$scratch/operators.cc"
        "$cxx" "-std=c++$standard" "${flags[@]}" -c -o "$scratch/operators.o" "$scratch/operators.cc"
    done
    # Without exceptions and types at run time the headers still compile.
    echo '#include <mimalloc-pmr.h>
std::pmr::memory_resource *resource() { return mi_get_memory_resource(); }
mi_heap_memory_resource heap;
std::vector<int, mi_heap_stl_allocator<int>> *numbers;' >"$scratch/bare.cc"
    "$cxx" -std=c++17 -fno-exceptions -fno-rtti "${flags[@]}" -include vector -c -o "$scratch/bare.o" "$scratch/bare.cc"
done
[ -n "$found" ] || skip "no C++ compiler"
