#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Strict readers of OpenMetrics take the text, its figures agree with the statistics, and the file is renewed while the
# process runs, and whole at any time.
. "$(dirname "$0")/common.bash"
python=${PYTHON:-/usr/bin/python3}
need "$python"
"$python" -c "import prometheus_client" 2>/dev/null || { echo "SKIP: no python3-prometheus-client"; exit 77; }

cat >"$scratch/metrics.py" <<'END'
import ctypes
import json
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

library = ctypes.CDLL(None)
library.mi_stats_get_json.restype = ctypes.c_void_p
library.mi_free.argtypes = [ctypes.c_void_p]
pieces = []
gather = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)(lambda text, arg: pieces.append(text.decode()))
kept = [bytes(i) for i in range(20000)]
library.mi_metrics_print_out(gather, None)
text = library.mi_stats_get_json(0, None)
stats = json.loads(ctypes.string_at(text))
library.mi_free(text)

open(sys.argv[1], "w").write("".join(pieces))
families = {family.name: family for family in text_string_to_metric_families("".join(pieces))}
values = {name: [sample.value for sample in family.samples] for name, family in families.items()}
assert families["malloc_build_info"].samples[0].labels["version"] == "3.4.3"
assert all(family.documentation.endswith(".") for family in families.values())
def near(a, b, part):
    assert abs(a - b) <= part * b, (a, b)
near(values["malloc_allocated_bytes"][0], stats["malloc_requested"]["current"], 0.01)
near(values["malloc_active_bytes"][0], stats["page_committed"]["current"], 0.01)
near(values["malloc_committed_bytes"][0], stats["committed"]["current"], 0.1)
near(values["malloc_allocations"][0], stats["malloc_normal_count"] + stats["malloc_huge_count"], 0.01)
near(values["malloc_resident_bytes"][0], stats["process"]["rss_current"], 0.1)
near(values["malloc_fragmentation_ratio"][0], values["malloc_active_bytes"][0] / values["malloc_allocated_bytes"][0], 0.001)
assert values["malloc_allocations"][0] - values["malloc_frees"][0] == values["malloc_allocated_blocks"][0]
assert sum(values["malloc_errors"]) == 0 and len(values["malloc_errors"]) == 4
if len(sys.argv) > 2:
    live = sum(values["malloc_class_allocated_bytes"])
    assert live == values["malloc_allocated_bytes"][0], live
    assert sum(values["malloc_class_active_bytes"]) == values["malloc_active_bytes"][0]
print(len(families), "families")
END
PYTHONMALLOC=malloc preloaded "$python" "$scratch/metrics.py" "$scratch/text"
PYTHONMALLOC=malloc MIMALLOC_METRICS_CLASSES=1 preloaded "$python" "$scratch/metrics.py" "$scratch/text.classes" classes
if command -v promtool >/dev/null; then
    # It reads the older form, like node_exporter: # EOF and # UNIT are comments there.
    for text in "$scratch/text" "$scratch/text.classes"; do
        promtool check metrics <"$text" 2>"$scratch/promtool" || true
        grep -E 'error while|parsing error' "$scratch/promtool" && fail "promtool does not read it"
    done
fi

# The file: whole whenever somebody looks, and newer each second.
cat >"$scratch/busy.py" <<'END'
import time
end = time.time() + 3.5
while time.time() < end:
    kept = [bytes(i) for i in range(3000)]
END
env PYTHONMALLOC=malloc MIMALLOC_METRICS="$scratch/%p.prom" MIMALLOC_METRICS_INTERVAL=1 LD_PRELOAD="$LIB" \
    "$python" "$scratch/busy.py" &
pid=$!
seen=0
while kill -0 "$pid" 2>/dev/null; do
    if [ -f "$scratch/$pid.prom" ]; then
        cp "$scratch/$pid.prom" "$scratch/copy"
        [ "$(tail -1 "$scratch/copy")" = "# EOF" ] || fail "a file that is not whole"
        grep '^malloc_allocations_total ' "$scratch/copy" >>"$scratch/counts"
        seen=$((seen + 1))
    fi
    sleep 0.02
done
wait "$pid" || fail "the program failed"
[ "$(uniq "$scratch/counts" | wc -l)" -ge 3 ] || fail "the file is not renewed: $(uniq "$scratch/counts")"
sort -c -n -k 2 "$scratch/counts" || fail "a counter went down"
[ "$(ls "$scratch" | grep -c '\.new$')" = 0 ] || fail "a temporary file is left"
"$python" -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(len(list(text_string_to_metric_families(open(sys.argv[1]).read()))), "families in the file")' "$scratch/$pid.prom"
echo "read $seen times, $(uniq "$scratch/counts" | wc -l) of them new"
