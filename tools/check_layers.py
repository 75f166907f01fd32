#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the law of the layers, on #include lines and on the symbols of objects.

A file of layer N includes only files of layers up to N, by their path from src/. An object of layer N refers only to
mi__ symbols that layers up to N define, never to the library's own public functions, and never to functions of libc
that allocate or that read the environment. Upward calls are those that base/hooks.h declares, and no others.
"""
import os
import re
import shutil
import subprocess
import tempfile

import checks

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)

# Calls that allocate in some libc, and those that are not ready when the first malloc comes.
FORBIDDEN = set("""
    malloc calloc realloc free reallocarray memalign posix_memalign aligned_alloc valloc pvalloc
    strdup strndup asprintf vasprintf getline getdelim realpath qsort qsort_r opendir scandir getcwd
    printf fprintf vprintf vfprintf snprintf vsnprintf puts fopen fdopen popen
    __printf_chk __fprintf_chk __snprintf_chk __vsnprintf_chk
    getenv secure_getenv setenv putenv
""".split())
# Functions whose contract with the caller is such a call.
ALLOWED = {
    "os/os_posix.c": {"realpath"},  # with a buffer of the caller's
    "front/glibc_control.c": {"fprintf", "__fprintf_chk"},  # malloc_info writes to the caller's FILE
}


def layer_of(path):
    return checks.LAYERS.index(path.split(os.sep)[0])


def include_findings(src):
    found = []
    for path in checks.files(src, checks.LAYERS):
        for match in INCLUDE.finditer(checks.read(src, path)):
            line = checks.read(src, path)[: match.start()].count("\n") + 1
            target = match.group(2)
            where = f"src/{path}:{line}: "
            if target.endswith((".c", ".cc")):
                found.append(where + f"includes the source file {target}")
            elif match.group(1) == "<":
                continue
            elif target.startswith("mimalloc"):
                if path.split(os.sep)[0] != "front":
                    found.append(where + f"{target} is for front only")
            elif target.split("/")[0] not in checks.LAYERS or not os.path.exists(os.path.join(src, target)):
                found.append(where + f"{target} is no path from src/")
            elif layer_of(target) > layer_of(path):
                found.append(where + f"layer {path.split(os.sep)[0]} includes {target} of a higher layer")
    return found


def symbols(path):
    """The global symbols of an object: (defined, undefined)."""
    out = subprocess.run(["nm", "-P", "-g", path], capture_output=True, text=True, check=True).stdout
    defined, undefined = set(), set()
    for line in out.splitlines():
        name, kind = line.split()[:2]
        (undefined if kind in "Uwv" else defined).add(name)
    return defined, undefined


def upward_calls(src):
    path = os.path.join(src, "base", "hooks.h")
    return set(re.findall(r"\b(mi__\w+)\s*\(", checks.read(src, "base/hooks.h"))) if os.path.exists(path) else set()


def symbol_findings(objects, upward=frozenset()):
    """`objects` is a folder with <layer>/<file>.c.o below it; the names in `upward` may be called from anywhere."""
    table = {path: symbols(os.path.join(objects, path)) for path in checks.files(objects, checks.LAYERS, (".o",))}
    if not table:
        return [f"{objects}: no objects here (build first)"]
    home = {name: path for path, (defined, _) in table.items() for name in defined}
    found = []
    for path, (_, undefined) in table.items():
        source = re.sub(r"\.o$", "", path)
        for name in sorted(undefined):
            if name in FORBIDDEN:
                if name not in ALLOWED.get(source, ()):
                    found.append(f"src/{source}: calls {name} of libc")
            elif not name.startswith("mi_") or name in upward:
                continue
            elif not name.startswith("mi__"):
                found.append(f"src/{source}: calls the public {name}")
            elif name not in home:
                found.append(f"src/{source}: nobody defines {name}")
            elif layer_of(home[name]) > layer_of(path):
                found.append(f"src/{source}: refers to {name}, which {re.sub('.o$', '', home[name])} defines above it")
    return found


def check(args):
    found = include_findings(os.path.join(checks.ROOT, "src"))
    if args.objects:
        found += symbol_findings(args.objects, upward_calls(os.path.join(checks.ROOT, "src")))
    return found


def self_test(args):
    low, high = '#include "base/a.h"\n', '#include "front/f.h"\n'
    tree = {"base/a.h": "", "front/f.h": low, "page/p.h": low + "#include <stddef.h>\n"}
    with checks.Planted(tree) as src:
        checks.expect("downward includes", include_findings(src), None)
    for planted, wanted in [
        ({"page/bad.c": high}, "src/page/bad.c:1: layer page includes front/f.h"),
        ({"page/bad.c": low + '#include "a.h"\n'}, "src/page/bad.c:2: a.h is no path"),
        ({"page/bad.c": '#include "mimalloc.h"\n'}, "mimalloc.h is for front only"),
        ({"front/bad.c": '#include "front/api.c"\n'}, "includes the source file"),
    ]:
        with checks.Planted({**tree, **planted}) as src:
            checks.expect(str(planted), include_findings(src), wanted)

    good = {"base/a.c": "void mi__a(void) {}", "front/f.c": "void mi__a(void); void mi__f(void) { mi__a(); }"}
    for planted, wanted in [
        ({}, None),
        ({"page/p.c": "void mi__f(void); void mi__p(void) { mi__f(); }"}, "refers to mi__f, which front/f.c"),
        ({"page/p.c": "void mi__gone(void); void mi__p(void) { mi__gone(); }"}, "nobody defines mi__gone"),
        ({"front/p.c": "void mi_free(void *); void mi__p(void) { mi_free(0); }"}, "calls the public mi_free"),
        ({"front/p.c": "char *getenv(const char *); char *mi__p(void) { return getenv(\"A\"); }"}, "calls getenv"),
    ]:
        with checks.Planted({**good, **planted}) as src:
            objects = tempfile.mkdtemp(prefix="check-")
            for path in checks.files(src, checks.LAYERS):
                os.makedirs(os.path.dirname(os.path.join(objects, path)), exist_ok=True)
                subprocess.run([args.cc, "-c", os.path.join(src, path), "-o", os.path.join(objects, path + ".o")], check=True)
            checks.expect(str(planted), symbol_findings(objects), wanted)
            if wanted and "refers to mi__f" in wanted:
                checks.expect("as a hook", symbol_findings(objects, {"mi__f"}), None)
            shutil.rmtree(objects)


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [
        (["--objects"], {"metavar": "DIR", "help": "folder with the objects, <layer>/<file>.c.o"}),
        (["--cc"], {"default": "cc", "help": "compiler of the self-test"}),
    ])
