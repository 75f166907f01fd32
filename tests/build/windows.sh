#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# For Windows, by mingw-w64: the libraries are built and linked in each way; where there is wine, all of it is run.
# timeout: 1800
. "$(dirname "$0")/common.bash"

prefix=x86_64-w64-mingw32
command -v $prefix-gcc >/dev/null || skip "no $prefix-gcc"
wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null) || wine=
targets=(mimalloc mimalloc-static mimalloc-new-delete-obj)
# Of the tests those in C, and those that are C++ only. Three are about fork and mmap.
if [ -n "$wine" ]; then
    for source in "$SOURCE_DIR"/tests/api/*.c*; do
        name=$(basename "${source%.*}")
        [[ $name =~ _(arena|new|profile)$ ]] || targets+=("$name")
    done
    targets+=(test_port stress-stress stress-heaps stress-remote_frees stress-tls_destructors)
fi
"$CMAKE" -S "$SOURCE_DIR" -B "$scratch/build" -DCMAKE_TOOLCHAIN_FILE="$SOURCE_DIR/cmake/cross.cmake" \
    -DMI_CROSS=$prefix -DCMAKE_BUILD_TYPE=Release >/dev/null
"$CMAKE" --build "$scratch/build" --parallel "$jobs" --target "${targets[@]}" >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}
if grep -B2 -A6 'warning:' "$scratch/log"; then
    exit 1
fi
cd "$scratch/build"

# What the library exports is the interface, and nothing of the inside.
$prefix-objdump -p libmimalloc.dll | sed -n 's/^\t\[ *[0-9]*\]\( +base\[ *[0-9]*\]\)\? *\([0-9a-f]* \)\?\(mi[a-z_0-9]*\)$/\3/p' |
    sort >exports
grep -o '^mi[a-z_0-9]*' "$SOURCE_DIR/tests/golden/exports.txt" | sort >interface
diff interface exports
echo "$(wc -l <exports) names exported"

cat >user.c <<'END'
#include <mimalloc.h>
#include <stdio.h>

int
main(void)
{
    char *p = mi_malloc(100);
    char *q = mi_strdup("text");
    int good = p != NULL && mi_usable_size(p) >= 100 && q[3] == 't' && mi_version() == MI_MALLOC_VERSION;
    mi_free(p);
    mi_free(q);
    printf("%s\n", good ? "good" : "not good");
    return !good;
}
END
include=-I$SOURCE_DIR/include
operators=$(find . -name new_delete.cc.obj)
$prefix-gcc "$include" -static -o static.exe user.c libmimalloc.a -lsynchronization -lpsapi
$prefix-gcc "$include" -o shared.exe user.c libmimalloc.dll.a
$prefix-g++ "$include" -static -o operators.exe "$scratch/probe.cc" "$operators" libmimalloc.a -lsynchronization -lpsapi
$prefix-g++ "$include" -static -o single-header.exe -x c++ - -x none libmimalloc.a -lsynchronization -lpsapi <<END
#include <mimalloc-new-delete.h>
#include "$scratch/probe.cc"
END
[ -n "$wine" ] || {
    echo "built and linked; not run: no wine"
    exit
}

export WINEPREFIX=$scratch/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" MIMALLOC_GUARDED_SAMPLE_RATE=0
trap '"$(dirname "$(readlink -f "$wine")")/wineserver64" -k >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
for program in static shared operators single-header; do
    try $program "$wine" ./$program.exe
done
MIMALLOC_VERBOSE=1 "$wine" ./static.exe 2>&1 | grep 'active in "static.exe"'
"${CMAKE%cmake}ctest" --parallel "$jobs" --output-on-failure --timeout 300 --exclude-regex 'c\+\+' | grep -v ' Passed '
