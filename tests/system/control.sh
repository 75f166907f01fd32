#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mallinfo, mallinfo2, malloc_info, malloc_trim, malloc_stats, mallopt: ours answer, and what they say is true.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile control.c
"$scratch/control" "$scratch/info.plain" 2>"$scratch/err" || {
    cat "$scratch/err" >&2
    fail "without the library"
}
preloaded "$scratch/control" "$scratch/info.xml" 2>"$scratch/err" || {
    cat "$scratch/err" >&2
    fail "with the library"
}
grep -q '<malloc version=' "$scratch/info.xml" || fail "malloc_info: $(head -3 "$scratch/info.xml")"
grep -q '</malloc>' "$scratch/info.xml" || fail "malloc_info is cut short"
[ -s "$scratch/err" ] || fail "malloc_stats prints nothing"
if command -v "${PYTHON:-python3}" >/dev/null; then
    "${PYTHON:-python3}" -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$scratch/info.xml" || fail "malloc_info is no XML"
fi
