# SPDX-License-Identifier: MIT
# cargo.bash — sourced by scripts that build Rust: cargo without a network, on Debian's folder of crates.
#
# CARGO, RUSTC: which ones. Without them Debian's own, for which that folder is made, else those of the PATH.
if [ -z "${CARGO:-}" ] && [ -z "${RUSTC:-}" ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ]; then
    CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc
    [ ! -x /usr/bin/rustdoc ] || export RUSTDOC=/usr/bin/rustdoc
fi
CARGO=${CARGO:-cargo} RUSTC=${RUSTC:-rustc}
export CARGO RUSTC

has_cargo() {
    command -v "$CARGO" >/dev/null && command -v "$RUSTC" >/dev/null
}

# cargo_offline <verb> [arguments]
cargo_offline() {
    local verb=$1 crates=/usr/share/cargo/registry
    shift
    local replaced=()
    if [ -d "$crates" ]; then
        replaced=(--config 'source.crates-io.replace-with="debian"' --config "source.debian.directory=\"$crates\"")
    fi
    "$CARGO" "$verb" --offline "${replaced[@]}" "$@"
}

# copy_of_crates <folder> [more paths]: what the crates are made of, below a folder, since cargo writes beside what it
# builds. Links stay links, and unchanged files keep their times.
copy_of_crates() {
    local root folder=$1
    shift
    root=$(dirname "${BASH_SOURCE[0]}")/..
    rm -rf "$folder"
    mkdir -p "$folder"
    tar -c -C "$root" --exclude=target --exclude=Cargo.lock rust src include cmake LICENSE "$@" | tar -x -C "$folder"
}
