#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build.sh <folder>: builds the server with the system's allocator (web-server), with this repository's
# (web-server-mimalloc), and the program that loads them (web-load) into the folder.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
# shellcheck source=../../tools/cargo.bash
. "$(dirname "$0")/../../tools/cargo.bash"
has_cargo || { echo "build.sh: no cargo (Debian: cargo, librust-hyper-dev, librust-tokio-dev)" >&2; exit 1; }

copy_of_crates "$folder/tree" examples/rust-web
cd "$folder/tree/examples/rust-web"
export CARGO_TARGET_DIR=$folder/target
cargo_offline build --release --quiet
cp "$CARGO_TARGET_DIR/release/web-server" "$CARGO_TARGET_DIR/release/web-load" "$folder"
cargo_offline build --release --quiet --features mimalloc --bin web-server
cp "$CARGO_TARGET_DIR/release/web-server" "$folder/web-server-mimalloc"
