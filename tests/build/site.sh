#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documentation site: made twice the same, every link and anchor leads somewhere, nothing comes from elsewhere; a page
# that no group names, or a link into nothing, is an error.
. "$(dirname "$0")/common.bash"
"$PYTHON" -c 'import markdown' 2>/dev/null || skip "no python3-markdown"

"$PYTHON" "$SOURCE_DIR/tools/gen_site.py" "$scratch/one"
(cd / && LC_ALL=C TZ=Asia/Tokyo PYTHONHASHSEED=7 "$PYTHON" "$SOURCE_DIR/tools/gen_site.py" "$scratch/two" >"$scratch/said")
diff -r "$scratch/one" "$scratch/two"
for page in index.html docs/command.html docs/decisions/index.html docs/mimalloc.html docs/design.svg; do
    test -s "$scratch/one/$page" || { echo "no $page"; exit 1; }
done
grep -q '<h2 id="against-the-peers">' "$scratch/one/index.html"
grep -q '<table>' "$scratch/one/docs/options.html"
if grep -rnE '<(script|link|img|iframe)[^>]*(src|href)="https?:' "$scratch/one"; then
    echo "the site loads something from elsewhere"
    exit 1
fi

mkdir "$scratch/copy"
cp -r "$SOURCE_DIR"/{src,include,docs,tools,packaging,bench,*.md} "$scratch/copy"
# refuses <what it must say>: the copy does not pass.
refuses() {
    if "$PYTHON" "$scratch/copy/tools/gen_site.py" "$scratch/three" >"$scratch/said" 2>&1; then
        echo "passed: $1"
        exit 1
    fi
    grep -qF "$1" "$scratch/said" || { cat "$scratch/said"; exit 1; }
}
echo "# Stray" >"$scratch/copy/docs/stray.md"
refuses "docs/stray.md is in no group"
rm "$scratch/copy/docs/stray.md"
echo "[there](docs/options.md#no-such-place)" >>"$scratch/copy/README.md"
refuses "index.html: docs/options.html#no-such-place: no such place there"
