#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The reference that is made from the headers: every public name has its place in it, links lead somewhere, manual
# pages are in order, and all of it is installed.
. "$(dirname "$0")/common.bash"

made=$BUILD_DIR/docs
"$CMAKE" --build "$BUILD_DIR" --target docs >/dev/null
man=$made/man/man3

# Every function that the library exports and a header declares.
for name in $(grep '^mi_' "$SOURCE_DIR/tests/golden/exports.txt"); do
    grep -qE "\b$name\(" "$SOURCE_DIR"/include/*.h || continue
    grep -q "id=\"$name\"" "$made/mimalloc.html" || { echo "no place for $name in mimalloc.html"; exit 1; }
    test -s "$man/$name.3" || { echo "no manual page for $name"; exit 1; }
    grep -q "^\.Nm $name\b" "$man/$name.3" || { echo "$name.3 is the page of something else"; exit 1; }
done
for name in mi_malloc mi_free mi_stl_allocator mi_option_t MI_SMALL_SIZE_MAX mi_malloc_tp mimalloc mimalloc-override; do
    test -s "$man/$name.3" || { echo "no manual page for $name"; exit 1; }
done
# malloc(3) is the system's.
test ! -e "$man/malloc.3"

# No link into nothing, no place twice, nothing from elsewhere.
"$PYTHON" - "$made/mimalloc.html" <<'END_PYTHON'
import html.parser, sys

class Page(html.parser.HTMLParser):
    ids, links, open_tags = [], [], []
    VOID = {"meta", "input", "br", "link"}

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "src"):
                self.links.append(value)
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open_tags and self.open_tags[-1] == tag, f"</{tag}> in {self.open_tags[-3:]}, line {self.getpos()}"
        self.open_tags.pop()

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
assert not page.open_tags, page.open_tags
twice = {name for name in page.ids if page.ids.count(name) > 1}
assert not twice, f"places twice: {twice}"
lost = {link for link in page.links if link != "#" and link[1:] not in page.ids}
assert not lost, f"links into nothing: {lost}"
assert len(page.ids) > 100, len(page.ids)
print(f"mimalloc.html: {len(page.ids)} places, {len(page.links)} links")
END_PYTHON

if command -v mandoc >/dev/null; then
    # It knows no other pages of ours, nor has it a database of the system's.
    find "$man" -type f | while read -r page; do mandoc -T lint "$page" || true; done >"$scratch/lint" 2>/dev/null
    if grep -vE 'referenced manual not found|mandoc\.db' "$scratch/lint"; then
        exit 1
    fi
    echo "fine: mandoc"
fi

"$CMAKE" --install "$BUILD_DIR" --prefix "$scratch/tree" >/dev/null
page=$(find "$scratch/tree" -name mi_calloc.3)
test "$(find "$scratch/tree" -name mimalloc.html | wc -l)" = 1
if command -v man >/dev/null; then
    MANWIDTH=80 man -M "$(dirname "$(dirname "$page")")" mi_calloc >"$scratch/page" 2>/dev/null
    grep -q "WHAT HOLDS FOR ALL FUNCTIONS" "$scratch/page"
    echo "fine: man mi_calloc"
fi
