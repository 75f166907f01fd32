// SPDX-License-Identifier: MIT
//! Compiles the library with the C compiler at hand, and writes its declarations from its headers.
//!
//! It needs no other crate: a compiler, and the `ar` that belongs to it. Environment, each also
//! with the target's name after it (`CC_aarch64_unknown_linux_gnu`): `CC`, `CFLAGS`, `AR`.
mod bindings;
mod compiler;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use compiler::{Settings, Toolchain};

/// What a global allocator calls; the other functions come with the feature `extended`.
const BASE: &[&str] = &[
    "mi_malloc",
    "mi_zalloc",
    "mi_realloc",
    "mi_free",
    "mi_malloc_aligned",
    "mi_zalloc_aligned",
    "mi_realloc_aligned",
    "mi_free_size",
    "mi_free_size_aligned",
];

/// What a header with declarations of C has; the others are for C++, or define macros alone.
const DECLARES: &str = "extern \"C\" {";

/// Of a header that is for tools which read a process from outside.
const FOR_TOOLS: &str = "extern const mi_descriptor_t";

pub type Outcome<T> = Result<T, String>;

fn main() {
    if let Err(message) = build() {
        eprintln!("libmimalloc-sys: {}", message);
        process::exit(1);
    }
}

fn build() -> Outcome<()> {
    let c_src = fs::canonicalize(Path::new(&variable("CARGO_MANIFEST_DIR")?).join("c_src"))
        .map_err(|e| format!("no c_src: {}", e))?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    for name in ["src", "include", "sources.cmake"] {
        // A link is followed here: cargo looks at the files behind it.
        let path = fs::canonicalize(c_src.join(name)).map_err(|e| format!("no c_src/{}: {}", name, e))?;
        println!("cargo:rerun-if-changed={}", path.display());
    }
    println!("cargo:rerun-if-changed=build");

    let include = c_src.join("include");
    write_bindings(&include, &out)?;

    let settings = settings()?;
    let sources = compiler::sources(&c_src, &settings)?;
    Toolchain::find(&settings)?.build(&c_src, &sources, &settings, &out)?;
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=mimalloc");
    println!("cargo:INCLUDE_DIR={}", include.display());
    Ok(())
}

fn write_bindings(include: &Path, out: &Path) -> Outcome<()> {
    let mut headers: Vec<PathBuf> = fs::read_dir(include)
        .map_err(|e| format!("{}: {}", include.display(), e))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().map_or(false, |e| e == "h"))
        .collect();
    // mimalloc.h first: the others use its types.
    headers.sort_by_key(|path| path.file_stem().map(|name| name.to_owned()));
    let mut text = String::new();
    for header in &headers {
        let read = fs::read_to_string(header).map_err(|e| format!("{}: {}", header.display(), e))?;
        if read.contains(DECLARES) && !read.contains(FOR_TOOLS) {
            text += &read;
        }
    }
    let (base, extended) = bindings::translate(&text, BASE)?;
    for (name, text) in [("base.rs", base), ("extended.rs", extended)] {
        fs::write(out.join(name), text).map_err(|e| format!("{}: {}", name, e))?;
    }
    Ok(())
}

fn settings() -> Outcome<Settings> {
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{}", feature)).is_some();
    let in_dev = env::var("PROFILE").map_or(false, |p| p == "debug");
    Ok(Settings {
        target: variable("TARGET")?,
        host: variable("HOST")?,
        os: variable("CARGO_CFG_TARGET_OS")?,
        libc: env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default(),
        size: matches!(env::var("OPT_LEVEL").as_deref(), Ok("s") | Ok("z")),
        symbols: env::var("DEBUG").map_or(false, |d| !matches!(d.as_str(), "false" | "0" | "none")),
        jobs: env::var("NUM_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(1),
        secure: has("SECURE"),
        debug: has("DEBUG") || (has("DEBUG_IN_DEBUG") && in_dev),
        replaces_malloc: has("OVERRIDE"),
        local_dynamic_tls: has("LOCAL_DYNAMIC_TLS"),
    })
}

/// A variable that cargo always sets.
pub fn variable(name: &str) -> Outcome<String> {
    env::var(name).map_err(|_| format!("{} is not set: this is run by cargo", name))
}
