#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the documentation site from the repository: static pages that work from disk, without network or script.

gen_site.py OUT writes the README as OUT/index.html, every other page of GUIDES and the decision records beside each other as
in the repository, the reference of the interface (gen_reference.py), and the plots of the newest figures in bench/results.
A page of docs/ that GUIDES lacks is an error, and so is a link into nothing.
"""
import glob
import html
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import markdown
from markdown.extensions import Extension
from markdown.extensions.toc import TocExtension
from markdown.treeprocessors import Treeprocessor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REFERENCE = "docs/mimalloc.html"
FIGURES = "bench/results/figures.html"
DECISIONS = "docs/decisions"

# Heading, and pages with the words of the contents for them.
GUIDES = [
    ("Start here", [("README.md", "mimalloc"), ("CHANGELOG.md", "What is new")]),
    ("My service is slow, or grows", [
        ("docs/tour.md", "A tour, to the line"),
        ("docs/command.md", "The command"),
        ("docs/profiling.md", "Where the memory went"),
        ("docs/options.md", "All options"),
    ]),
    ("My program misbehaves", [
        ("docs/guarded.md", "Guarded blocks"),
        ("docs/secure.md", "Secure mode"),
        ("docs/misuse.md", "What is caught"),
        ("docs/tracking.md", "Under valgrind and sanitizers"),
    ]),
    ("I build with it", [
        (REFERENCE, "Reference of the interface"),
        ("docs/compatibility.md", "From other versions"),
        ("docs/rust.md", "Rust"),
        ("docs/languages.md", "Python, Node, Ruby, Java, Go, .NET"),
        ("docs/redis.md", "Redis"),
        ("docs/outside.md", "Tools that read the heap"),
        ("packaging/README.md", "Packages"),
    ]),
    ("How it works, and how that is known", [
        ("ARCHITECTURE.md", "Architecture"),
        ("docs/concurrency.md", "Concurrency"),
        (DECISIONS, "Decisions"),
        ("bench/README.md", "Measuring"),
        (FIGURES, "Figures and plots"),
        ("docs/testing.md", "Testing"),
        ("docs/reliability.md", "Reliability"),
        ("SECURITY.md", "Security"),
        ("CONTRIBUTING.md", "Contributing"),
    ]),
]

STYLE = """
:root { --text: #1c2128; --soft: #59636e; --ground: #ffffff; --panel: #f6f8fa; --line: #d8dee4; --link: #0757b8;
  --code: #f2f4f7; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { --text: #dfe4ea; --soft: #98a2ad; --ground: #14181d; --panel: #1a1f26;
  --line: #303841; --link: #7cb7ff; --code: #1f252d; color-scheme: dark; } }
* { box-sizing: border-box; }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); color: var(--text);
  background: var(--ground); font: 16px/1.6 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: 1rem; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem 2rem; background: var(--panel);
  border-right: 1px solid var(--line); font-size: 0.9rem; }
nav h2 { font-size: 0.75rem; color: var(--soft); margin: 1.3rem 0 0.2rem; font-weight: 600; border: 0; }
nav ul { list-style: none; margin: 0; padding: 0; } nav li { padding: 0.12rem 0; }
nav [aria-current] { color: var(--text); font-weight: 600; }
main { padding: 2rem 2.5rem 6rem; max-width: 62rem; min-width: 0; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 0.8rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.5rem; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
code { background: var(--code); padding: 0.1em 0.3em; border-radius: 4px; }
pre { background: var(--code); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; line-height: 1.45; }
pre code { padding: 0; background: none; font-size: 1em; }
img { max-width: 100%; height: auto; }
.table { overflow-x: auto; margin: 1rem 0; } table { border-collapse: collapse; font-size: 0.92rem; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; } tr:last-child td { border-bottom: 0; }
blockquote { margin: 1rem 0; padding: 0 1rem; border-left: 3px solid var(--line); color: var(--soft); }
@media (max-width: 52rem) { body { display: block; } nav { position: static; height: auto; border-right: 0;
  border-bottom: 1px solid var(--line); } main { padding: 1.25rem 1rem 4rem; } }
@media print { nav { display: none; } body { display: block; } }
"""


def place(path):
    """Where a file of the repository lies in the site."""
    if path == "README.md":
        return "index.html"
    if path == DECISIONS:
        return f"{DECISIONS}/index.html"
    if path.endswith("/README.md"):
        return path[:-len("README.md")] + "index.html"
    return path[:-3] + ".html" if path.endswith(".md") else path


def slug(text, _separator):
    """The anchor that a code host makes of a heading; tools/check_docs.py follows these."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


class Links(Treeprocessor):
    """Links between pages lead to the site's pages; those to sources, which it has not, are text."""

    def __init__(self, md, site, path):
        super().__init__(md)
        self.site, self.path = site, path

    def run(self, root):
        for element in root.iter():
            for name in ("href", "src"):
                target = element.get(name)
                if target is not None and not re.match(r"[a-z]+:|#", target):
                    self.lead(element, name, target)
        for parent in list(root.iter()):
            for index, child in enumerate(list(parent)):
                if child.tag == "table":
                    box = ElementTree.Element("div", {"class": "table", "tabindex": "0"})
                    box.tail, child.tail = child.tail, None
                    box.append(child)
                    parent.remove(child)
                    parent.insert(index, box)

    def lead(self, element, name, target):
        file, _, anchor = target.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(self.path), file))
        if os.path.isfile(os.path.join(ROOT, file, "README.md")):
            file = os.path.normpath(os.path.join(file, "README.md"))
        if self.site.has(file):
            here = os.path.dirname(place(self.path))
            element.set(name, os.path.relpath(place(file), here or ".") + ("#" + anchor if anchor else ""))
        elif name == "href":
            element.tag = "span"
            del element.attrib[name]


class LinksExtension(Extension):
    def __init__(self, site, path):
        super().__init__()
        self.site, self.path = site, path

    def extendMarkdown(self, md):  # the library's own name
        md.treeprocessors.register(Links(md, self.site, self.path), "links", 1)


class Site:
    def __init__(self, out):
        self.out = out
        records = sorted(glob.glob(f"{DECISIONS}/[0-9]*.md", root_dir=ROOT))
        self.decisions = [(path, self.title(path)) for path in records]
        measured = sorted(glob.glob("bench/results/*.csv", root_dir=ROOT), key=lambda p: (os.path.basename(p)[-14:], p))
        self.measured = measured[-1] if measured else None
        self.contents = []
        for heading, pages in GUIDES:
            there = [(path, words) for path, words in pages if self.exists(path)]
            self.contents.append((heading, there))
        self.pages = [path for _, pages in self.contents for path, _ in pages if path.endswith(".md")]
        self.pages += [path for path, _ in self.decisions]
        for extra in glob.glob("docs/*.md", root_dir=ROOT):
            if extra not in self.pages:
                sys.exit(f"gen_site.py: {extra} is in no group of GUIDES")

    def exists(self, path):
        return (path == REFERENCE or (path == FIGURES and self.measured is not None) or
                os.path.exists(os.path.join(ROOT, path)))

    def has(self, path):
        if path in self.pages or path in (REFERENCE, DECISIONS) or (path == FIGURES and self.measured):
            return True
        return path.endswith((".svg", ".png")) and os.path.isfile(os.path.join(ROOT, path))

    @staticmethod
    def title(path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return re.sub(r"[`*]", "", file.readline().lstrip("# ").strip())

    def navigation(self, path):
        here = os.path.dirname(place(path)) or "."
        out = []
        for heading, pages in self.contents:
            out.append(f"<h2>{html.escape(heading)}</h2><ul>")
            for target, words in pages:
                current = ' aria-current="page"' if target == path else ""
                out.append(f'<li><a href="{os.path.relpath(place(target), here)}"{current}>{html.escape(words)}</a></li>')
            out.append("</ul>")
        return "".join(out)

    def write(self, path, title, body):
        target = os.path.join(self.out, place(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        whole = title if title == "mimalloc" else f"{title} · mimalloc"
        with open(target, "w", encoding="utf-8") as file:
            file.write(f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
                       f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                       f"<title>{html.escape(whole)}</title>\n<style>{STYLE}</style></head>\n<body>"
                       f'<nav aria-label="Contents"><a class="skip" href="#content">To the text</a>'
                       f"{self.navigation(path)}</nav>\n"
                       f'<main id="content">\n{body}\n</main></body></html>\n')

    def page(self, path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read()
        # A list right below its paragraph, as code hosts read it.
        converter = markdown.Markdown(extensions=["tables", "fenced_code", "sane_lists", TocExtension(slugify=slug),
                                                  LinksExtension(self, path)], tab_length=2)
        self.write(path, self.title(path), converter.convert(text))

    def pictures(self):
        for path in glob.glob("docs/**/*.*", root_dir=ROOT, recursive=True):
            if path.endswith((".svg", ".png")):
                os.makedirs(os.path.dirname(os.path.join(self.out, path)), exist_ok=True)
                shutil.copy(os.path.join(ROOT, path), os.path.join(self.out, path))

    def make(self):
        for path in self.pages:
            self.page(path)
        items = "".join(f'<li><a href="{os.path.basename(place(path))}">{html.escape(title)}</a></li>'
                        for path, title in self.decisions)
        self.write(DECISIONS, "Decisions", f"<h1>Decisions</h1><p>What was decided by measuring, with the figures.</p><ul>{items}</ul>")
        self.pictures()
        run = [sys.executable, os.path.join(ROOT, "tools/gen_reference.py"), os.path.join(self.out, "docs")]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        if self.measured is not None:
            run = [sys.executable, os.path.join(ROOT, "bench/run.py"), "--from-csv", os.path.join(ROOT, self.measured),
                   "--html", os.path.join(self.out, FIGURES)]
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL)


def check(out):
    """Every link of every page, and its anchor."""
    pages, found = {}, []
    for path in glob.glob("**/*.html", root_dir=out, recursive=True):
        with open(os.path.join(out, path), encoding="utf-8") as file:
            pages[path] = file.read()
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    for path, text in pages.items():
        for link in re.findall(r'<[^>]*\b(?:href|src)="([^"]*)"', text):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.isfile(os.path.join(out, target)):
                found.append(f"{path}: {link} leads nowhere")
            elif anchor and target in ids and html.unescape(anchor) not in ids[target]:
                found.append(f"{path}: {link}: no such place there")
    if found:
        sys.exit("\n".join(found))
    return len(pages)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    out = sys.argv[1]
    site = Site(out)
    site.make()
    print(f"{check(out)} pages in {out}")


if __name__ == "__main__":
    main()
