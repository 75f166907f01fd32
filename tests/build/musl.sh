#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With musl: every library is built, exports what it should, and works linked in each way and preloaded.
. "$(dirname "$0")/common.bash"

command -v musl-gcc >/dev/null || skip "no musl-gcc"
CC=musl-gcc "$CMAKE" -S "$SOURCE_DIR" -B "$scratch/build" -DMI_BUILD_TESTS=OFF >/dev/null
"$CMAKE" --build "$scratch/build" --parallel "$jobs" >/dev/null
cd "$scratch/build"

"$PYTHON" "$SOURCE_DIR/tools/check_exports.py" --musl --shared libmimalloc.so --archive libmimalloc.a

link() {
    musl-gcc -I"$SOURCE_DIR/include" -o probe "$scratch/probe.c" "$@"
    try "$*" ./probe
}
link -static mimalloc.o
link -static libmimalloc.a
link libmimalloc.a
link libmimalloc.so -Wl,-rpath,"$PWD"

# Stacks in the profile: by frame pointers.
profile=$SOURCE_DIR/tests/system/profile
for how in "-static mimalloc.o" mimalloc.o "libmimalloc.so -Wl,-rpath,$PWD"; do
    # shellcheck disable=SC2086
    musl-gcc -g -O1 -fno-builtin -fno-omit-frame-pointer -o profile "$profile.c" $how
    rm -f dump.*
    MIMALLOC_PROFILE=dump MIMALLOC_PROFILE_FORMAT=text MIMALLOC_PROFILE_RATE=64K ./profile >/dev/null
    "$PYTHON" "$profile.py" stacks dump.*.heap
done

cat >plain.c <<'END'
#include <stdlib.h>
#include <string.h>

int
main(void)
{
    void *volatile p = malloc(1000);
    memset(p, 1, 1000);
    free(p);
    return 0;
}
END
musl-gcc -o plain plain.c
said=$(LD_PRELOAD="$PWD/libmimalloc.so" MIMALLOC_VERBOSE=1 ./plain 2>&1)
echo "$said" | head -n 1
case $said in *mimalloc*) ;; *) exit 1 ;; esac
