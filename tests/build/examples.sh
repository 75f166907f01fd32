#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# The examples in C and C++, in every way that examples/c/README.md names: CMake, Meson, pkg-config, the object, the archive,
# the single file.
. "$(dirname "$0")/common.bash"

examples=$SOURCE_DIR/examples/c
"$CMAKE" --install "$BUILD_DIR" --prefix "$scratch/tree" >/dev/null
lib=$(dirname "$(find "$scratch/tree" -name libmimalloc.so.3)")
export LD_LIBRARY_PATH=$lib PKG_CONFIG_PATH=$lib/pkgconfig

"$CMAKE" -S "$examples" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$scratch/tree" >/dev/null
"$CMAKE" --build "$scratch/cmake" --parallel "$jobs" >/dev/null
for name in which-shared which-static which-object requests shared_memory resources defragment; do
    try "CMake: $name" "$scratch/cmake/$name"
done

cd "$scratch"
replaced() {
    try "$@"
    "${@:2}" | grep 'serves mi_malloc and malloc$' >/dev/null || { echo "$1: malloc is libc's"; exit 1; }
}
cc -I"$scratch/tree/include" "$lib/mimalloc.o" "$examples/which.c" -pthread -ldl -o which
replaced "object first" ./which
cc -static -I"$scratch/tree/include" "$examples/which.c" "$lib/libmimalloc.a" -pthread -ldl -o which
replaced "all static" ./which
"$PYTHON" "$SOURCE_DIR/tools/amalgamate.py" amalgam
cc -DMI_OVERRIDE=1 -Iamalgam "$examples/which.c" amalgam/mimalloc.c -pthread -ldl -o which
replaced "single file" ./which
for name in which-shared which-static which-object; do
    replaced "$name" "$scratch/cmake/$name"
done

if command -v meson >/dev/null && command -v ninja >/dev/null; then
    meson setup "$scratch/meson" "$examples" >"$scratch/log" 2>&1 || { tail "$scratch/log"; exit 1; }
    ninja -C "$scratch/meson" >"$scratch/log" 2>&1 || { tail "$scratch/log"; exit 1; }
    replaced "Meson, installed" "$scratch/meson/which"
    # Nothing installed: the tree itself, as a wrap brings it.
    cp -r "$examples" "$scratch/host"
    mkdir "$scratch/host/subprojects"
    ln -s "$SOURCE_DIR" "$scratch/host/subprojects/mimalloc"
    (unset LD_LIBRARY_PATH PKG_CONFIG_PATH
        meson setup "$scratch/wrapped" "$scratch/host" --force-fallback-for=mimalloc >"$scratch/log" 2>&1 &&
            ninja -C "$scratch/wrapped" >"$scratch/log" 2>&1) || { tail "$scratch/log"; exit 1; }
    (unset LD_LIBRARY_PATH; replaced "Meson, as a subproject" "$scratch/wrapped/which")
    nm -DP --defined-only "$scratch/wrapped/subprojects/mimalloc/libmimalloc.so.3" | awk '{print $1}' | grep -v '^_[a-z_]*$' |
        sort >"$scratch/names"
    sort "$SOURCE_DIR/tests/golden/exports.txt" | grep -v '^_[a-z_]*$' | diff - "$scratch/names"
fi
