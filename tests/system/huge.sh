#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Huge pages: none, as the system does, asked for, and of the system's pool; no more memory for them than the
# options say.
# serial: yes
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
[ -r /proc/self/smaps ] || { echo "SKIP: no /proc/self/smaps" && exit 77; }
compile huge.c
mib=128
# Guarded blocks cut mappings into more.
export MIMALLOC_GUARDED_SAMPLE_RATE=0

# figure WHEN NAME: from the last run.
figure() {
    sed -n "s/^$1 .*\b$2 \([0-9]*\).*/\1/p" "$scratch/out"
}

# with VARIABLE=VALUE...
with() {
    env "$@" LD_PRELOAD="$LIB" "$scratch/huge" "$mib" >"$scratch/out" || fail "huge with $*"
    echo "$*:" && cat "$scratch/out"
}

with MIMALLOC_ALLOW_THP=1
plain=$(figure full resident)
[ "$(figure full wanted)" = 0 ] && [ "$(figure full unwanted)" = 0 ] || fail "marks that nobody asked for"

with MIMALLOC_ALLOW_THP=0
[ "$(figure full wanted)" = 0 ] && [ "$(figure full unwanted)" -ge 3 ] || fail "no mark against huge pages"
[ "$(figure full transparent)" = 0 ] || fail "huge pages although there should be none"
[ "$(figure full resident)" -le $((plain + 2048)) ] || fail "more memory without huge pages"

with MIMALLOC_ALLOW_THP=2
if grep -qs '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled || [ ! -e /sys/kernel/mm/transparent_hugepage ]; then
    echo "no transparent huge pages on this system: only the marks were looked at"
else
    [ "$(figure full transparent)" -ge $((mib * 1024 / 2)) ] || fail "hardly any huge pages although asked for"
fi
[ "$(figure full wanted)" = 1 ] || fail "not one mapping for huge pages"
# Ranges of 2 MiB that are touched are resident as a whole: the last one may be so for one byte.
[ "$(figure full resident)" -le $((plain + 2 * 2048)) ] || fail "more memory than the ranges in use"
[ "$(figure trimmed resident)" -le 8192 ] || fail "huge pages stay"
mib=8
with MIMALLOC_ALLOW_THP=2
[ "$(figure full transparent)" = 0 ] || fail "huge pages for a small process"
mib=128

# The pool: filled for the test where that is allowed and it is empty, and only then.
pages=/proc/sys/vm/nr_hugepages
if [ "$(cat $pages)" = 0 ] && echo 40 2>/dev/null >$pages; then
    trap 'echo 0 >$pages; rm -rf "$scratch"' EXIT
    had=$(cat $pages)
    with MIMALLOC_ALLOW_LARGE_OS_PAGES=1
    echo 0 >$pages
    [ "$had" -lt 32 ] || [ "$(figure full pool)" -ge 65536 ] || fail "the pool of $had pages is not used"
    [ "$(figure full pool)" -le $((had * 2048)) ] || fail "more than the pool"
    [ $(($(figure full pool) + $(figure full resident))) -le $((plain + 4096)) ] || fail "more memory by the pool"
else
    echo "the pool of huge pages is in use or can't be filled here: not tested"
fi
with MIMALLOC_ALLOW_LARGE_OS_PAGES=1
[ "$(figure full resident)" -le $((plain + 4096)) ] || fail "more memory without a pool"
