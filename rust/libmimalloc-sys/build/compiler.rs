// SPDX-License-Identifier: MIT
//! Finding a C compiler for the target, and making one archive with it.
//!
//! The flags are those of the library's own CMakeLists.txt; the lists of files are read from its
//! sources.cmake.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::Outcome;

pub struct Settings {
    pub target: String,
    pub host: String,
    pub os: String,
    pub libc: String,
    pub size: bool,
    pub symbols: bool,
    pub jobs: usize,
    pub secure: bool,
    pub debug: bool,
    pub replaces_malloc: bool,
    pub local_dynamic_tls: bool,
}

/// The library's files for the target, from the lists of c_src/sources.cmake.
pub fn sources(c_src: &Path, settings: &Settings) -> Outcome<Vec<String>> {
    if settings.os != "linux" {
        return Err(format!("there is no port to {} yet (Linux only)", settings.os));
    }
    let path = c_src.join("sources.cmake");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {}", path.display(), e))?;
    let mut lists = vec!["MI_SOURCES_COMMON", "MI_SOURCES_LINUX"];
    if settings.libc == "gnu" {
        lists.push("MI_SOURCES_GLIBC");
    }
    let mut all = Vec::new();
    for list in lists {
        all.extend(cmake_list(&text, list)?);
    }
    Ok(all)
}

/// The words of `set(name word…)`.
fn cmake_list(text: &str, name: &str) -> Outcome<Vec<String>> {
    let missing = || format!("sources.cmake has no list {}", name);
    let (_, rest) = text.split_once(&format!("set({}\n", name)).ok_or_else(missing)?;
    let (words, _) = rest.split_once(')').ok_or_else(missing)?;
    Ok(words
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace())
        .map(str::to_owned)
        .collect())
}

/// Compiler and archiver with the arguments that belong to them.
pub struct Toolchain {
    cc: Vec<String>,
    cflags: Vec<String>,
    ar: Vec<String>,
}

impl Toolchain {
    pub fn find(settings: &Settings) -> Outcome<Toolchain> {
        let mut cc = from_environment("CC", settings).unwrap_or_else(|| default_cc(settings));
        let said = output(command(&cc).arg("--version"))
            .map_err(|e| format!("no C compiler for {}: {} (set CC)", settings.target, e))?;
        if settings.target != settings.host
            && said.contains("clang")
            && !cc.iter().any(|word| word.starts_with("--target"))
        {
            cc.push(format!("--target={}", settings.target.replace("riscv64gc", "riscv64")));
        }
        // The archiver that belongs to the compiler, which knows the target.
        let ar = from_environment("AR", settings).unwrap_or_else(|| {
            let own = output(command(&cc).arg("-print-prog-name=ar")).unwrap_or_default();
            vec![if own.trim().is_empty() { "ar" } else { own.trim() }.to_owned()]
        });
        Ok(Toolchain { cc, cflags: from_environment("CFLAGS", settings).unwrap_or_default(), ar })
    }

    /// Compiles `sources` and leaves libmimalloc.a in `out`.
    pub fn build(&self, c_src: &Path, sources: &[String], settings: &Settings, out: &Path) -> Outcome<()> {
        let flags = flags(c_src, settings);
        let todo = Mutex::new(sources.iter());
        let objects = Mutex::new(Vec::new());
        let failures = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..settings.jobs.clamp(1, 16) {
                scope.spawn(|| loop {
                    let source = match todo.lock().unwrap().next() {
                        Some(source) => source,
                        None => return,
                    };
                    let object = out.join(source.replace('/', "_") + ".o");
                    let mut cc = command(&self.cc);
                    cc.args(&flags)
                        .args(&self.cflags)
                        .arg("-c")
                        .arg(c_src.join(source))
                        .arg("-o")
                        .arg(&object);
                    match output(&mut cc) {
                        Ok(_) => objects.lock().unwrap().push(object),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                });
            }
        });
        if let Some(failure) = failures.into_inner().unwrap().into_iter().next() {
            return Err(failure);
        }
        let mut objects = objects.into_inner().unwrap();
        objects.sort();
        if settings.replaces_malloc {
            // One object with everything in it: a program must not get one malloc's free and
            // another's realloc.
            objects = vec![self.join(&objects, out)?];
        }
        let archive = out.join("libmimalloc.a");
        // ar adds to an archive that is there.
        let _ = fs::remove_file(&archive);
        output(command(&self.ar).arg("crs").arg(&archive).args(&objects)).map(|_| ())
    }

    fn join(&self, objects: &[PathBuf], out: &Path) -> Outcome<PathBuf> {
        let whole = out.join("mimalloc.o");
        output(command(&self.cc).args(["-nostdlib", "-r", "-o"]).arg(&whole).args(objects))?;
        Ok(whole)
    }
}

fn flags(c_src: &Path, settings: &Settings) -> Vec<String> {
    // musl has no room for initial-exec in libraries that are opened at run time; links into
    // programs turn both models into the same code.
    let tls =
        if settings.local_dynamic_tls || settings.libc == "musl" { "local-dynamic" } else { "initial-exec" };
    let mut flags: Vec<String> = [
        "-std=gnu11",
        // A slow allocator would slow down the whole program: what its own profile says is for its
        // own code.
        if settings.size { "-Os" } else { "-O2" },
        "-fPIC",
        "-pthread",
        "-fvisibility=hidden",
        "-fno-semantic-interposition",
        "-fno-plt",
        "-fno-builtin-malloc",
        "-fno-builtin-calloc",
        "-fno-builtin-realloc",
        "-fno-builtin-free",
        // What the program does not use is left out of it.
        "-ffunction-sections",
        "-fdata-sections",
        "-w",
        "-DMI_SHARED=0",
    ]
    .map(str::to_owned)
    .to_vec();
    flags.push(format!("-ftls-model={}", tls));
    flags.push(format!("-DMI_TLS_MODEL=\"{}\"", tls));
    flags.push(format!("-DMI_OVERRIDE={}", settings.replaces_malloc as u8));
    flags.push(format!("-DMI_SECURE={}", settings.secure as u8));
    flags.push(format!("-DMI_DEBUG={}", settings.debug as u8));
    for folder in ["src", "include"] {
        flags.push(format!("-I{}", c_src.join(folder).display()));
    }
    if settings.symbols {
        flags.push("-g".to_owned());
    }
    flags
}

/// The compiler's usual name on a system that has one for the target.
fn default_cc(settings: &Settings) -> Vec<String> {
    if settings.target == settings.host {
        return vec!["cc".to_owned()];
    }
    let parts: Vec<&str> = settings.target.split('-').collect();
    let arch = parts[0].replace("riscv64gc", "riscv64");
    if settings.libc == "musl" && settings.host.starts_with(&format!("{}-", parts[0])) {
        return vec!["musl-gcc".to_owned()];
    }
    // aarch64-unknown-linux-gnu is aarch64-linux-gnu to others.
    vec![format!("{}-{}-gcc", arch, parts[parts.len().min(2)..].join("-"))]
}

/// The words of a variable: with the target's name first, as cargo's other build scripts have it.
fn from_environment(name: &str, settings: &Settings) -> Option<Vec<String>> {
    let kind = if settings.target == settings.host { "HOST" } else { "TARGET" };
    [
        format!("{}_{}", name, settings.target),
        format!("{}_{}", name, settings.target.replace('-', "_")),
        format!("{}_{}", kind, name),
        name.to_owned(),
    ]
    .iter()
    .filter_map(|variable| {
        println!("cargo:rerun-if-env-changed={}", variable);
        env::var(variable).ok()
    })
    .map(|value| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    .find(|words| !words.is_empty())
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a command to its end; what it printed, or why it failed.
fn output(command: &mut Command) -> Outcome<String> {
    let made = command.output().map_err(|e| format!("{}: {}", command.get_program().to_string_lossy(), e))?;
    if made.status.success() {
        return Ok(String::from_utf8_lossy(&made.stdout).into_owned());
    }
    Err(format!("{:?}: {}\n{}", command, made.status, String::from_utf8_lossy(&made.stderr)))
}
