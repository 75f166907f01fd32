# SPDX-License-Identifier: MIT
# Sourced by the scripts for Rust beside it: cargo without a network, on Debian's folder of crates.

# Debian's own first: it is what the crates in that folder are made for.
if [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ]; then
    CARGO=${CARGO:-/usr/bin/cargo} RUSTC=${RUSTC:-/usr/bin/rustc}
    [ ! -x /usr/bin/rustdoc ] || export RUSTDOC=${RUSTDOC:-/usr/bin/rustdoc}
else
    CARGO=${CARGO:-cargo} RUSTC=${RUSTC:-rustc}
fi
export RUSTC
command -v "$CARGO" >/dev/null || skip "no cargo"
crates=/usr/share/cargo/registry

# cargo_offline <verb> [arguments]
cargo_offline() {
    local verb=$1
    shift
    local replaced=()
    if [ -d "$crates" ]; then
        replaced=(--config 'source.crates-io.replace-with="debian"' --config "source.debian.directory=\"$crates\"")
    fi
    "$CARGO" "$verb" --offline "${replaced[@]}" "$@"
}
