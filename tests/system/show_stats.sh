#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ls closes stderr before it exits: statistics must be printed all the same, and the line that says who serves.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"

# stderr_of VARIABLE=VALUE...: runs ls and leaves its stderr in $scratch/err; the output of ls itself must not change.
stderr_of() {
    env "$@" LD_PRELOAD="$LIB" ls -l /usr/bin >"$scratch/out" 2>"$scratch/err" || fail "ls with $*"
    cmp -s "$scratch/out" "$scratch/plain" || fail "another output with $*"
}
ls -l /usr/bin >"$scratch/plain"

stderr_of NOTHING=1
[ ! -s "$scratch/err" ] || fail "words without being asked: $(cat "$scratch/err")"

stderr_of MIMALLOC_VERBOSE=1
grep -q '^mimalloc: active' "$scratch/err" || fail "no line with MIMALLOC_VERBOSE=1: $(cat "$scratch/err")"
[ "$(grep -c '^mimalloc: active' "$scratch/err")" = 1 ] || fail "the line comes more than once"

stderr_of MIMALLOC_SHOW_STATS=1
[ "$(wc -l <"$scratch/err")" -ge 5 ] || fail "no table with MIMALLOC_SHOW_STATS=1: $(cat "$scratch/err")"
grep -q '[1-9]' "$scratch/err" || fail "a table without a figure"
cat "$scratch/err"

stderr_of MIMALLOC_SHOW_STATS=0 MIMALLOC_VERBOSE=0
[ ! -s "$scratch/err" ] || fail "words although switched off: $(cat "$scratch/err")"

# Asked for by the program itself, which then closes stderr.
cat >"$scratch/asks.c" <<'END'
#include <mimalloc.h>
#include <unistd.h>

int
main(void)
{
    mi_option_enable(mi_option_show_stats);
    close(2);
    return 0;
}
END
"$CC" -I"$SOURCE_DIR/include" -o "$scratch/asks" "$scratch/asks.c" "$LIB" -Wl,-rpath,"$(dirname "$LIB")"
"$scratch/asks" 2>"$scratch/err" || fail "a program that asks for statistics"
grep -q 'block size' "$scratch/err" || fail "no table by mi_option_enable: $(cat "$scratch/err")"

# A program that ends by _exit, by a signal or with stderr closed from the start must not be harmed.
MIMALLOC_SHOW_STATS=1 preloaded sh -c 'exec ls /' 2>&- >/dev/null || fail "ls with stderr closed"
MIMALLOC_SHOW_STATS=1 preloaded ls / >/dev/null 2>/dev/full || fail "ls with stderr full"
