#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Memory that options reserve at the start: it is used first, or it is said that there is none.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile small.c

# with "NAME=value ..." PROGRAM...: runs it preloaded; what it says goes to $scratch/err
with() {
    # shellcheck disable=SC2086
    env $1 LD_PRELOAD="$LIB" "${@:2}" 2>"$scratch/err" || {
        cat "$scratch/err" >&2
        fail "with $1: ${*:2}"
    }
}
# The committed memory that the statistics name, as a number and a unit.
committed() {
    sed -n 's/^  committed *\([0-9.]* [KMG]*i*B\) .*/\1/p' "$scratch/err"
}
with "MIMALLOC_RESERVE_OS_MEMORY=40M MIMALLOC_SHOW_STATS=1" "$scratch/small" >/dev/null
[[ $(committed) == "44.0 MiB" ]] || fail "40 MiB are not committed: $(committed)"
with "MIMALLOC_RESERVE_OS_MEMORY=64M MIMALLOC_DISALLOW_OS_ALLOC=1" ls -l /usr/bin >"$scratch/ours"
clean "$scratch/err"
ls -l /usr/bin | cmp -s - "$scratch/ours" || fail "another output of ls in reserved memory"
with "MIMALLOC_RESERVE_OS_MEMORY=900T" "$scratch/small" >/dev/null
grep -q "^mimalloc: warning: MIMALLOC_RESERVE_OS_MEMORY: .* can't be reserved" "$scratch/err" ||
    fail "900 TiB are reserved"
with "MIMALLOC_RESERVE_HUGE_OS_PAGES=2000" "$scratch/small" >/dev/null
grep -q "^mimalloc: warning: MIMALLOC_RESERVE_HUGE_OS_PAGES=2000: .*nr_hugepages" "$scratch/err" ||
    fail "2000 GiB of huge pages are reserved"
with "MIMALLOC_RESERVE_HUGE_OS_PAGES=2000 MIMALLOC_RESERVE_HUGE_OS_PAGES_AT=0" "$scratch/small" >/dev/null
[[ $(grep -c "nr_hugepages" "$scratch/err") == 1 ]] || fail "not one line about huge pages"
# A program that gets no more memory ends as it does without any.
if env MIMALLOC_DISALLOW_OS_ALLOC=1 LD_PRELOAD="$LIB" "${PYTHON:-python3}" -c 'x = bytearray(100 << 20)' \
    2>"$scratch/err"; then
    fail "100 MiB without the system"
fi
grep -q MemoryError "$scratch/err" || fail "python3 says nothing of memory"
echo "arenas: fine"
