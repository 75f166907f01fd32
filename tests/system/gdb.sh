#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gdb loads the library's script by itself, and its commands tell about blocks and pages of a live process and of its
# core file; without symbols, too.
. "$(dirname "$0")/common.bash"
need gdb gcore strip

compile outside.c
library=$scratch/$(basename "$LIB")
script=$(dirname "$LIB")/$(basename "$LIB")-gdb.py
[ -f "$script" ] || fail "there is no $script"
cp "$LIB" "$library"
strip --strip-all "$library"
cp "$script" "$library-gdb.py"

mkfifo "$scratch/in"
LD_PRELOAD=$library "$scratch/outside" <"$scratch/in" >"$scratch/told" &
pid=$!
exec 3>"$scratch/in"
trap 'kill $pid; rm -rf "$scratch"' EXIT
until grep -q '^end$' "$scratch/told"; do
    kill -0 "$pid" || fail "the program ended by itself"
    sleep 0.1
done
gcore -o "$scratch/core" "$pid" >"$scratch/gcore.out" 2>&1

small=$(awk '$2 < 5000 && NR % 100 == 7 { print; exit }' "$scratch/told")
large=$(awk '$2 > 65536 && NR % 100 > 7 { print; exit }' "$scratch/told")

# ask gdb's ARGUMENTS...: each command's lines are wanted from the process and from the core alike.
ask() {
    gdb -nx -batch -iex "set auto-load safe-path $scratch" "$@" \
        -ex "mimalloc heap" \
        -ex "mimalloc block ${small% *} + 1" -ex "mimalloc block ${large% *}" -ex "mimalloc page ${small% *}" \
        -ex "mimalloc block &main" -ex "mimalloc block" -ex "mimalloc page 8"
}

check() {
    local out=$1
    grep -qx "${small% *}: no page" "$out" && fail "$out: no page at ${small% *}"
    grep -q ": block ${small% *} + 1, ${small#* } bytes, live$" "$out" || fail "$out: the small block ${small} is not found"
    grep -q ": block ${large% *}, ${large#* } bytes, live$" "$out" || fail "$out: the large block ${large} is not found"
    grep -qE "^page 0x[0-9a-f]+: [0-9]+ blocks of ${small#* } bytes, [0-9]+ live, " "$out" || fail "$out: no page"
    grep -qE "  owner: thread $pid \(thread heap 0x[0-9a-f]+\)" "$out" || fail "$out: no owner"
    grep -qE "^0x[0-9a-f]+: not the allocator's$" "$out" || fail "$out: main is no block"
    grep -q "^Usage: mimalloc block ADDRESS$" "$out" || fail "$out: no usage"
    grep -qx "0x8: no page" "$out" || fail "$out: a page at 8"
    # As many bytes as the program has told of, and a little more.
    awk -v file="$out" '
        FNR == NR { if ($2 > 0) { blocks++ } next }
        $1 == "all" { seen = $3 }
        END { if (seen < blocks || seen > blocks + 40) { print "FAIL: " file ": " seen " blocks, not " blocks; exit 1 } }
    ' "$scratch/told" "$out"
}

ask -p "$pid" >"$scratch/process" 2>&1 || true
check "$scratch/process"
ask "$scratch/outside" "$scratch/core.$pid" >"$scratch/dumped" 2>&1 || true
check "$scratch/dumped"
gdb -nx -batch -iex "set auto-load safe-path /" -ex "source $script" -ex "mimalloc heap" "$scratch/outside" >"$scratch/none" 2>&1 || true
grep -q "^No libmimalloc in this process" "$scratch/none" || fail "gdb without a process says something else"
grep -E "^ +(16 B|all|larger)" "$scratch/process"
