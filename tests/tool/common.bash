# SPDX-License-Identifier: MIT
# common.bash — what the scripts here share, on top of those of tests/system.
#
#   LIB=build/libmimalloc.so TOOL=build/tool/mimalloc tests/tool/map.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/common.bash"
TOOL=$(realpath "${TOOL:?the path of the command mimalloc}")
python=${PYTHON:-/usr/bin/python3}

# refused STATUS TEXT COMMAND...: it ends so, with one line that holds the text.
refused() {
    local status=0
    "${@:3}" >"$scratch/refused.out" 2>"$scratch/refused.err" || status=$?
    [ "$status" = "$1" ] || fail "exit status $status, not $1: ${*:3}"
    grep -qF -- "$2" "$scratch/refused.err" || fail "\"$(head -1 "$scratch/refused.err")\" does not say \"$2\": ${*:3}"
    [ "$(grep -c . "$scratch/refused.err")" -le "${LINES_MAX:-1}" ] || fail "more than a line: ${*:3}"
}

# says TEXT COMMAND...
says() {
    "${@:2}" >"$scratch/says.out" 2>"$scratch/says.err" || fail "exit status $?: ${*:2}: $(cat "$scratch/says.err")"
    grep -qF -- "$1" "$scratch/says.out" || fail "\"$(head -1 "$scratch/says.out")\" does not say \"$1\": ${*:2}"
}

# json FILE EXPRESSION: it is JSON, and the expression of Python on `j` is true.
json() {
    "$python" -c 'import json, sys
j = json.load(open(sys.argv[1]))
if not eval(sys.argv[2]):
    sys.exit("FAIL: not so: " + sys.argv[2] + " of " + str(j)[:400])' "$1" "$2"
}

# The program of tests/system/outside.c under the library: $pid, and $scratch/told has its blocks.
begin_outside() {
    compile outside.c
    mkfifo "$scratch/in"
    # A guarded block is seen as the block that is kept for it, elsewhere.
    MIMALLOC_GUARDED_SAMPLE_RATE=0 LD_PRELOAD=$LIB "$scratch/outside" <"$scratch/in" >"$scratch/told" &
    pid=$!
    exec 3>"$scratch/in"
    trap 'kill $pid 2>/dev/null || true; rm -rf "$scratch"' EXIT
    until grep -q '^end$' "$scratch/told"; do
        kill -0 "$pid" || fail "the program ended by itself"
        sleep 0.1
    done
    sed -i '/^end$/d' "$scratch/told"
}
