# SPDX-License-Identifier: MIT
# common.bash — what the scripts here share. Each runs a real program with and without the library and compares.
#
#   LIB=build/libmimalloc.so tests/system/python3.sh
#
# LIB: the library. CC: the C compiler (cc). Exit status: 0 fine, 1 wrong, 77 the program is not installed.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LIB=$(realpath "${LIB:?the path of libmimalloc.so}")
CC=${CC:-cc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset LD_PRELOAD

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# need PROGRAM...: without it the test has nothing to say.
need() {
    local program
    for program in "$@"; do
        if ! command -v "$program" >/dev/null; then
            echo "SKIP: $program is not installed"
            exit 77
        fi
    done
}

# preloaded COMMAND...
preloaded() {
    LD_PRELOAD=$LIB "$@"
}

# compile NAME.c [FLAGS...]: the program $scratch/NAME from a file beside the scripts.
# Built-in functions are off, or the compiler drops pairs of malloc and free.
compile() {
    "$CC" -O1 -g -fno-builtin -o "$scratch/${1%.c}" "$here/$1" "${@:2}" -pthread -ldl
}

# clean FILE: what a program wrote to stderr holds no word of the loader or of the allocator.
clean() {
    if grep -E 'ld\.so|mimalloc' "$1" >&2; then
        fail "a message of the loader or the allocator"
    fi
}

# same COMMAND...: the same standard output and exit status with the library as without it. Standard input is given to both.
same() {
    local plain=0 ours=0
    cat >"$scratch/same.in" </dev/stdin
    "$@" <"$scratch/same.in" >"$scratch/plain.out" 2>"$scratch/plain.err" || plain=$?
    preloaded "$@" <"$scratch/same.in" >"$scratch/ours.out" 2>"$scratch/ours.err" || ours=$?
    clean "$scratch/ours.err"
    if [ "$plain" != "$ours" ]; then
        tail -20 "$scratch/ours.err" >&2
        fail "exit status $ours, not $plain: $*"
    fi
    if ! cmp -s "$scratch/plain.out" "$scratch/ours.out"; then
        diff "$scratch/plain.out" "$scratch/ours.out" | head -20 >&2 || true
        fail "another output: $*"
    fi
    [ -s "$scratch/plain.out" ] || fail "no output at all: $*"
    echo "same: $(wc -l <"$scratch/plain.out") lines: ${*:1:3}" | cut -c1-100
}

# active COMMAND...: the library says that it serves the program.
active() {
    MIMALLOC_VERBOSE=1 preloaded "$@" </dev/null >/dev/null 2>"$scratch/active.err" || fail "$* failed"
    grep -q '^mimalloc: active' "$scratch/active.err" || fail "the library does not serve $1"
}
