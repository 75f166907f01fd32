#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The binary interface (functions, their parameters, public structures, sizes of what is exported) is that of
# tests/golden/abi.xml or has grown: `UPDATE=1 tests/build/abi.sh` writes the file. Needs abigail-tools.
. "$(dirname "$0")/common.bash"
command -v abidw >/dev/null || skip "no abidw"
[ "$(uname -m)" = x86_64 ] || skip "the golden dump is for x86-64"

"$PYTHON" "$SOURCE_DIR/tools/amalgamate.py" "$scratch/amalgam"
cd "$scratch"

# library <out> <folder with mimalloc.c>
library() {
    cc -g -O0 -fPIC -fvisibility=hidden -DMI_OVERRIDE=1 -DMI_SHARED=1 -shared -Wl,-soname,libmimalloc.so.3 \
        -Wl,--version-script="$SOURCE_DIR/cmake/exports.map" -o "$1" "$2/mimalloc.c" -pthread -ldl
}
dump=(abidw --no-corpus-path --no-comp-dir-path --no-show-locs --drop-private-types --no-elf-needed --exported-interfaces-only
    --headers-dir amalgam --no-architecture)
library now.so amalgam
"${dump[@]}" --out-file now.xml now.so
golden=$SOURCE_DIR/tests/golden/abi.xml
if [ -n "${UPDATE:-}" ]; then
    cp now.xml "$golden"
fi
# What tools read from outside has a version of its own; new options come before the end of their list.
cat >suppressed <<'END'
[suppress_variable]
  name = mi_descriptor
[suppress_type]
  type_kind = enum
  changed_enumerators = _mi_option_last, _mi_option_ours_last
END
# Additions are fine: bit 4 of the status says "changed", bit 8 "incompatible".
status=0
abidiff --no-added-syms --suppressions suppressed "$golden" now.xml >report || status=$?
if [ $((status & 9)) != 0 ] || { [ $((status & 4)) != 0 ] && grep -qE '\[C\]|\[D\]|Removed' report; }; then
    cat report
    exit 1
fi
echo "as in abi.xml: $(grep -c '<elf-symbol ' "$golden") symbols"

# The check sees what it is for: a parameter of another type, and a function that is gone.
mkdir worse
cp amalgam/*.[ch] worse
sed -i 's/bool mi_heap_check(const mi_heap_t \*heap)/bool mi_heap_check(const mi_heap_t *heap, int level)/' worse/mimalloc.h
sed -i 's/^mi_heap_check(const mi_heap_t \*heap)/mi_heap_check(const mi_heap_t *heap, int level)/; s/^mi_good_size(/mi_fine_size(/' worse/mimalloc.c
library worse.so worse 2>/dev/null
"${dump[@]}" --out-file worse.xml worse.so
if abidiff --no-added-syms "$golden" worse.xml >report; then
    echo "abidiff sees no difference where there are two"
    exit 1
fi
grep -q mi_good_size report && grep -q mi_heap_check report
echo "a changed parameter and a lost function are seen"
