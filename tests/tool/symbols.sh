#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whose names they are: a library that was replaced while its process runs, and debug information by debuginfod.
. "$(dirname "$0")/common.bash"
need "$python" gcore objcopy readelf

cat >"$scratch/keep.c" <<'END'
#include <stdlib.h>
__attribute__((noinline)) void *KEEP(size_t size) { void *volatile p = malloc(size); return p; }
END
cat >"$scratch/main.c" <<'END'
#include <stdio.h>
#include <unistd.h>
void *KEEP(size_t size);
int main(void)
{
    for (int i = 0; i < 5000; i++) KEEP(1000);
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
END
build() { "$CC" -O1 -g -Wl,--build-id -fPIC -shared -fno-builtin "-DKEEP=$1" -o "$scratch/$2" "$scratch/keep.c"; }
build keep_first libkeep.so
"$CC" -O1 -DKEEP=keep_first -o "$scratch/main" "$scratch/main.c" -L"$scratch" -lkeep -Wl,-rpath,"$scratch"
MIMALLOC_PROFILE=$scratch/p MIMALLOC_PROFILE_RATE=4K LD_PRELOAD=$LIB "$scratch/main" >"$scratch/said" &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -rf "$scratch"' EXIT
until grep -q ready "$scratch/said"; do
    kill -0 "$pid" || fail "the program ended by itself"
    sleep 0.1
done
gcore -o "$scratch/core" "$pid" >/dev/null 2>&1
core=$scratch/core.$pid
# has FUNCTION TARGET, has_not FUNCTION TARGET
has() {
    "$TOOL" leaks "$2" >"$scratch/text" 2>"$scratch/err" || fail "leaks of $2: $(cat "$scratch/err")"
    grep -qF " $1 " "$scratch/text" || fail "no $1: $(cat "$scratch/text" "$scratch/err")"
}
has keep_first "$pid"
[ ! -s "$scratch/err" ] || fail "of a library that is the same: $(cat "$scratch/err")"
has keep_first "$core"
[ ! -s "$scratch/err" ] || fail "of a core file: $(cat "$scratch/err")"

# By another file of that name: a process's own is still there for root; a core file's is not, and that is said.
build other_name libnew.so
mv "$scratch/libnew.so" "$scratch/libkeep.so"
for target in "$pid" "$core"; do
    "$TOOL" leaks "$target" >"$scratch/text" 2>"$scratch/err" || fail "of a replaced library: $(cat "$scratch/err")"
    grep -q other_name "$scratch/text" && fail "another file's names are told of $target"
    grep -q ' keep_first ' "$scratch/text" ||
        grep -q 'libkeep\.so is another file by now: no names of it' "$scratch/err" || fail "nothing is said: $(cat "$scratch/err")"
done
grep -q 'libkeep\.so is another file by now' "$scratch/err" || fail "a core file has names of a file that is gone"

# ---- debuginfod: lines of a stripped library come from where DEBUGINFOD_URLS points to
if ! ls /usr/lib/*/libdebuginfod.so.1 >/dev/null 2>&1; then
    echo "SKIP: no libdebuginfod1"
    exit 0
fi
build keep_first libkeep.so
kill "$pid"
wait "$pid" 2>/dev/null || true
id=$(readelf -n "$scratch/libkeep.so" | sed -n 's/.*Build ID: //p')
mkdir -p "$scratch/store/buildid/$id"
objcopy --only-keep-debug "$scratch/libkeep.so" "$scratch/store/buildid/$id/debuginfo"
strip "$scratch/libkeep.so"
: >"$scratch/said"
MIMALLOC_PROFILE=$scratch/p MIMALLOC_PROFILE_RATE=4K LD_PRELOAD=$LIB "$scratch/main" >"$scratch/said" &
pid=$!
until grep -q ready "$scratch/said"; do
    kill -0 "$pid" || fail "the program ended by itself"
    sleep 0.1
done
DEBUGINFOD_URLS= "$TOOL" leaks "$pid" >"$scratch/text"
grep -q 'keep\.c:2' "$scratch/text" && fail "lines of a stripped library"
DEBUGINFOD_URLS=file://$scratch/store DEBUGINFOD_CACHE_PATH=$scratch/cache "$TOOL" leaks "$pid" >"$scratch/text"
grep -qE ' keep_first .*keep\.c:2$' "$scratch/text" || fail "no lines by debuginfod: $(cat "$scratch/text")"
echo "fine"
