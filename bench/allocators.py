# SPDX-License-Identifier: MIT
"""The allocators that are compared: this library, glibc's, and every peer that Debian ships."""
import glob
import os
import shutil
import subprocess
import sys

# name, Debian package, what to preload
PEERS = [
    ("mimalloc2", "libmimalloc2.0", ["libmimalloc.so.2", "libmimalloc.so.2.*"]),
    ("jemalloc", "libjemalloc2", ["libjemalloc.so.2"]),
    ("tcmalloc", "libtcmalloc-minimal4", ["libtcmalloc_minimal.so.4"]),
    ("tbb", "libtbbmalloc2", ["libtbbmalloc_proxy.so.2"]),
    ("scudo", "libclang-rt-14-dev", ["libclang_rt.scudo_standalone-*.so", "libclang_rt.scudo_standalone.so"]),
]
FOLDERS = [
    "/usr/lib/*-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/lib/llvm-*/lib/clang/*/lib/linux",
]
OWN = "this"
GLIBC = "glibc"


class Allocator:
    def __init__(self, name, path, environment=None):
        self.name = name
        self.path = path  # "": nothing is preloaded
        self.environment = environment or {}  # set for its runs alone

    def preload(self, program):
        """What to preload so that `program` uses this allocator. glibc's is named where a program is linked with another."""
        if self.name == GLIBC and linked_with_another(program):
            return "libc.so.6"
        return self.path


_linked = {}


def linked_with_another(program):
    path = os.path.realpath(shutil.which(program) or program)
    if path not in _linked:
        made = subprocess.run(["ldd", path], capture_output=True, text=True)
        _linked[path] = any(word in made.stdout for word in ("jemalloc", "tcmalloc", "mimalloc"))
    return _linked[path]


def find(patterns):
    for folder in FOLDERS:
        for pattern in patterns:
            # A library for another processor has another name or folder; of several versions the newest is taken.
            paths = [p for p in sorted(glob.glob(os.path.join(folder, pattern))) if is_usable(p)]
            if paths:
                return paths[-1]
    return None


def is_usable(path):
    """Whether the library can be preloaded at all: it may be for another processor."""
    made = subprocess.run(["/bin/true"], env={"LD_PRELOAD": path, "PATH": os.environ.get("PATH", "")},
                          capture_output=True, text=True)
    return made.returncode == 0 and "cannot be preloaded" not in made.stderr


def install(packages):
    """Installs Debian packages by name, when that is possible without asking. Returns whether it was done."""
    as_root = []
    if os.geteuid() != 0:
        if not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
            return False
        as_root = ["sudo", "-n"]
    if not shutil.which("apt-get"):
        return False
    print(f"Installing {' '.join(packages)}", file=sys.stderr)
    # RUNLEVEL=1: a server that is installed is not started.
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends"] + packages):
        made = subprocess.run(as_root + environment + ["apt-get"] + command, capture_output=True, text=True)
        if made.returncode != 0:
            print(made.stderr.strip(), file=sys.stderr)
            return False
    return True


def collect(library, extra, wanted, may_install):
    """The allocators to compare, this library first. `wanted`: names, or None for all; `extra`: what --with gave."""
    found = [Allocator(OWN, os.path.abspath(library)), Allocator(GLIBC, "")]
    peers = [p for p in PEERS if wanted is None or p[0] in wanted]
    missing = [package for _, package, patterns in peers if find(patterns) is None]
    if missing and may_install:
        install(missing)
    for name, package, patterns in peers:
        path = find(patterns)
        if path:
            found.append(Allocator(name, path))
        else:
            print(f"No {name}: the package {package} is not installed", file=sys.stderr)
    for peer in extra:
        name, _, what = peer.partition("=")
        path, *settings = what.split(",")
        if not name or not path or not all("=" in setting for setting in settings):
            sys.exit(f"run.py: --with wants NAME=PATH or NAME=PATH,VARIABLE=VALUE, not '{peer}'")
        found.append(Allocator(name, os.path.abspath(path), dict(s.split("=", 1) for s in settings)))
    for allocator in found:
        if allocator.path and not os.path.exists(allocator.path):
            sys.exit(f"run.py: no library {allocator.path} ({allocator.name})")
        if allocator.path and not is_usable(allocator.path):
            sys.exit(f"run.py: {allocator.path} can't be preloaded ({allocator.name})")
    if wanted is not None:
        unknown = set(wanted) - {a.name for a in found} - {p[0] for p in PEERS}
        if unknown:
            sys.exit(f"run.py: no peer {', '.join(sorted(unknown))}; there are {GLIBC}, {', '.join(p[0] for p in PEERS)}")
        found = [a for a in found if a.name in wanted or a.name == OWN or any(a.name == e.split("=")[0] for e in extra)]
    return found
