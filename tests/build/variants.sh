#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# One prefix with the library, its hardened variant and one with its own checks, by DESTDIR; each is found by CMake, pkg-config
# and the loader. And the library itself is the same, byte for byte, when it is built elsewhere, at another date, by another
# user.
. "$(dirname "$0")/common.bash"

staged=$scratch/staged
DESTDIR=$staged "$CMAKE" --install "$BUILD_DIR" --prefix /opt/mi >/dev/null
for variant in secure debug; do
    option=MI_${variant^^}
    "$CMAKE" -S "$SOURCE_DIR" -B "$scratch/$variant" "-D$option=ON" -DMI_BUILD_TESTS=OFF -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_FLAGS=-O1 >/dev/null
    "$CMAKE" --build "$scratch/$variant" --parallel "$jobs" >/dev/null
    DESTDIR=$staged "$CMAKE" --install "$scratch/$variant" --prefix /opt/mi >/dev/null
done
test "$(ls "$staged")" = opt
tree=$staged/opt/mi
lib=$(dirname "$(find "$tree" -name libmimalloc.so.3)")
for suffix in "" -secure -debug; do
    for file in libmimalloc$suffix.{so,a} mimalloc$suffix.o pkgconfig/mimalloc$suffix.pc; do
        test -e "$lib/$file" || { echo "no $file"; exit 1; }
    done
    soname=$(objdump -p "$lib/libmimalloc$suffix.so" | awk '/SONAME/ {print $2}')
    [ "$soname" = "libmimalloc$suffix.so.3" ]
    env LD_LIBRARY_PATH="$lib" LD_PRELOAD="$soname" MIMALLOC_VERBOSE=1 true 2>&1 | grep "mimalloc: active" >/dev/null
    cc -o "$scratch/pc" "$scratch/probe.c" -Wl,-rpath,"$lib" \
        $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs "mimalloc$suffix")
    try "$soname, by pkg-config" "$scratch/pc"
    ldd "$scratch/pc" | grep "$soname" >/dev/null
done

cat >"$scratch/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(mimalloc 3.4 REQUIRED)
foreach(name mimalloc static object secure secure-static debug debug-static)
  add_executable(user-${name} probe.c)
  target_link_libraries(user-${name} PRIVATE mimalloc::${name})
endforeach()
END
"$CMAKE" -S "$scratch" -B "$scratch/user" -DCMAKE_PREFIX_PATH="$tree" >/dev/null
"$CMAKE" --build "$scratch/user" >/dev/null
for program in "$scratch"/user/user-*; do
    try "CMake: ${program##*/}" "$program"
done

# ---- The same bytes: from a copy of the tree in another place, whose files are of another day.
mkdir -p "$scratch/a longer way to"
copy="$scratch/a longer way to/the tree"
mkdir "$copy"
cp -r "$SOURCE_DIR"/{src,include,cmake,tool,tools,CMakeLists.txt,LICENSE} "$copy"
find "$copy" -exec touch -h -d 2001-02-03 {} +
sed -n 's/^\(CMAKE_\(BUILD_TYPE\|C_FLAGS\|C_COMPILER\|CXX_COMPILER\|C_COMPILER_LAUNCHER\):[A-Z]*=.*\)$/-D\1/p' \
    "$BUILD_DIR/CMakeCache.txt" >"$scratch/settings"
mapfile -t settings <"$scratch/settings"
mkdir "$scratch/home"
umask 0077
export TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 HOME=$scratch/home USER=somebody
"$CMAKE" -S "$copy" -B "$copy/out" -DMI_BUILD_TESTS=OFF "${settings[@]}" >/dev/null
"$CMAKE" --build "$copy/out" --parallel "$jobs" >/dev/null
for file in libmimalloc.so.3.4 libmimalloc.a mimalloc.o mimalloc-new-delete.o; do
    cmp "$BUILD_DIR/$file" "$copy/out/$file"
    if grep -qaF "$scratch" "$copy/out/$file"; then
        echo "$file names the folder that it was built in"
        exit 1
    fi
    echo "the same bytes: $file"
done
