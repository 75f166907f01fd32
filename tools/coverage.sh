#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which lines and branches the tests reach: unit, api, fault, the inputs kept for fuzzing, and those programs of stress that
# can be linked with the library, merged. The report is build/coverage/report/index.html. Unoptimized, so that a branch of an
# inline function counts once. LCOV_EXCL_LINE and LCOV_EXCL_BR_LINE mark what no test can reach while invariants hold; they
# are counted apart.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/coverage
mkdir -p "$out/report"
cc -O1 -c -o "$out/coverage_exit.o" tools/coverage_exit.c
cmake -S . -B "$out" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMI_BUILD_SHARED=OFF -DMI_BUILD_STATIC=OFF -DMI_BUILD_OBJECT=OFF -DMI_INSTALL=OFF \
    -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic" -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O0 -g -DNDEBUG" \
    -DCMAKE_CXX_FLAGS="--coverage" -DCMAKE_EXE_LINKER_FLAGS="-Wl,--wrap=_exit $PWD/$out/coverage_exit.o" >/dev/null
sources=$(basename -s .c tests/unit/test_*.c tests/api/test_*.c)
stress=(stress remote_frees tls_destructors heaps arenas profile)
faults=$(basename -s .c tests/fault/*.c | sed 's/^/fault-/')
# shellcheck disable=SC2086
cmake --build "$out" --parallel "$(nproc)" --target $sources $faults fuzz-operations fuzz-threads fuzz-options \
    "${stress[@]/#/stress-}" >"$out/build.log" ||
    { tail -n 20 "$out/build.log"; exit 1; }
find "$out" -name '*.gcda' -delete
# A test that fails here for being slow, or for what instrumentation costs, still counts.
stressed=$(IFS='|' && echo "${stress[*]}")
(cd "$out" && ctest --parallel "$(nproc)" --timeout 900 -E '^api\.(single|api_cpp|api_pmr|api_stl)$' \
    -R "^(unit|fault|api|fuzz)\.[a-z_0-9]*\$|^stress\.($stressed)\$" >ctest.log) || grep -E '^\s+[0-9]+ - ' "$out/ctest.log" || true
gcovr --root . --object-directory "$out" --filter src/ --exclude-unreachable-branches --exclude-throw-branches \
    --html-details "$out/report/index.html" --json-summary "$out/report/summary.json" "$out/tests"
python3 - "$out/report/summary.json" <<'END'
import json
import sys

LAYERS = ["base", "os", "arena", "page", "heap", "alloc", "front"]
with open(sys.argv[1], encoding="utf-8") as file:
    files = json.load(file)["files"]
for name, layers in [(layer, [layer]) for layer in LAYERS] + [("base to alloc", LAYERS[:-1])]:
    of = [one for one in files if one["filename"].split("/")[1] in layers]
    parts = [(plural, sum(one[what + "_covered"] for one in of), sum(one[what + "_total"] for one in of))
             for what, plural in (("line", "lines"), ("branch", "branches"))]
    print(f"{name:14}", "   ".join(f"{100 * got / all:.1f}% of {all} {what}" for what, got, all in parts))
END
echo "lines whose branches are marked as defence: $(grep -rE 'LCOV_EXCL_(BR_)?LINE' src | wc -l)"
