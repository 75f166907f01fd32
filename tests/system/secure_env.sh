#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A set-user-id program takes no options from the environment of whoever starts it.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
if [ "$(id -u)" != 0 ] || ! id nobody >/dev/null 2>&1; then
    echo "SKIP: only root can make a program that belongs to another user"
    exit 77
fi
chmod 755 "$scratch"
# Under any name the library is found by its own.
soname=$(objdump -p "$LIB" | awk '$1 == "SONAME" { print $2 }')
install -m 755 "$LIB" "$scratch/${soname:=libmimalloc.so}"
"$CC" -o "$scratch/program" "$here/secure_env.c" -Wl,--no-as-needed "$scratch/$soname" -Wl,-rpath,"$scratch"

run() {
    MIMALLOC_VERBOSE=1 MIMALLOC_SHOW_STATS=1 "$scratch/program" >"$scratch/out" 2>"$scratch/err"
}
run
grep -q '^secure 0' "$scratch/out" || fail "secure mode without the bit"
grep -q '^mimalloc: active' "$scratch/err" || fail "the library does not serve the program"
chown nobody "$scratch/program"
chmod 4755 "$scratch/program"
run
if ! grep -q '^secure 1' "$scratch/out"; then
    echo "SKIP: set-user-id has no effect in $scratch"
    exit 77
fi
[ ! -s "$scratch/err" ] || fail "options were taken: $(cat "$scratch/err")"
echo "secure_env: fine"
