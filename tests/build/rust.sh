#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Rust crates: their tests with every kind of feature, dependents with one line changed, packed, other targets. Offline.
# timeout: 900
. "$(dirname "$0")/common.bash"
. "$SOURCE_DIR/tools/cargo.bash"
has_cargo || skip "no cargo"

work=$BUILD_DIR/rust
copy_of_crates "$work/tree" tests/build/rust
cd "$work/tree"
export CARGO_TARGET_DIR=$work/target

# all <crate> <what> [arguments of cargo]: the crate's tests.
all() {
    local crate=$1 what=$2
    shift 2
    if ! (cd "rust/$crate" && cargo_offline test "$@") >"$scratch/log" 2>&1; then
        echo "$crate, $what: failed"
        tail -n 60 "$scratch/log"
        exit 1
    fi
    echo "$crate, $what: $(awk '/^test result/ {n += $4} END {print n}' "$scratch/log") tests"
}

all mimalloc "as it is"
all mimalloc "replacing malloc" --features extended,override,local_dynamic_tls
all mimalloc "checking itself" --features extended,debug,secure
all libmimalloc-sys "all declarations" --features extended
# std's own trait is for nightly compilers; this makes a stable one let it through.
RUSTC_BOOTSTRAP=1 all mimalloc "std's trait" --features extended,nightly_allocator_api --test allocator --test heap

# ---- Dependents

for name in by_crate by_declarations; do
    (cd "tests/build/rust/$name" && cargo_offline build --release) >"$scratch/log" 2>&1 || { tail -n 40 "$scratch/log"; exit 1; }
    try "$name" "$CARGO_TARGET_DIR/release/$name"
    MIMALLOC_VERBOSE=1 "$CARGO_TARGET_DIR/release/$name" 2>&1 >/dev/null | grep "^mimalloc: active.* by mi_malloc" ||
        { echo "$name: the library does not serve it"; exit 1; }
done

# ---- Packed: the sources are inside, and it builds from them. In a repository cargo lists files another way.

git init -q . && git add -A && git -c user.name=test -c user.email=test@localhost commit -qm "the tree"
(cd rust/libmimalloc-sys && cargo_offline package --no-verify --allow-dirty) >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
tar -x -C "$scratch" -f "$CARGO_TARGET_DIR"/package/libmimalloc-sys-*.crate
packed=$(echo "$scratch"/libmimalloc-sys-*)
diff -r "$packed/c_src/src" "$SOURCE_DIR/src" || { echo "packed: not the library's sources"; exit 1; }
diff -r "$packed/c_src/include" "$SOURCE_DIR/include"
# A folder of its own: packed files bear an old date, and cargo would take what it built before for current.
(cd "$packed" && CARGO_TARGET_DIR=$scratch/target cargo_offline test --test base) >"$scratch/log" 2>&1 || { tail -n 40 "$scratch/log"; exit 1; }
echo "packed: $(find "$packed/c_src" -name '*.c' | wc -l) sources, and it builds"
(cd rust/mimalloc && cargo_offline package --list --allow-dirty) 2>/dev/null >"$scratch/list"
for file in Cargo.toml LICENSE README.md src/lib.rs; do
    grep -qx "$file" "$scratch/list" || { echo "packed: mimalloc has no $file"; exit 1; }
done

# ---- Other targets and compilers: the build script as cargo runs it, and what comes out of it

script=$(find "$CARGO_TARGET_DIR" -path '*libmimalloc-sys-*/build-script-main' | head -n 1)
host=$("$RUSTC" -vV | sed -n 's/^host: //p')

# compile_for <target> [NAME=value…]: leaves libmimalloc.a in $out.
compile_for() {
    local target=$1 libc=${1##*-}
    out=$scratch/out
    rm -rf "$out"
    mkdir "$out"
    shift
    env TARGET="$target" HOST="$host" CARGO_CFG_TARGET_OS=linux CARGO_CFG_TARGET_ENV="$libc" OUT_DIR="$out" PROFILE=release \
        CARGO_MANIFEST_DIR="$PWD/rust/libmimalloc-sys" NUM_JOBS="$jobs" "$@" "$script" >"$scratch/said" 2>&1
}

cat >"$scratch/user.c" <<'END'
#include <mimalloc.h>
#include <stdio.h>

int
main(void)
{
    void *p = mi_zalloc_aligned(1000, 4096);
    int good = p != NULL && (size_t)p % 4096 == 0 && mi_usable_size(p) >= 1000;
    mi_free_size_aligned(p, 1000, 4096);
    puts(good ? "a block" : "no block");
    return !good;
}
END

# links <label> <compiler…>: a program with that archive, run.
links() {
    local label=$1
    shift
    "$@" -Iinclude -o "$scratch/user" "$scratch/user.c" "$out/libmimalloc.a" -pthread
    try "$label" "$scratch/user"
}

for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    compile_for "$host" CC=$cc OPT_LEVEL=z || { cat "$scratch/said"; exit 1; }
    links "by $cc" $cc
done
machine=${host%%-*}
if command -v musl-gcc >/dev/null; then
    compile_for "$machine-unknown-linux-musl" CARGO_FEATURE_OVERRIDE=1 || { cat "$scratch/said"; exit 1; }
    links "for musl" musl-gcc -static
fi
if [ "$machine" != aarch64 ] && command -v aarch64-linux-gnu-gcc >/dev/null; then
    compile_for aarch64-unknown-linux-gnu || { cat "$scratch/said"; exit 1; }
    [ "$(readelf -h "$out/libmimalloc.a" | grep -c AArch64)" -gt 0 ] || { echo "not for ARM64"; exit 1; }
    if command -v qemu-aarch64 >/dev/null; then
        aarch64-linux-gnu-gcc -static -Iinclude -o "$scratch/user" "$scratch/user.c" "$out/libmimalloc.a" -pthread
        try "for ARM64" qemu-aarch64 "$scratch/user"
    fi
fi
# What can't be done is said.
if compile_for "$host" CC=/nowhere/cc; then
    echo "no compiler, no complaint"
    exit 1
fi
grep "libmimalloc-sys: no C compiler" "$scratch/said"
if compile_for "$machine-apple-darwin" CARGO_CFG_TARGET_OS=macos; then
    echo "no port, no complaint"
    exit 1
fi
grep "libmimalloc-sys: there is no port to macos" "$scratch/said"
