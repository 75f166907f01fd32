#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label: long
# timeout: 3600
# The recipes in packaging/ do what they say: each step is run, with what stands in for a manager that is not here
# (tests/build/recipes), up to a program that has the package's malloc. And what is wrong in one is found.
. "$(dirname "$0")/common.bash"
packaging=$SOURCE_DIR/packaging
here=$SOURCE_DIR/tests/build/recipes

# refuses <what it must say> <command>…
refuses() {
    local said=$1
    shift
    if "$@" >"$scratch/log" 2>&1; then
        echo "passed: $*"
        exit 1
    fi
    grep -qF "$said" "$scratch/log" || { cat "$scratch/log"; exit 1; }
    echo "found: $said"
}

# unpack <folder>: what a release has that a package is built from; managers unpack it for themselves.
unpack() {
    mkdir "$1"
    cp -r "$SOURCE_DIR"/{CMakeLists.txt,LICENSE,cmake,include,src,tool,tools} "$1"
}

# ---- the image: its steps, one after the other
compilers=(glibc=cc)
if command -v musl-gcc >/dev/null; then
    compilers+=(musl=musl-gcc)
fi
"$PYTHON" "$here/dockerfile.py" "$packaging/docker/Dockerfile" "$SOURCE_DIR" "$scratch/docker" "${compilers[@]}"
image=$scratch/docker/image
cc -I"$image/include" -o "$scratch/user" "$scratch/probe.c" "$image/glibc/mimalloc.o" -pthread -ldl
try "the image's mimalloc.o" "$scratch/user"
LD_PRELOAD=$image/glibc/libmimalloc.so.3 MIMALLOC_VERBOSE=1 env true 2>&1 | grep "mimalloc: active"
if command -v musl-gcc >/dev/null; then
    musl-gcc -I"$image/include" -static -o "$scratch/user" "$scratch/probe.c" "$image/musl/mimalloc.o"
    try "the image's mimalloc.o for musl" "$scratch/user"
fi
rm -r "$scratch/docker"
grep -v '^COPY src' "$packaging/docker/Dockerfile" >"$scratch/Dockerfile"
refuses "cmake -S" "$PYTHON" "$here/dockerfile.py" "$scratch/Dockerfile" "$SOURCE_DIR" "$scratch/docker"
sed 's|^COPY include /include|COPY headers /include|' "$packaging/docker/Dockerfile" | grep -v ^RUN >"$scratch/Dockerfile"
refuses "there is no" "$PYTHON" "$here/dockerfile.py" "$scratch/Dockerfile" "$SOURCE_DIR" "$scratch/docker"

# ---- Alpine: build, check and package in a tree of their own
if command -v ninja >/dev/null; then
    unpack "$scratch/alpine"
    (
        cd "$scratch/alpine"
        pkgdir=$scratch/apk subpkgdir=$scratch/apk-static
        . "$packaging/alpine/APKBUILD"
        { build && package; } >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
        check
        static
        test -e "$pkgdir/usr/lib/libmimalloc.so.3" -a -e "$subpkgdir/usr/lib/libmimalloc.a" -a ! -e "$pkgdir/usr/lib/libmimalloc.a"
    )
    cc -I"$scratch/apk/usr/include" -o "$scratch/user" "$scratch/probe.c" "$scratch/apk-static/usr/lib/mimalloc.o" -pthread -ldl
    try "Alpine's mimalloc.o" "$scratch/user"
fi

# ---- Conan, in both forms
for shared in True False; do
    flags=$("$PYTHON" "$here/conan_recipe.py" "$packaging/conan/conanfile.py" "$scratch/conan-$shared" shared=$shared)
    # shellcheck disable=SC2086
    cc -o "$scratch/user" "$scratch/probe.c" -Wl,--no-as-needed $flags
    try "Conan's package, shared=$shared" "$scratch/user"
done
unpack "$scratch/tree"
mkdir -p "$scratch/tree/packaging/conan"
sed 's/"src\/\*"/"sources\/*"/' "$packaging/conan/conanfile.py" >"$scratch/tree/packaging/conan/conanfile.py"
refuses "nothing is like sources/*" "$PYTHON" "$here/conan_recipe.py" "$scratch/tree/packaging/conan/conanfile.py" "$scratch/conan"

# ---- Homebrew
if command -v ruby >/dev/null; then
    unpack "$scratch/homebrew"
    ruby "$here/formula.rb" "$packaging/homebrew/mimalloc.rb" "$scratch/homebrew" "$scratch/brew"
    sed 's/"--install"/"--instal"/' "$packaging/homebrew/mimalloc.rb" >"$scratch/mimalloc.rb"
    refuses "cmake --instal" ruby "$here/formula.rb" "$scratch/mimalloc.rb" "$scratch/homebrew" "$scratch/brew"
fi

# ---- vcpkg
"$CMAKE" -DPORT="$packaging/vcpkg" -DFOLDER="$scratch/vcpkg" -DLINKAGE=static -P "$here/vcpkg.cmake" 2>&1 | tail -n 3
cc -I"$scratch/vcpkg/package/include" -o "$scratch/user" "$scratch/probe.c" "$scratch/vcpkg/package/lib/libmimalloc.a" -pthread -ldl
try "vcpkg's libmimalloc.a" "$scratch/user"
mkdir -p "$scratch/port/packaging/vcpkg"
cp "$packaging"/vcpkg/* "$scratch/port/packaging/vcpkg"
sed -i 's/"secure":/"safe":/' "$scratch/port/packaging/vcpkg/vcpkg.json"
refuses "no feature secure" "$CMAKE" -DPORT="$scratch/port/packaging/vcpkg" -DFOLDER="$scratch/port" -DLINKAGE=static -P "$here/vcpkg.cmake"
