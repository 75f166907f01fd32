#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Little address space, little data, a small stack: programs still run, and running out is told to them.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile limits.c

# under LIMIT VALUE COMMAND...
under() {
    (ulimit "$1" "$2" && LD_PRELOAD=$LIB "${@:3}" 2>"$scratch/err") || {
        cat "$scratch/err" >&2
        fail "with ulimit $1 $2: ${*:3}"
    }
    clean "$scratch/err"
}
ls -l /usr/bin >"$scratch/plain"
for kib in 2000000 500000 100000; do
    under -v "$kib" "$scratch/limits" 5
    under -v "$kib" ls -l /usr/bin >"$scratch/ours"
    cmp -s "$scratch/plain" "$scratch/ours" || fail "another output of ls with ulimit -v $kib"
done
under -v 2000000 "$scratch/limits" exhaust
under -v 300000 "$scratch/limits" exhaust
under -d 400000 "$scratch/limits" 20
under -d 400000 "$scratch/limits" exhaust
under -s 256 "$scratch/limits" 20
"$scratch/limits" lock || fail "mlockall without the library"
LD_PRELOAD=$LIB "$scratch/limits" lock || fail "mlockall"
if command -v "${PYTHON:-python3}" >/dev/null; then
    under -v 2000000 "${PYTHON:-python3}" -c 'import json; print(len(json.dumps(list(range(100000)))))'
fi
echo "limits: fine"
