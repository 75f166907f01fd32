#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the rules of the house that no other tool knows.

Every source file opens with its licence, its name and what it is; in src/ also with Owns, Threads and Not here, in at
most 25 lines. Files stay under 700 lines (tests and public headers may be longer), and their names are unique outside
of tests/. Each .c of src/ includes its own header first, every atomic operation that orders memory names its partner
("pairs with"), and nothing is left to do later. No script pipes into `grep -q`, which ends before its writer does: where
pipes fail with any of their parts, that fails now and then.
"""
import os
import re

import checks

FOLDERS = ["src", "include", "rust", "tests", "bench", "examples", "tools", "tool"]
SCRIPT_ENDINGS = (".py", ".sh", ".bash", ".rs")
SPDX = "SPDX-License-Identifier: MIT"
HEADER_LINES = 25
FILE_LINES = 700
# Tests are lists; the public headers are what programs know by name, and carry their contracts.
FILE_LINES_OF = {"tests/": 1200, "include/": 1600}
LABELS = ["Owns", "Threads", "Not here"]
ORDERED = re.compile(
    r"\b(atomic_\w+_(?:acquire|release|acq_rel|seq_cst)\s*\(|memory_order_(?:acquire|release|acq_rel|seq_cst)\b"
    r"|__ATOMIC_(?:ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)\b)")
QUIET_PIPE = re.compile(r"(?<!\|)\|\s*grep -\w*q")
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OWN_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)

# A header may have several .c files when they are one subject. All other .c files include a header of their name.
HEADER_OF = {
    "src/arena/sweep.c": "arena/slices.h",
    "src/os/os_linux.c": "os/os.h",
    "src/os/os_linux_files.c": "os/os.h",
    "src/os/os_linux_numa.c": "os/os.h",
    "src/os/os_linux_places.c": "os/os.h",
    "src/os/os_linux_pressure.c": "os/os.h",
    "src/os/os_linux_threads.c": "os/os.h",
    "src/os/os_linux_group.c": "os/os.h",
    "src/os/os_absent.c": "os/os.h",
    "src/os/os_macos.c": "os/os.h",
    "src/os/os_macos_places.c": "os/os.h",
    "src/os/os_macos_threads.c": "os/os.h",
    "src/os/os_posix.c": "os/os.h",
    "src/os/os_posix_faults.c": "os/os.h",
    "src/os/os_posix_threads.c": "os/os.h",
    "src/os/os_windows.c": "os/os.h",
    "src/os/os_windows_places.c": "os/os.h",
    "src/os/os_windows_threads.c": "os/os.h",
    "src/front/stack_macos.c": "front/stack.h",
    "src/front/stack_windows.c": "front/stack.h",
    "src/alloc/aligned.c": "alloc/alloc.h",
    "src/alloc/realloc.c": "alloc/alloc.h",
}
# These define names that programs call: their header is a public one, or libc's.
EXPORTING = {"api.c", "heap_api.c", "heap_manage.c", "options_api.c", "limit_api.c", "stats_api.c", "posix.c", "new.c",
             "override.c", "glibc_control.c", "deepbind.c", "profile_api.c"}
# The wrappers themselves: their callers carry the comments.
ATOMIC_WRAPPERS = "src/base/atomic.h"


def opening(lines):
    """The comment lines at the top of a file."""
    count = next((i for i, line in enumerate(lines) if not line.startswith(("//", "/*", " *"))), len(lines))
    return lines[:count]


def header_findings(path, lines):
    head = opening(lines)
    found = []
    if path.startswith("tests/misuse/"):
        # These open with what they expect; tests/misuse/run.py reads it.
        return [] if any(SPDX in line for line in head) else [f"{path}:1: no {SPDX} in the opening"]
    if not head or SPDX not in head[0]:
        return [f"{path}:1: the first line is not // {SPDX}"]
    name = os.path.basename(path)
    if not any(re.match(rf"(//| \*) {re.escape(name)} [—-] ", line) for line in head[1:3]):
        found.append(f"{path}:2: the second line is not // {name} — what it is")
    if len(head) > HEADER_LINES:
        found.append(f"{path}: {len(head)} lines at the top, {HEADER_LINES} at most")
    if path.startswith("src/"):
        for label in LABELS:
            if not any(line.startswith(f"// {label}:") for line in head):
                found.append(f"{path}: the opening has no '{label}:'")
    return found


def own_header_findings(path, text):
    name = os.path.basename(path)
    if not path.endswith(".c") or name in EXPORTING:
        return []
    wanted = HEADER_OF.get(path, path[len("src/"):-1] + "h")
    first = OWN_INCLUDE.search(text)
    if first and first.group(1) == wanted:
        return []
    return [f"{path}: the first include is not \"{wanted}\""]


def explained(lines, index):
    """Whether the line, or the comment or statement that it belongs to, says what it pairs with."""
    if "pairs with" in lines[index]:
        return True
    # Up to the start of the statement, then through the comment above it.
    while index > 0 and not re.search(r"[;{}]\s*(//.*)?$|^\s*//|^\s*$", lines[index - 1]):
        index -= 1
        if "pairs with" in lines[index]:
            return True
    while index > 0 and lines[index - 1].strip().startswith("//"):
        index -= 1
        if "pairs with" in lines[index]:
            return True
    return False


def atomic_findings(path, lines):
    if path == ATOMIC_WRAPPERS:
        return []
    found = []
    for i, line in enumerate(lines):
        match = ORDERED.search(line.split("//")[0])
        if match and not explained(lines, i):
            found.append(f"{path}:{i + 1}: {match.group(1).rstrip('( ')} does not say what it pairs with")
    return found


def findings_in(root):
    found = []
    places = {}
    for path in checks.files(root, FOLDERS):
        text = checks.read(root, path)
        lines = text.split("\n")
        found += header_findings(path, lines)
        most = next((lines for folder, lines in FILE_LINES_OF.items() if path.startswith(folder)), FILE_LINES)
        if len(lines) > most:
            found.append(f"{path}: {len(lines)} lines, {most} at most")
        if path.startswith("src/"):
            found += own_header_findings(path, text) + atomic_findings(path, lines)
        if not path.startswith("tests/"):  # there the folder tells a test of a file from another one of it
            places.setdefault(os.path.basename(path), []).append(path)
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            found.append(f"{' and '.join(paths)}: two files with one name")
    for path in checks.files(root, FOLDERS, SCRIPT_ENDINGS):
        if SPDX not in "\n".join(checks.read(root, path).split("\n")[:2]):
            found.append(f"{path}:1: no {SPDX} in the first two lines")
    for path in checks.files(root, FOLDERS, checks.SOURCE_ENDINGS + SCRIPT_ENDINGS):
        if path.endswith("check_house.py"):
            continue
        for i, line in enumerate(checks.read(root, path).split("\n"), 1):
            if LATER.search(line):
                found.append(f"{path}:{i}: {LATER.search(line).group(1)}: do it, or write an issue")
            if path.endswith((".sh", ".bash")) and QUIET_PIPE.search(line):
                found.append(f"{path}:{i}: a pipe into grep -q: let grep read all, into /dev/null")
    return found


def check(_):
    return findings_in(checks.ROOT)


def self_test(_):
    def top(name, labels=True, more=0):
        head = f"// {SPDX}\n// {name} — a file.\n" + "// more\n" * more
        return head + ("// Owns:        nothing\n// Threads:     any\n// Not here:    x → y\n" if labels else "")

    header = {"src/page/p.h": top("p.h")}
    use = '#include "page/p.h"\n'
    store = "    atomic_set_release(&x, 1);\n"
    for planted, wanted in [
        ({}, None),
        ({"src/page/p.c": top("p.c") + use}, None),
        ({"src/page/p.c": top("p.c")}, 'the first include is not "page/p.h"'),
        ({"src/page/p.c": top("p.c", labels=False) + "// Owns: x\n// Threads: y\n" + use}, "no 'Not here:'"),
        ({"src/page/p.c": top("q.c") + use}, "the second line is not // p.c"),
        ({"src/page/p.c": top("p.c", more=21) + use}, "26 lines at the top"),
        ({"src/page/p.c": top("p.c") + use + "\n" * 700}, "700 at most"),
        ({"tests/p.c": top("p.c", labels=False)}, None),
        ({"tests/p.c": "int x;\n"}, "the first line is not"),
        ({"tests/misuse/p.c": f"// exit: 1\n// {SPDX}\nint x;\n"}, None),
        ({"tests/misuse/p.c": "// exit: 1\nint x;\n"}, "in the opening"),
        ({"src/heap/p.h": top("p.h")}, "two files with one name"),
        ({"tests/unit/a.c": top("a.c", labels=False), "tests/api/a.c": top("a.c", labels=False)}, None),
        ({"tests/p.sh": "#!/bin/sh\n"}, "no SPDX"),
        ({"rust/p.rs": "//! A crate.\n"}, "no SPDX"),
        ({"tests/p.sh": f"#!/bin/sh\n# {SPDX}\n# TODO\n"}, "TODO"),
        ({"tests/p.sh": f"#!/bin/sh\n# {SPDX}\nls | grep -qF x\n"}, "a pipe into grep -q"),
        ({"tests/p.sh": f"#!/bin/sh\n# {SPDX}\nls x || grep -q x y\n"}, None),
        ({"src/page/p.c": top("p.c") + use + store}, "atomic_set_release does not say"),
        ({"src/page/p.c": top("p.c") + use + "    y = atomic_load_explicit(&x, memory_order_acquire);\n"}, "memory_order_acquire"),
        ({"src/page/p.c": top("p.c") + use + "    // release: the block; pairs with P2\n" + store}, None),
        ({"src/page/p.c": top("p.c") + use + "    // pairs with P2\n\n" + store}, "atomic_set_release does not say"),
        ({"src/page/p.c": top("p.c") + use + "    // pairs with P2\n    f(a,\n  " + store}, None),
        ({"src/page/p.c": top("p.c") + use + "    // pairs with P2\n    f(a);\n  " + store}, "does not say"),
    ]:
        with checks.Planted({**header, **planted}) as root:
            checks.expect(str(planted)[:200], findings_in(root), wanted)


if __name__ == "__main__":
    checks.main(__doc__, check, self_test)
