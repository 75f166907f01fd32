#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The verbs that look at processes, on a server under load, on a Rust program, and where they cannot look.
# timeout: 600
. "$(dirname "$0")/common.bash"
need "$python" redis-server redis-benchmark gcore

children=()
trap 'kill "${children[@]}" 2>/dev/null || true; rm -rf "$scratch"' EXIT
verbs=(profile leaks map top metrics doctor)
# each VERB PID FILE: what a verb says of a process in which all works.
each() {
    case $1 in
        profile | leaks) "$TOOL" "$1" -s 1 --json "$2" ;;
        top) "$TOOL" top -d 0.3 --json "$2" ;;
        *) "$TOOL" "$1" --json "$2" ;;
    esac >"$3" || fail "$1 of process $2"
}

# ---- redis under load: all that it holds is seen, and it answers on
MIMALLOC_PROFILE_RATE=16K LD_PRELOAD=$LIB redis-server --port 0 --unixsocket "$scratch/socket" --save "" --appendonly no >/dev/null &
server=$!
children+=("$server")
until redis-cli -s "$scratch/socket" ping >"$scratch/pong" 2>&1 && grep -q PONG "$scratch/pong"; do
    kill -0 "$server" || fail "redis-server ended by itself"
    sleep 0.1
done
redis-benchmark -s "$scratch/socket" -n 100000000 -r 50000 -d 500 -t set -q >/dev/null 2>&1 &
load=$!
children+=("$load")
held() { redis-cli -s "$scratch/socket" info memory | tr -d '\r' | sed -n 's/^used_memory://p'; }
until [ "$(held)" -gt 20000000 ]; do
    kill -0 "$load" || fail "redis-benchmark ended by itself"
    sleep 0.2
done
for verb in "${verbs[@]}"; do
    each "$verb" "$server" "$scratch/$verb"
done
json "$scratch/profile" 'j["totals"]["alloc_space"] > 0 and j["stacks"]'
json "$scratch/leaks" 'j["totals"]["inuse_space"] > 0'
json "$scratch/map" '15_000_000 < j["live_bytes"] <= j["page_bytes"] < j["committed_bytes"]'
json "$scratch/top" 'j["processes"][0]["allocations_per_second"] > 100 and j["processes"][0]["live_bytes"] > 15_000_000'
json "$scratch/metrics" 'j["allocated_bytes"] > 15_000_000 and j["allocation_count"] > j["allocated_blocks"]'
json "$scratch/doctor" 'j["active"] and j["allocated_bytes"] > 15_000_000'
"$TOOL" map -o "$scratch/map.html" "$server"
[ "$(stat -c %s "$scratch/map.html")" -lt $((5 << 20)) ] || fail "a large page"
redis-cli -s "$scratch/socket" ping >"$scratch/pong"
grep -q PONG "$scratch/pong" || fail "the server does not answer any more"
kill "$load"
wait "$load" 2>/dev/null || true

# ---- Rust: names as the source has them, and lines, in both ways in which compilers have written them
if command -v rustc >/dev/null; then
    cat >"$scratch/keeper.rs" <<'END'
mod store {
    pub struct Shelf<T> { kept: Vec<T> }
    impl<T> Shelf<T> {
        pub fn new() -> Self { Shelf { kept: Vec::new() } }
        #[inline(never)]
        pub fn keep<F: Fn(usize) -> T>(&mut self, make: F) { let at = self.kept.len(); self.kept.push(make(at)); }
    }
}
fn main() {
    let mut shelf = store::Shelf::<Box<[u8]>>::new();
    loop {
        for _ in 0..100 { shelf.keep(|at| vec![at as u8; 1000].into_boxed_slice()); }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
END
    for way in v0 legacy; do
        rustc -g -O -C symbol-mangling-version=$way -o "$scratch/keeper-$way" "$scratch/keeper.rs" 2>"$scratch/err" ||
            RUSTC_BOOTSTRAP=1 rustc -g -O -Z unstable-options -C symbol-mangling-version=$way -o "$scratch/keeper-$way" "$scratch/keeper.rs" 2>"$scratch/err" ||
            fail "rustc: $(cat "$scratch/err")"
        MIMALLOC_PROFILE_RATE=4K LD_PRELOAD=$LIB "$scratch/keeper-$way" &
        keeper=$!
        children+=("$keeper")
        sleep 0.5
        for verb in "${verbs[@]}"; do
            each "$verb" "$keeper" "$scratch/$verb"
        done
        "$python" - "$scratch/leaks" <<'END'
import json, sys
j = json.load(open(sys.argv[1]))
frames = [[(f["function"], f["file"] or "", f["line"]) for f in s["frames"]] for s in j["stacks"]]
names = {name for stack in frames for name, _, _ in stack}
assert not any(name.startswith("_R") or "$" in name for name in names), names
keeps = lambda name: "store::Shelf<" in name and "::keep" in name
kept = sum(s["inuse_space"] for s, stack in zip(j["stacks"], frames) if any(keeps(name) for name, _, _ in stack))
assert kept > 0.9 * j["totals"]["inuse_space"] > 0, names
assert any(file.endswith("keeper.rs") and line == 12 for stack in frames for _, file, line in stack), frames
END
        json "$scratch/map" 'j["live_bytes"] > 100_000'
        kill "$keeper"
    done
fi

# ---- where nothing can be seen: one line
LD_PRELOAD=$LIB "$python" -c 'import time; time.sleep(600)' &
sleeper=$!
children+=("$sleeper")
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -1)
env ${jemalloc:+LD_PRELOAD="$jemalloc"} "$python" -c 'import time; time.sleep(600)' &
other=$!
children+=("$other")
LD_PRELOAD=$LIB "$python" -c 'import time; time.sleep(600)' &
ended=$!
sleep 1
gcore -o "$scratch/core" "$sleeper" >/dev/null 2>&1
head -c $(($(stat -c %s "$scratch/core.$sleeper") / 4)) "$scratch/core.$sleeper" >"$scratch/cut"
kill "$ended"
wait "$ended" 2>/dev/null || true
cp "$TOOL" "$scratch/tool"
chmod 755 "$scratch" "$scratch/tool"
for verb in profile leaks map top metrics; do
    refused 1 "it has no libmimalloc" "$TOOL" "$verb" "$other"
    refused 1 "there is no process $ended" "$TOOL" "$verb" "$ended"
    if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
        refused 1 "another user's" setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/tool" "$verb" "$sleeper"
    fi
    if [ "$verb" != top ]; then
        status=0
        "$TOOL" "$verb" "$scratch/cut" >"$scratch/out" 2>"$scratch/err" || status=$?
        [ "$status" -le 1 ] && grep -qE 'cut off|no profile' "$scratch/err" ||
            fail "$verb of a core file that is cut off: $status, $(cat "$scratch/err")"
    fi
done
echo "fine"
