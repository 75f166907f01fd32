#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a release consists of: the same bytes from two clones, sums that are right, a tarball with every file of the tree, a
# bill of materials that names each of them, notes that are the changelog's, and a single file that compiles.
. "$(dirname "$0")/common.bash"

git clone -q "$SOURCE_DIR" "$scratch/a clone" 2>/dev/null || skip "no repository"
cp "$SOURCE_DIR/tools/"*.py "$scratch/a clone/tools/"
git -C "$scratch/a clone" cat-file -e HEAD:tools/amalgamate.py 2>/dev/null || skip "HEAD is older than this test"
"$PYTHON" "$scratch/a clone/tools/release.py" "$scratch/one" >/dev/null
sleep 1.1
git clone -q "$scratch/a clone" "$scratch/another"
cp "$SOURCE_DIR/tools/"*.py "$scratch/another/tools/"
(umask 0077 && TZ=Asia/Tokyo "$PYTHON" "$scratch/another/tools/release.py" "$scratch/two" >/dev/null)
diff -r "$scratch/one" "$scratch/two"
cd "$scratch/one"
sha256sum --quiet -c SHA256SUMS
version=$(sed -n 's/^  VERSION \([0-9.]*\)$/\1/p' "$SOURCE_DIR/CMakeLists.txt")

tar -xf "mimalloc-$version.tar.gz"
(cd "mimalloc-$version" && find . -type f -o -type l) | sed 's|^\./||' | sort >"$scratch/packed"
git -C "$scratch/a clone" ls-files | sort | diff - "$scratch/packed"
"$PYTHON" - "mimalloc-$version.spdx.json" "mimalloc-$version" <<'END'
import hashlib, json, os, sys
bill = json.load(open(sys.argv[1], encoding="utf-8"))
for file in bill["files"]:
    with open(os.path.join(sys.argv[2], file["fileName"]), "rb") as data:
        assert file["checksums"][1]["checksumValue"] == hashlib.sha256(data.read()).hexdigest(), file
ids = [thing["SPDXID"] for thing in bill["files"] + bill["packages"]]
assert len(ids) == len(set(ids)) and all(r["relatedSpdxElement"] in ids for r in bill["relationships"])
print(f"{len(bill['files'])} files in the bill of materials")
END
test "$(wc -l <NOTES.md)" -gt 10
grep -q "^# mimalloc $version" NOTES.md
tar -xf "mimalloc-$version-single.tar.gz"
cc -DMI_OVERRIDE=1 -I"mimalloc-$version-single" -o probe "$scratch/probe.c" "mimalloc-$version-single/mimalloc.c" -pthread -ldl
try "the single file" ./probe
