#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example web server: built, loaded, with the same answers from the system's allocator, from the crate and preloaded;
# and what the crate's server held is given back.
# timeout: 900
. "$(dirname "$0")/common.bash"
. "$SOURCE_DIR/tools/cargo.bash"
has_cargo || skip "no cargo"
[ -d /usr/share/cargo/registry ] || skip "no folder of crates (Debian: librust-hyper-dev, librust-tokio-dev)"

web=$BUILD_DIR/rust-web
# Compiled sooner, as nothing is measured here.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1
bash "$SOURCE_DIR/examples/rust-web/build.sh" "$web"
(cd "$web/tree/examples/rust-web" && CARGO_TARGET_DIR=$web/target cargo_offline test --release --quiet --bin web-server) \
    >"$scratch/log" 2>&1 || { tail -n 40 "$scratch/log"; exit 1; }
grep "test result" "$scratch/log"

server=
stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server" || true; } 2>/dev/null
    server=
}
trap 'stop; rm -rf "$scratch"' EXIT

# start <library to preload, or none> <program>: the port is then in $port.
start() {
    stop
    MIMALLOC_VERBOSE=1 LD_PRELOAD=$1 "$web/$2" >"$scratch/address" 2>"$scratch/said" &
    server=$!
    for _ in $(seq 500); do
        port=$(sed -n 's/.*:\([0-9]*\)$/\1/p' "$scratch/address")
        [ -z "$port" ] || return 0
        sleep 0.02
    done
    echo "$2 does not listen"
    exit 1
}

# ask <method> <path>: the status and the answer.
ask() {
    "$PYTHON" - "$port" "$@" <<'END'
import http.client
import sys
port, method, path, *body = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
connection.request(method, path, *body)
response = connection.getresponse()
print(response.status, response.read().decode())
END
}

expect() {
    local wanted=$1 said
    shift
    said=$(ask "$@")
    case $said in $wanted) ;; *) echo "$*: $said, not $wanted"; exit 1 ;; esac
}

load() {
    "$web/web-load" --port "$port" --requests "$1" --connections 16 --documents 3000 --seconds 120
}

resident() {
    awk '/^Rss:/ {print $2}' "/proc/$server/smaps_rollup"
}

start "" web-server
system=$(load 3000)
echo "system's: $system"
expect '400 {"error":"no q"}' GET /search
expect '404 *' GET /elsewhere
expect '400 *' PUT /items/3 '{"a":'
expect '200 {"a":\[1,"é"\]}' PUT /items/3 '{ "a" : [1, "\u00e9"] }'
expect '200 {"a":\[1,"é"\],"b":null}' GET '/items/3?fields=a,b'

start "$BUILD_DIR/libmimalloc.so" web-server
grep "^mimalloc: active" "$scratch/said"
preloaded=$(load 3000)

start "" web-server-mimalloc
grep "^mimalloc: active" "$scratch/said"
expect '200 true' PUT '/budget?bytes=100000000'
ours=$(load 3000)
full=$(resident)
expect '200 true' PUT '/budget?bytes=0'
expect '200 {"bytes":0,"documents":0}' GET /health
for _ in $(seq 15); do
    load 160 >/dev/null
    sleep 0.1
done
empty=$(resident)
echo "the crate's: $full KiB with a full cache, $empty KiB with an empty one"
[ $((empty * 10)) -lt $((full * 8)) ] || { echo "nothing was given back"; exit 1; }

for other in "$preloaded" "$ours"; do
    [ "${other##*sum=}" = "${system##*sum=}" ] || { echo "other answers: $other"; exit 1; }
done
if "$web/web-load" --port 1 --requests 10 2>"$scratch/said"; then
    echo "no server, no complaint"
    exit 1
fi
cat "$scratch/said"
