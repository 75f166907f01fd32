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
if command -v nix-instantiate >/dev/null; then
    # What the recipe takes of nixpkgs stands in for it.
    nix='{ secure }: import ./nix/default.nix { inherit secure; pkgs = {
        stdenv.mkDerivation = given: given; cmake = "cmake"; lib = { cleanSource = toString; licenses.mit = "MIT"; }; }; }'
    evaluated() {
        NIX_STORE_DIR=$scratch/store NIX_STATE_DIR=$scratch/state NIX_LOG_DIR=$scratch/log.d NIX_CONF_DIR=$scratch \
            nix-instantiate --eval --strict --json -E "($nix) { secure = $1; }"
    }
    evaluated true | grep -F '"-DMI_SECURE=ON"' | grep -F "\"src\":\"$SOURCE_DIR\"" >/dev/null
    evaluated false | grep -F '"-DMI_SECURE=OFF"' >/dev/null
    echo "fine: nix/default.nix"
else
    echo "no nix-instantiate: nix/default.nix is not read"
fi
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
