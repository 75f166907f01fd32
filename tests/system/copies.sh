#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Several copies of the library in one process: in the program, and in two plugins that have theirs linked in, with a
# fourth preloaded. None takes another's blocks, also when the main thread has ended and thread numbers come again.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
archive=$BUILD_DIR/libmimalloc.a
[ -e "$archive" ] || { echo "SKIP: no libmimalloc.a" && exit 77; }
include=$(cd "$here/../../include" && pwd)
for name in one two; do
    "$CC" -O1 -fPIC -shared -I"$include" -o "$scratch/$name.so" "$here/copies.c" "$archive" -pthread -Wl,--exclude-libs,ALL
done
"$CC" -O1 -DHOST -I"$include" -o "$scratch/copies" "$here/copies.c" "$archive" -pthread -ldl -Wl,--exclude-libs,ALL
"$scratch/copies" "$scratch/one.so" "$scratch/two.so"
preloaded "$scratch/copies" "$scratch/one.so" "$scratch/two.so"

# What a library may take of the room for thread-local variables that programs keep for those loaded later.
bytes=$((0x$(readelf -lW "$LIB" | sed -nE 's/^ +TLS +(0x[0-9a-f]+ +){4}0x([0-9a-f]+).*/\2/p')))
echo "thread-local variables: $bytes bytes"
[ "$bytes" -le 512 ] || fail "$bytes bytes of thread-local variables"
