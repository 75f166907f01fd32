#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the prose speaks of things that exist, and that docs/options.md is current.

In every .md file: relative links and their anchors, paths of the repository, `make` verbs, MIMALLOC_ variables, mi_ and
mi__ names. In the sources' comments: paths from src/ ("Not here: … → heap/held.c").
"""
import glob
import os
import re

import checks
import gen_options

FOLDERS = ["docs", "src", "include", "rust", "tests", "bench", "examples", "tools", "tool", "cmake", ".ci"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
PATH = re.compile(r"(?<![\w./-])((?:docs|src|include|tests|bench|examples|tools?|cmake|\.ci)/[\w./*-]*\w)")
SOURCE_PATH = re.compile(r"(?<![\w./-])((?:" + "|".join(checks.LAYERS) + r")/\w+\.(?:c|h|cc))\b")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
VERB = re.compile(r"^\s*make ([a-z][a-z-]*)", re.MULTILINE)
INLINE_VERB = re.compile(r"`make ([a-z][a-z-]*)")
VARIABLE = re.compile(r"\bMIMALLOC_([A-Z_]+[A-Z])\b")
OPTION_NAMES = re.compile(r'(?:"|WITHOUT_EFFECT\()([a-z_|]+)[",]')
NAME = re.compile(r"\b(mi__?[a-z]\w*)\b(?!\*)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
COMMENT = re.compile(r"//.*$", re.MULTILINE)


def anchors(text):
    """The anchors that a code host makes of the headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def link_findings(root, path, text):
    found = []
    for link in (a or b for a, b in LINK.findall(text)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(os.path.join(root, file)):
            found.append(f"{path}: the link {link} leads nowhere")
        elif anchor and file.endswith(".md") and anchor not in anchors(checks.read(root, file)):
            found.append(f"{path}: {file} has no heading for #{anchor}")
    return found


def path_findings(root, path, text, pattern, base):
    return [f"{path}: there is no {name}" for name in sorted(set(pattern.findall(text)))
            if not glob.glob(os.path.join(root, base, name))]


def word_findings(path, text, known):
    verbs = set(INLINE_VERB.findall(text)).union(*(VERB.findall(block) for block in FENCED.findall(text)))
    found = [f"{path}: there is no make {verb}" for verb in sorted(verbs - known["verbs"])]
    found += [f"{path}: there is no option MIMALLOC_{name}"
              for name in sorted(set(VARIABLE.findall(text)) - known["variables"])]
    return found + [f"{path}: nothing is called {name}" for name in sorted(set(NAME.findall(text)) - known["names"])]


def known_words(root):
    sources = "".join(checks.read(root, path) for path in checks.files(root, ["src", "include"]))
    files = [path for path in ("Makefile", gen_options.TABLE) if os.path.exists(os.path.join(root, path))]
    makefile, *table = [checks.read(root, path) for path in files]
    return {
        "verbs": set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)),
        "variables": {name.upper() for names in OPTION_NAMES.findall("".join(table)) for name in names.split("|")},
        "names": set(re.findall(r"\bmi__?\w+", sources)),
    }


def prose(root):
    top = sorted(name for name in os.listdir(root) if name.endswith(".md"))
    return top + checks.files(root, FOLDERS, (".md",))


def findings_in(root):
    known = known_words(root)
    found = []
    for path in prose(root):
        text = checks.read(root, path)
        found += link_findings(root, path, text) + word_findings(path, text, known)
        plain = LINK.sub("", text)
        found += path_findings(root, path, plain, PATH, "") + path_findings(root, path, plain, SOURCE_PATH, "src")
    for path in checks.files(root, ["src"]):
        comments = "\n".join(COMMENT.findall(checks.read(root, path)))
        found += path_findings(root, path, comments, SOURCE_PATH, "src")
        found += path_findings(root, path, comments, PATH, "")
    return found


def check(args):
    found = findings_in(checks.ROOT)
    if checks.read(checks.ROOT, gen_options.PAGE) != gen_options.page(checks.ROOT, args.cc):
        found.append(f"{gen_options.PAGE} is not what tools/gen_options.py writes")
    return found


def self_test(_):
    tree = {
        "Makefile": "test: ## run the tests\n",
        "include/mimalloc.h": "void mi_free(void *p);\n",
        "src/page/page.h": "// Not here:    all else → page/page.h\nvoid mi__page_new(void);\n",
        "docs/a.md": "# A heading\n\nSee [b](../README.md#top-of-it), `src/page/page.h`, `page/page.h`, `mi__page_new`.\n",
    }
    readme = "# Top of it\n\n`make test` and [a](docs/a.md#a-heading), mi_free, mi_*\n"
    for text, wanted in [
        (readme, None),
        (readme + "[c](docs/c.md)", "README.md: the link docs/c.md leads nowhere"),
        (readme + "[c](docs/a.md#nowhere)", "docs/a.md has no heading for #nowhere"),
        (readme + "`tools/gone.py`", "README.md: there is no tools/gone.py"),
        (readme + "`page/gone.c`", "README.md: there is no page/gone.c"),
        (readme + "`make tea`", "README.md: there is no make tea"),
        (readme + "We\nmake tea.\n```sh\nmake test\nmake cake   # or\n```\n", "README.md: there is no make cake"),
        (readme + "MIMALLOC_TEA=1", "README.md: there is no option MIMALLOC_TEA"),
        (readme + "`mi_tea()`", "README.md: nothing is called mi_tea"),
    ]:
        with checks.Planted({**tree, "README.md": text}) as root:
            checks.expect(text[-30:], findings_in(root), wanted)
    with checks.Planted({**tree, "README.md": readme, "src/page/page.c": "// Not here: x → page/gone.c\n"}) as root:
        checks.expect("a comment", findings_in(root), "src/page/page.c: there is no page/gone.c")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [(["--cc"], {"default": "cc", "help": "C compiler"})])
