#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that were built for Debian's libmimalloc 2 run with this library in its place, unchanged: every name that
# library exports is here, and what they do with it works.
. "$(dirname "$0")/common.bash"
need "$CC" nm

theirs=$("$CC" -print-file-name=libmimalloc.so)
if [ ! -e "$theirs" ] || ! echo '#include <mimalloc.h>' | "$CC" -fsyntax-only -x c - 2>/dev/null; then
    echo "SKIP: no libmimalloc-dev"
    exit 77
fi
names() {
    nm -D --defined-only "$1" | sed -n 's/.* [TW] \(mi_[a-z0-9_]*\).*/\1/p' | LC_ALL=C sort -u
}

names "$theirs" >"$scratch/theirs"
# Names that tests/golden/interface.txt still marks as to come are not asked for.
names "$LIB" >"$scratch/ours"
if ! grep -q '^mi_heap_get_backing$' "$scratch/theirs"; then
    echo "SKIP: libmimalloc-dev is not version 2"
    exit 77
fi
sed -n 's/^~ //p' "$here/../golden/interface.txt" | LC_ALL=C sort >"$scratch/to_come"
LC_ALL=C comm -23 "$scratch/theirs" "$scratch/ours" | LC_ALL=C comm -23 - "$scratch/to_come" >"$scratch/missing"
if [ -s "$scratch/missing" ]; then
    cat "$scratch/missing" >&2
    fail "names that programs may have been linked with are missing"
fi

"$CC" -O1 -g -fno-builtin -o "$scratch/compat_v2" "$here/compat_v2.c" "$theirs"
soname=$(ldd "$scratch/compat_v2" | sed -n 's/^[[:space:]]*\(libmimalloc\.so\.2[^ ]*\) .*/\1/p')
[ -n "$soname" ] || fail "the program does not ask for libmimalloc.so.2"
mkdir "$scratch/lib"
ln -s "$LIB" "$scratch/lib/$soname"
LD_LIBRARY_PATH=$scratch/lib "$scratch/compat_v2"
# The same binary with both loaded, ours first.
preloaded "$scratch/compat_v2"
