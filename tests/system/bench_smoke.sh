#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every benchmark program, with very little work: the same checksum with the library as with glibc's malloc.
# timeout: 180
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
PYTHON=${PYTHON:-python3}
need "$PYTHON" "${CXX:-c++}"
"$PYTHON" "$here/../../bench/run.py" --check --lib "$LIB" --build-dir "$scratch" --cc "$CC" --cxx "${CXX:-c++}" 2>"$scratch/err" || {
    tail -20 "$scratch/err" >&2
    fail "see above"
}

# A peer's settings are for its runs alone: with no memory at all it fails, and nobody else does.
"$PYTHON" "$here/../../bench/run.py" --check --peers glibc --lib "$LIB" --build-dir "$scratch" --cc "$CC" --cxx "${CXX:-c++}" \
    --with "tight=$LIB,MIMALLOC_MEMORY_LIMIT=64K" factor >"$scratch/out" 2>"$scratch/err" && fail "a limit without effect"
grep -qh '^factor: tight: ' "$scratch/out" "$scratch/err" || fail "$(cat "$scratch/out" "$scratch/err")"
! grep -qhE '^factor: (this|glibc): ' "$scratch/out" "$scratch/err" || fail "$(cat "$scratch/out" "$scratch/err")"
