#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Operators new and delete of a preloaded library: in C++ programs, and in a C++ plug-in of a C
# program that has no C++ itself.
. "$(dirname "$0")/common.bash"
CXX=${CXX:-c++}
need "$CC" "$CXX"

check() {
    preloaded "$@" >"$scratch/out" 2>&1 || fail "$* $(cat "$scratch/out")"
    echo "${1##*/} ${2:+${2##*/}}: $(tail -1 "$scratch/out")"
}

for standard in c++17 c++20; do
    "$CXX" -std=$standard -O1 -g -fsized-deallocation -o "$scratch/operators-$standard" "$here/operators.cc" -ldl
    check "$scratch/operators-$standard"
done

"$CXX" -std=c++17 -O1 -g -fsized-deallocation -shared -fPIC -o "$scratch/plugin.so" "$here/operators.cc" -ldl
compile operators_host.c
check "$scratch/operators_host" "$scratch/plugin.so"

# The same with another C++ library, where it is installed.
if command -v clang++ >/dev/null &&
    clang++ -stdlib=libc++ -std=c++17 -o "$scratch/operators-libc++" "$here/operators.cc" -ldl 2>/dev/null; then
    check "$scratch/operators-libc++"
fi
