#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/options.md from the table in src/front/options.c; check_docs.py compares.

The table is compiled and printed by a small C program, so that the page says what the library does.
"""
import argparse
import os
import subprocess
import tempfile

import checks

PAGE = "docs/options.md"
TABLE = "src/front/options.c"

# The table with the files that it needs; the rest is not called.
PRINTER = r"""
#include "front/options.h"
#include "front/report.h"
#include "os/os.h"
#include <stdio.h>
void mi__message(const char *fmt, ...) { (void)fmt; }
bool mi__os_env_ready(void) { return false; }
void mi__os_each_env(const char *prefix, void (*each)(const char *, void *), void *arg)
{ (void)prefix; (void)each; (void)arg; }
int main(void)
{
    for (size_t i = 0; i < mi__options_count; i++) {
        const option_t *o = &mi__options[i];
        printf("%d\t%s\t%s\t%d\t%s\t%ld\t%ld\t%ld\t%s\n", o->number, o->name, o->legacy ? o->legacy : "",
               (int)o->kind, o->words ? o->words : "", o->min, o->max, o->fallback, o->help ? o->help : "");
    }
    return 0;
}
"""
KINDS = ["switch", "number", "choice", "bytes", "power"]
INT_MAX = 2**31 - 1

TOP = """\
# Options

Options are environment variables, or set by the program itself. Names of variables are matched in upper or lower case.

Variables are read once, at the first allocation or, where the environment is not there yet, when the library is set up.
Later changes by `setenv` have no effect. A program that runs with more rights than its caller (set-user-id and the
like) takes no options from the environment at all.

A program sets an option by `mi_option_set(mi_option_purge_delay, 0)`, at any time and from any thread; that goes
before the environment. `mi_option_set_default` gives way to it. Both, and `mi_option_get`, count sizes in KiB.
`mi_options_print` says what is set, and by whom.

| variable | number | accepted | default | what it does |
| --- | --- | --- | --- | --- |
"""

MIDDLE = """
- **Switches** are `1`, `on`, `yes`, `true` or empty; `0`, `off`, `no` or `false`. Numbers take these words too.
- **`MIMALLOC_METRICS`** is the path of a file for metrics, see [outside.md](outside.md); it has no number.
- **Sizes** are digits with `K`, `M`, `G` or `T` (powers of 1024), and `B` or `iB` after them where you like: `64K`,
  `2GiB`. A size of address space is rounded down to a power of two.
- A value that is not understood is reported on standard error, and the default stays. So is a name that is no option,
  with the one that it is most like.
- Numbers are those of `mi_option_t`. Those below 1000 are the same in other versions of mimalloc.
"""

NO_EFFECT = """
## Accepted, without effect

Options of mimalloc 1, 2 and 3 that have no meaning in this design. They keep the value that they are given; the default
is that of mimalloc 3.4. `MIMALLOC_VERBOSE=1` says when one is set. The same holds for `MIMALLOC_DISABLE_REDIRECT`,
which is for Windows and has no number.

| variable | number | default | older names |
| --- | --- | --- | --- |
"""

END = """
---
This page is written by `tools/gen_options.py` from `src/front/options.c`. Change it there.
"""


def read_table(root, cc):
    """The options, each as a list of texts: number, name, legacy, kind, words, min, max, default, help."""
    with tempfile.TemporaryDirectory() as scratch:
        printer, program = os.path.join(scratch, "printer.c"), os.path.join(scratch, "printer")
        with open(printer, "w", encoding="utf-8") as file:
            file.write(PRINTER)
        sources = [os.path.join(root, path) for path in (TABLE, "src/base/config.c", "src/base/format.c")]
        subprocess.run([cc, "-std=gnu11", f"-I{root}/src", f"-I{root}/include", "-o", program, printer] + sources, check=True)
        out = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def bytes_text(count):
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        step = 1024 ** (4 - ("TiB", "GiB", "MiB", "KiB").index(unit))
        if count >= step and count % step == 0:
            return f"{count // step} {unit}"
    return f"{count} B"


def value_text(kind, words, value):
    if words:
        return f"`{words[value]}`"
    if kind == "bytes":
        return bytes_text(value)
    if kind == "power":
        return bytes_text(1 << value)
    if kind == "switch":
        return "on" if value else "off"
    return str(value)


def variables(names):
    return ", ".join(f"`MIMALLOC_{name.upper()}`" for name in names)


def row(option):
    number, name, legacy, kind, words, least, most, default, about = option
    kind, words = KINDS[int(kind)], words.split("|") if words else []
    least, most, default = int(least), int(most), int(default)
    if words:
        accepted = ", ".join(f"`{word}`" for word in words)
    elif kind == "switch":
        accepted = "a switch"
    elif kind == "number":
        accepted = f"a number, {least} or more" if most == INT_MAX else f"a number from {least} to {most}"
    else:
        accepted = f"a size from {value_text(kind, words, least)} to {value_text(kind, words, most)}"
    if legacy:
        about += f" (older: {variables(legacy.split('|'))})"
    return f"| {variables([name])} | {number} | {accepted} | {value_text(kind, words, default)} | {about} |\n"


def row_without_effect(option):
    number, name, legacy, kind, _, _, _, default, _ = option
    older = variables(legacy.split("|")) if legacy else ""
    return f"| {variables([name])} | {number} | {value_text(KINDS[int(kind)], [], int(default))} | {older} |\n"


def page(root, cc):
    table = read_table(root, cc)
    rows = "".join(row(option) for option in table if option[-1])
    others = "".join(row_without_effect(option) for option in table if not option[-1])
    return TOP + rows + MIDDLE + NO_EFFECT + others + END


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cc", default="cc", help="C compiler")
    args = parser.parse_args()
    checks.write(checks.ROOT, PAGE, page(checks.ROOT, args.cc))


if __name__ == "__main__":
    main()
