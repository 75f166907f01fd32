#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# malloc and its like under their own names: edge cases, errno, and glibc's calls that look into the
# heap.
. "$(dirname "$0")/common.bash"
need "$CC" python3

compile libc_names.c -fno-builtin -Wno-deprecated-declarations
preloaded "$scratch/libc_names" "$scratch/info.xml" 2>"$scratch/stats" || fail "$(cat "$scratch/stats")"

python3 - "$scratch/info.xml" <<'END'
import sys
import xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "malloc" and root.get("version") == "1", root.attrib
rows = root.findall("heap/sizes/size")
assert rows, "no sizes"
for row in rows:
    begin, end = int(row.get("from")), int(row.get("to"))
    assert 0 < begin <= end, row.attrib
    assert int(row.get("total")) == int(row.get("count")) * end, row.attrib
    assert int(row.get("live")) <= int(row.get("allocated")), row.attrib
# The program holds 5000 blocks of 5000 bytes, and ten of two megabytes, while it writes this.
held = [row for row in rows if int(row.get("from")) <= 5000 <= int(row.get("to"))]
assert len(held) == 1 and int(held[0].get("live")) >= 5000, [row.attrib for row in held]
mapped = root.find("heap/total[@type='mmap']")
assert int(mapped.get("count")) >= 10 and int(mapped.get("size")) >= 20 << 20, mapped.attrib
current = int(root.find("system[@type='current']").get("size"))
assert current >= (20 << 20) + 5000 * 5000, current
END
echo "malloc_info: fine"
grep -q . "$scratch/stats" || fail "malloc_stats wrote nothing"
