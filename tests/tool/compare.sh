#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# serial: yes
# mimalloc compare: tells copies of one library from one that is slower and larger, and says so in words.
. "$(dirname "$0")/common.bash"
need "$python"

cat >"$scratch/work.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static char *kept[1000];
    for (int i = 0; i < 300000; i++) {
        free(kept[i % 1000]);
        kept[i % 1000] = malloc(1000);
        memset(kept[i % 1000], 1, 1000);
    }
    return 0;
}
END
"$CC" -O1 -fno-builtin -o "$scratch/work" "$scratch/work.c"
# A library that takes 60 MB and 30 ms more.
"$CC" -shared -fPIC -O0 -x c -o "$scratch/libheavy.so" - <<'END'
#include <string.h>
#include <sys/mman.h>
__attribute__((constructor)) static void start(void)
{
    char *p = mmap(0, 60 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++) {
        memset(p, i, 60 << 20);
    }
}
END
cp "$LIB" "$scratch/libcopy.so"
"$TOOL" compare -n 8 --with="$scratch/libheavy.so,glibc" --json -- "$scratch/work" >"$scratch/json"
json "$scratch/json" 'j["runs"] == 8 and [a["name"] for a in j["allocators"]][0::2] == ["mimalloc", "glibc"]'
json "$scratch/json" 'j["allocators"][1]["peak"]["differs"] and j["allocators"][1]["peak"]["first_is_more_by"] < -0.5'
json "$scratch/json" 'all(a["wall"]["mean"] > 0 and a["wall"]["half_interval"] >= 0 for a in j["allocators"])'
json "$scratch/json" 'abs(j["allocators"][1]["peak"]["mean"] - 60) < 15'
"$TOOL" compare -n 6 --with="$scratch/libheavy.so" "$scratch/work" >"$scratch/text"
grep -qE 'mimalloc against .*libheavy.so: .*% less memory at the peak \(± ' "$scratch/text" || fail "no verdict: $(tail -1 "$scratch/text")"
"$TOOL" compare -n 3 --with=glibc --csv "$scratch/work" >"$scratch/csv"
[ "$(wc -l <"$scratch/csv")" = 7 ] || fail "not a line a run: $(cat "$scratch/csv")"
head -1 "$scratch/csv" | grep -x 'allocator,run,wall,user,system,peak,final,faults,switches' >/dev/null || fail "no head"
# Of two copies, user time is found to differ once in twenty (compare_copies.sh counts); seven times in ten not by chance.
differs=0
for i in $(seq 10); do
    "$TOOL" compare -n 5 --with="$scratch/libcopy.so" --json "$scratch/work" >"$scratch/json"
    if json "$scratch/json" 'j["allocators"][1]["user"]["differs"]' 2>/dev/null; then
        differs=$((differs + 1))
    fi
done
[ "$differs" -le 6 ] || fail "two copies of one library differ $differs times of 10"
# A page, and a server under load.
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$scratch/server.py" <<'END'
import http.server, sys
kept = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kept.append(bytearray(100000))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END
load="$python -c 'import urllib.request as u; [u.urlopen(\"http://127.0.0.1:$port/\").read() for i in range(50)]'"
"$TOOL" compare -n 2 --with=glibc --ready "http://127.0.0.1:$port/" --load "$load" -o "$scratch/page.html" --json -- \
    "$python" "$scratch/server.py" "$port" >"$scratch/json"
json "$scratch/json" 'all(5 < a["final"]["mean"] < a["peak"]["mean"] * 1.01 and a["wall"]["mean"] > 0 for a in j["allocators"])'
json "$scratch/json" 'all(len(a[m["name"]]["runs"]) == 2 for a in j["allocators"] for m in j["measures"])'
"$python" -c 'import json, re, sys
page = open(sys.argv[1]).read()
data = json.loads(re.search(r"const data = (\{.*?\n\})\n;", page, re.DOTALL).group(1))
assert [a["name"] for a in data["allocators"]] == ["mimalloc", "glibc"]' "$scratch/page.html"
"$TOOL" compare -n 2 --with=glibc --ready "$port" --load true -- "$python" "$scratch/server.py" "$port" >"$scratch/text"
grep -q 'final MiB' "$scratch/text" || fail "no memory at the end: $(cat "$scratch/text")"
refused 1 "ended before it was ready" "$TOOL" compare -n 2 --with=glibc --ready "$port" --load true -- true
refused 1 "the load failed" "$TOOL" compare -n 2 --with=glibc --ready "$port" --load false -- "$python" "$scratch/server.py" "$port"
refused 2 "belong together" "$TOOL" compare -n 2 --ready 1 -- true
refused 2 "a port or http" "$TOOL" compare -n 2 --ready x --load true -- true
refused 1 "cannot be written" "$TOOL" compare -n 2 --with=glibc -o /nowhere/p.html -- true
refused 1 "ended with status 3" "$TOOL" compare -n 2 --with=glibc sh -c 'exit 3'
refused 1 "was ended by signal 9" "$TOOL" compare -n 2 --with=glibc sh -c 'kill -9 $$'
refused 1 "there is no such program" "$TOOL" compare nothing-of-this-name
refused 2 "no such allocator" "$TOOL" compare --with=nothing true
refused 2 "is no library" "$TOOL" compare --with=/nowhere/lib.so true
refused 2 "from 2 to 1000" "$TOOL" compare -n 1 true
LINES_MAX=3 refused 2 "compare needs a program" "$TOOL" compare
"$CC" -x c -static -o "$scratch/static" - <<'END'
int main(void) { return 0; }
END
refused 1 "is linked statically" "$TOOL" compare "$scratch/static"
says "Examples:" "$TOOL" compare --help
echo "two copies differ $differs times of 10"
