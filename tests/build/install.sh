#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The installed tree serves CMake, pkg-config and bare command lines; and it can be moved.
. "$(dirname "$0")/common.bash"

"$CMAKE" --install "$BUILD_DIR" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/tree"
lib=$(dirname "$(find "$scratch/tree" -name libmimalloc.so.3)")

for file in include/mimalloc.h include/mimalloc-override.h include/mimalloc-new-delete.h include/mimalloc-pmr.h include/mimalloc-stats.h; do
    test -f "$scratch/tree/$file"
done
for file in libmimalloc.so libmimalloc.a mimalloc.o cmake/mimalloc/mimalloc-config.cmake pkgconfig/mimalloc.pc; do
    test -e "$lib/$file"
done

cat >"$scratch/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(mimalloc 3.4 REQUIRED)
foreach(library mimalloc mimalloc-static mimalloc::mimalloc mimalloc::static)
  string(REPLACE "::" "-of-" name ${library})
  add_executable(user-${name} probe.c)
  target_link_libraries(user-${name} PRIVATE ${library})
endforeach()
END
"$CMAKE" -S "$scratch" -B "$scratch/user" -DCMAKE_PREFIX_PATH="$scratch/tree" >/dev/null
"$CMAKE" --build "$scratch/user" >/dev/null
for program in "$scratch"/user/user-*; do
    try "${program##*/}" "$program"
done

cc -o "$scratch/object" "$scratch/probe.c" "$lib/mimalloc.o" -I"$scratch/tree/include" -pthread -ldl
try "mimalloc.o" "$scratch/object"
cc -static -o "$scratch/static" "$scratch/probe.c" "$lib/libmimalloc.a" -I"$scratch/tree/include" -pthread -ldl
try "all static" "$scratch/static"
# A program that names malloc and no more of the library has all of it nevertheless.
echo '#include <stdlib.h>
int main(void) { free(malloc(10)); return 0; }' >"$scratch/plain.c"
cc -O0 -fno-builtin -o "$scratch/plain" "$scratch/plain.c" "$lib/libmimalloc.a" -pthread -ldl
MIMALLOC_VERBOSE=1 "$scratch/plain" 2>&1 | grep "mimalloc: active"
if [ -e "$lib/mimalloc-new-delete.o" ]; then
    c++ -o "$scratch/cxx" "$scratch/probe.cc" "$lib/mimalloc-new-delete.o" "$lib/libmimalloc.a" -I"$scratch/tree/include" -pthread -ldl
    try "mimalloc-new-delete.o" "$scratch/cxx"
    c++ -o "$scratch/cxx" "$scratch/probe.cc" -I"$scratch/tree/include" -L"$lib" -lmimalloc -Wl,-rpath,"$lib"
    try "C++ with libmimalloc.so" "$scratch/cxx"
fi

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH="$lib/pkgconfig"
    # The words of pkg-config are separate arguments.
    cc -o "$scratch/pc" "$scratch/probe.c" $(pkg-config --cflags --libs mimalloc) -Wl,-rpath,"$lib"
    try "pkg-config $(pkg-config --modversion mimalloc)" "$scratch/pc"
fi
