#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The heap of a process, and of its core file, is found from outside by the descriptor: with the library as it is, and
# with a copy of it that has no symbols left, linked statically too.
. "$(dirname "$0")/common.bash"
python=${PYTHON:-/usr/bin/python3}
need "$python" gcore strip

# A guarded block is seen as the block that is kept for it, elsewhere.
export MIMALLOC_GUARDED_SAMPLE_RATE=0
compile outside.c
cp "$LIB" "$scratch/libstripped.so"
strip --strip-all "$scratch/libstripped.so"
"$CC" -O1 -fno-builtin -o "$scratch/static" "$here/outside.c" "$BUILD_DIR/mimalloc.o" -pthread -ldl
strip --strip-all "$scratch/static"

echo "the library:"
LD_PRELOAD=$LIB "$python" "$here/outside.py" "$scratch/outside" "$scratch/core"
echo "without symbols:"
LD_PRELOAD=$scratch/libstripped.so "$python" "$here/outside.py" "$scratch/outside" "$scratch/core"
echo "in a program without symbols:"
"$python" "$here/outside.py" "$scratch/static" "$scratch/core"
