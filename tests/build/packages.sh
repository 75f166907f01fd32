#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The recipes for package managers: those whose language is here are read by it. (Versions and options: check.packaging;
# Debian's packages are built by debian.sh.)
. "$(dirname "$0")/common.bash"
cd "$SOURCE_DIR/packaging"

read_by() {
    local tool=$1
    shift
    command -v "$tool" >/dev/null || { echo "no $tool: ${*: -1} is not read"; return 0; }
    "$tool" "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
    echo "fine: ${*: -1}"
}
read_by ruby -c homebrew/mimalloc.rb
read_by bash -n alpine/APKBUILD
read_by "$PYTHON" -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' conan/conanfile.py
read_by "$PYTHON" -c 'import json, sys; json.load(open(sys.argv[1]))' vcpkg/vcpkg.json
read_by nix-instantiate --parse nix/default.nix
# What the image is built from is there, and what it copies is built.
for name in $(sed -n 's/^COPY \([^-].*\) \/mimalloc.*/\1/p' docker/Dockerfile); do
    test -e "$SOURCE_DIR/$name" || { echo "docker/Dockerfile: no $name"; exit 1; }
done
for name in $(sed -n 's/^COPY --from=[a-z]* \(.*\) \/[a-z]*\/$/\1/p' docker/Dockerfile); do
    test -e "$BUILD_DIR/${name#/build/}" || { echo "docker/Dockerfile: $name is not built"; exit 1; }
done
echo "fine: docker/Dockerfile"

# Alpine's functions, with a root of their own: build() with this machine's compiler is what variants.sh does.
(
    pkgdir=$scratch/apk subpkgdir=$scratch/static
    . ./alpine/APKBUILD
    DESTDIR=$pkgdir "$CMAKE" --install "$BUILD_DIR" --prefix /usr >/dev/null
    static
    test -e "$subpkgdir/usr/lib/libmimalloc.a" && test -e "$subpkgdir/usr/lib/mimalloc.o"
)
echo "fine: static() of alpine/APKBUILD"
