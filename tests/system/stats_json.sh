#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mi_stats_get_json is JSON, as Python reads it, and its figures agree with each other.
. "$(dirname "$0")/common.bash"
python=${PYTHON:-/usr/bin/python3}
need "$python"

cat >"$scratch/stats.py" <<'END'
import ctypes
import json

library = ctypes.CDLL(None)
library.mi_stats_get_json.restype = ctypes.c_void_p
library.mi_free.argtypes = [ctypes.c_void_p]
kept = [bytes(i) for i in range(20000)]
text = library.mi_stats_get_json(0, None)
stats = json.loads(ctypes.string_at(text))
library.mi_free(text)

assert stats["stat_version"] == 5 and stats["mimalloc_version"] == 30403
assert stats["process"]["rss_current"] > 1 << 20
# Resident memory is not the same thing as memory made accessible.
assert stats["process"]["rss_current"] != stats["process"]["commit_current"]
assert len(stats["malloc_bins"]) == len(stats["page_bins"]) == 74 and len(stats["chunk_bins"]) == 6
assert [bin["bin"] for bin in stats["chunk_bins"]] == list("SXMLH ")
classes = stats["size_classes"]
assert sum(c["live"] for c in classes) == sum(b["current"] for b in stats["malloc_bins"])
assert sum(c["allocated"] for c in classes) == sum(b["total"] for b in stats["malloc_bins"])
assert sum(c["live_bytes"] for c in classes) == stats["malloc_requested"]["current"] > sum(map(len, kept))
assert sum(c["pages"] for c in classes) == stats["pages"]["current"]
assert stats["malloc_normal_count"] == sum(c["allocated"] for c in classes if c["block_size"])
assert stats["reserved"]["current"] >= stats["committed"]["current"] >= stats["page_committed"]["current"]
memory = stats["memory"]
assert list(memory) == ["live", "in_pages", "committed", "free", "purgeable", "metadata", "returned"]
assert memory["live"] == stats["malloc_requested"]["current"]
assert memory["in_pages"] == stats["page_committed"]["current"]
assert memory["committed"] == stats["committed"]["current"] >= memory["in_pages"] + memory["free"]
assert memory["free"] >= memory["purgeable"] and memory["metadata"] > 0
assert stats["threads"] == {"total": 1, "peak": 1, "current": 1}
print(len(stats), "members,", sum(c["live"] for c in classes), "live blocks")
END
PYTHONMALLOC=malloc preloaded "$python" "$scratch/stats.py"
