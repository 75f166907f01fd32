#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the reference of the public interface from the headers: one HTML page, and manual pages of section 3.

gen_reference.py OUT [INCLUDE] writes OUT/mimalloc.html and OUT/man/man3/*.3. The headers are the only source: sections,
contracts and declarations as tools/headers.py reads them. What the preamble of mimalloc.h says under a label (Units,
Blocks, …) is repeated where it holds.
"""
import html
import os
import re
import sys
import time

import headers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ORDER = ["mimalloc.h", "mimalloc-stats.h", "mimalloc-new-delete.h", "mimalloc-override.h", "mimalloc-pmr.h"]
# Sections that are about compilers, not about memory.
UNPRINTED = {"Attributes"}
NAME = re.compile(r"\b(?:mi_\w*[a-z0-9]|MI_[A-Z0-9_]+|mi__expand)\b")


class Reference:
    def __init__(self, include):
        names = sorted(os.listdir(include), key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))
        self.headers = []
        for name in names:
            with open(os.path.join(include, name), encoding="utf-8") as file:
                self.headers.append(headers.Header(name, file.read()))
        for header in self.headers:
            header.sections = [s for s in header.sections if s.title not in UNPRINTED]
        main = self.headers[0]
        self.rules = {term: text for kind, content in headers.paragraphs(main.preamble) if kind == "terms"
                      for term, text in content}
        self.names = {entry.name for header in self.headers for entry in header.entries()}
        version = re.search(r"MI_MALLOC_VERSION\s+(\d+)", " ".join(e.text for e in main.entries()))
        number = int(version.group(1)) if version else 0
        self.version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"

    def rules_of(self, entries):
        """Labels of the preamble that hold for some of the entries."""
        functions = [e for e in entries if e.kind == "function"]
        params = [p for e in functions for p in e.params]
        holds = {
            "Units": any("size_t" in p for p in params),
            "Blocks": any(e.allocates for e in functions),
            "Failure": any(e.allocates and "mi_attr_noexcept" in e.raw for e in functions),
            "Threads": bool(functions),
            "Misuse": any(re.fullmatch(r"(?:const )?void \*p", p) for p in params),
        }
        return [label for label in self.rules if holds.get(label)]


def title_of(header):
    return header.title.split(" - ", 1)[-1].rstrip(".")


# ---- HTML

STYLE = """
:root { --text: #1c2128; --soft: #59636e; --ground: #ffffff; --panel: #f6f8fa; --line: #d8dee4; --link: #0757b8;
  --code: #f2f4f7; --mark: #b35900; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { --text: #dfe4ea; --soft: #98a2ad; --ground: #14181d; --panel: #1a1f26;
  --line: #303841; --link: #7cb7ff; --code: #1f252d; --mark: #f0a860; color-scheme: dark; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); color: var(--text);
  background: var(--ground); font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem 2rem; background: var(--panel);
  border-right: 1px solid var(--line); font-size: 0.9rem; }
nav h2 { font-size: 0.75rem; letter-spacing: 0.04em; color: var(--soft); margin: 1.4rem 0 0.3rem; font-weight: 600; }
nav details { margin: 0.1rem 0; }
nav summary { cursor: pointer; padding: 0.1rem 0 0.1rem 1.05rem; text-indent: -1.05rem; }
nav ul { list-style: none; margin: 0.1rem 0 0.5rem; padding-left: 1.05rem; }
nav li a { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.8rem; }
nav .product { font-weight: 700; font-size: 1.15rem; color: inherit; }
nav .version { color: var(--soft); }
input { width: 100%; margin: 0.8rem 0 0.2rem; padding: 0.45rem 0.6rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 6px; }
input:focus { outline: 2px solid var(--link); outline-offset: -1px; }
main { padding: 2rem 2.5rem 6rem; max-width: 62rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.4rem; }
main > section > h1:not(:first-child), .header { margin-top: 3.5rem; }
.header:first-of-type { margin-top: 0; }
h1 small { display: block; font-size: 1rem; font-weight: 400; color: var(--soft); }
.include { margin: 0.8rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 0.8rem; padding-bottom: 0.35rem; border-bottom: 1px solid var(--line); }
article { margin: 0 0 1.7rem; }
.signatures { margin: 0 0 0.55rem; padding: 0.65rem 0.9rem; background: var(--code); border-left: 3px solid var(--link);
  border-radius: 0 6px 6px 0; overflow-x: auto; }
.signatures div { white-space: pre-wrap; padding-left: 2em; text-indent: -2em; }
.signatures div + div { margin-top: 0.2rem; }
.signatures div:target { background: color-mix(in srgb, var(--mark) 22%, transparent); }
.signatures a { color: var(--link); font-weight: 600; }
.signatures pre { margin: 0; }
details.long > summary { cursor: pointer; color: var(--soft); }
p { margin: 0.45rem 0; }
dl { margin: 0.5rem 0; display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.1rem; }
dt { font-weight: 600; } dd { margin: 0; }
.holds { color: var(--soft); font-size: 0.85rem; margin-top: 0.35rem; }
.holds a { color: var(--soft); text-decoration: underline; text-decoration-color: var(--line); }
.none { color: var(--soft); } .hidden { display: none !important; }
@media (max-width: 52rem) { body { display: block; } nav { position: static; height: auto; border-right: 0;
  border-bottom: 1px solid var(--line); } nav .contents { display: none; } nav.searching .contents { display: block; }
  main { padding: 1.25rem 1rem 4rem; } dl { display: block; } dd { margin: 0 0 0.4rem 1rem; } }
@media print { nav { display: none; } body { display: block; } }
"""

SCRIPT = """
const box = document.querySelector('input'), nav = document.querySelector('nav');
const parts = [...nav.querySelectorAll('details')], none = nav.querySelector('.none');
function search() {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  nav.classList.toggle('searching', words.length > 0);
  let found = 0;
  for (const part of parts) {
    let here = 0;
    for (const item of part.querySelectorAll('li')) {
      const text = item.dataset.text;
      const hit = words.every(word => text.includes(word));
      item.classList.toggle('hidden', !hit);
      here += hit;
    }
    part.open = words.length ? here > 0 : false;
    part.classList.toggle('hidden', words.length > 0 && here === 0);
    found += here;
  }
  none.classList.toggle('hidden', found > 0);
}
box.addEventListener('input', search);
box.addEventListener('keydown', event => {
  if (event.key === 'Enter') { const first = nav.querySelector('details:not(.hidden) li:not(.hidden) a'); if (first) first.click(); }
  if (event.key === 'Escape') { box.value = ''; search(); }
});
document.addEventListener('keydown', event => {
  if (event.key === '/' && document.activeElement !== box) { event.preventDefault(); box.focus(); }
});
"""


def anchor(name):
    return re.sub(r"[^\w]+", "-", name).strip("-")


class Html:
    def __init__(self, reference):
        self.reference = reference
        self.seen = set()

    def links(self, text):
        """Escaped text, where public names lead to their places."""
        def link(found):
            name = found.group(0)
            return f'<a href="#{anchor(name)}">{name}</a>' if name in self.reference.names else name
        return NAME.sub(link, html.escape(text, quote=False))

    def inline(self, text):
        parts = re.split(r"`([^`]+)`", text)
        return "".join(f"<code>{self.links(part)}</code>" if at % 2 else self.links(part) for at, part in enumerate(parts))

    def prose(self, lines):
        out = []
        for kind, content in headers.paragraphs(lines):
            if kind == "text":
                out.append(f"<p>{self.inline(content)}</p>")
            elif kind == "list":
                out.append("<ul>" + "".join(f"<li>{self.inline(item)}</li>" for item in content) + "</ul>")
            else:
                out.append("<dl>" + "".join(f"<dt>{self.inline(a)}</dt><dd>{self.inline(b)}</dd>" for a, b in content) + "</dl>")
        return "\n".join(out)

    def signature(self, entry):
        mark = ""
        if anchor(entry.name) not in self.seen:
            self.seen.add(anchor(entry.name))
            mark = f' id="{anchor(entry.name)}"'
        text = entry.text if entry.kind in ("macro", "class") or entry.text.endswith(";") else entry.text + ";"
        if "\n" in text and entry.kind == "type":
            return (f"<div{mark}><details class=long{' open' if text.count(chr(10)) < 12 else ''}><summary><code>"
                    f"{html.escape(entry.name)}</code></summary><pre>{self.links(text)}</pre></details></div>")
        escaped = html.escape(text, quote=False)
        name = html.escape(entry.name, quote=False)
        linked = re.sub(r"(?<!\w)" + re.escape(name) + r"(?!\w)",
                        lambda _: f'<a href="#{anchor(entry.name)}">{name}</a>', escaped, count=1)
        return f"<div{mark}><code>{linked}</code></div>"

    def group(self, group):
        rules = self.reference.rules_of(group.entries)
        holds = ", ".join(f'<a href="#all-{r}" title="{html.escape(self.reference.rules[r])}">{r.lower()}</a>' for r in rules)
        out = ['<article><div class="signatures">'] + [self.signature(entry) for entry in group.entries] + ["</div>"]
        if group.contract:
            out.append(self.prose(group.contract))
        if holds:
            out.append(f'<p class="holds">As said of all functions: {holds}.</p>')
        return "\n".join(out + ["</article>"])

    def contents(self):
        out = []
        for header in self.reference.headers:
            out.append(f'<h2><a href="#{anchor(header.name)}">{header.name}</a></h2>')
            for section in header.sections:
                items = []
                for group in section.groups:
                    about = " ".join(group.contract or []).lower()
                    for name in dict.fromkeys(entry.name for entry in group.entries):
                        text = html.escape(f"{name} {section.title} {about}".lower())
                        items.append(f'<li data-text="{text}"><a href="#{anchor(name)}">{html.escape(name)}</a></li>')
                out.append(f'<details><summary><a href="#{self.place(header, section)}">'
                           f"{html.escape(section.title or 'At the start')}</a></summary><ul>"
                           + "".join(items) + "</ul></details>")
        return "\n".join(out)

    @staticmethod
    def place(header, section):
        return anchor(f"{header.name}-{section.title or 'start'}")

    def preamble(self, header):
        out = self.prose(header.preamble)
        for label in self.reference.rules:
            out = out.replace(f"<dt>{label}</dt>", f'<dt id="all-{label}">{label}</dt>')
        return out

    def page(self):
        body = []
        for header in self.reference.headers:
            body.append(f'<section class="header" id="{anchor(header.name)}"><h1>{header.name}'
                        f"<small>{html.escape(title_of(header))}</small></h1>")
            body.append(f'<p class="include"><code>#include &lt;{header.name}&gt;</code></p>' + self.preamble(header))
            for section in header.sections:
                title = f"<h2>{html.escape(section.title)}</h2>" if section.title else ""
                body.append(f'<section id="{self.place(header, section)}">{title}')
                body += [self.prose(lines) for lines in section.intro]
                body += [self.group(group) for group in section.groups]
                body.append("</section>")
            body.append("</section>")
        version = self.reference.version
        return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mimalloc {version}: reference</title>\n'
                f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>\n'
                f'<nav><a class="product" href="#">mimalloc</a> <span class="version">{version}</span>'
                '<input type="search" placeholder="Search names and contracts ( / )" aria-label="Search">'
                f'<div class="contents"><p class="none hidden">Nothing has all of these words.</p>\n{self.contents()}</div></nav>\n'
                f"<main>{chr(10).join(body)}</main>\n<script>{SCRIPT}</script></body></html>\n")


# ---- manual pages

def roff(text):
    text = text.replace("\\", "\\e").replace("NetBSD", "Net\\&BSD").replace("…", "...").replace("–", "\\(en").replace("→", "\\(->").replace("−", "\\-")
    return text


class Man:
    def __init__(self, reference, when):
        self.reference, self.when = reference, when
        self.pages, self.linked = {}, {}

    def inline(self, text, params):
        parts = re.split(r"`([^`]+)`", text)
        out = []
        for at, part in enumerate(parts):
            if at % 2:
                font = "I" if re.fullmatch(r"\*?\w+", part) and part.lstrip("*") in params else "B"
                out.append(f"\\f{font}{roff(part)}\\fP")
            else:
                out.append(NAME.sub(lambda f: f"\\fB{f.group(0)}\\fP" if f.group(0) in self.reference.names else f.group(0), roff(part)))
        return "".join(out)

    def lines(self, text, params):
        """Filled text: a line for each sentence, folded at 78 columns, no line that looks like a request."""
        out = []
        for sentence in re.split(r"(?<=[.!?:;])[\s]+|(?<=[.!?][)\"'])\s+", text.strip()):
            current = ""
            for word in self.inline(sentence, params).split():
                if current and len(current) + 1 + len(word) > 76:
                    out.append(current)
                    current = word
                else:
                    current = f"{current} {word}".strip()
            if current:
                out.append(current)
        return ["\\&" + line if line[0] in ".'" else line for line in out]

    def prose(self, lines, params=()):
        out = []
        for kind, content in headers.paragraphs(lines):
            if out:
                out.append(".Pp")
            if kind == "text":
                out += self.lines(content, params)
                continue
            out = out[:-1] if out else out
            out.append(".Bl -bullet -compact" if kind == "list" else ".Bl -tag -width Ds")
            for item in content:
                term, text = ("", item) if kind == "list" else item
                out.append(".It" + (" " + self.inline(term, params) if term else ""))
                out += self.lines(text, params)
            out.append(".El")
        return out

    def synopsis(self, entry):
        if entry.kind == "function":
            result = entry.text[:re.search(r"(?<!\w)" + re.escape(entry.name) + r"\s*\(", entry.text).start()].strip()
            out = [f'.Ft "{result}"', f".Fo {entry.name}"]
            return out + [f'.Fa "{param}"' for param in entry.params or ["void"]] + [".Fc"]
        if entry.kind == "macro" and "\n" not in entry.text:
            return [f'.Fd {roff(entry.text)}' if '"' not in entry.text else ".Fd " + roff(entry.text).replace('"', '\\(dq')]
        text = entry.text if entry.kind in ("macro", "class") or entry.text.endswith(";") else entry.text + ";"
        out = [".Bd -literal"]
        for line in text.split("\n"):
            out.append(("\\&" if line[:1] in (".", "'") else "") + roff(line) if line.strip() else "\\&")
        return out + [".Ed"]

    def head(self, name, names, about):
        dt = time.strftime("%B %d, %Y", time.gmtime(self.when)).replace(" 0", " ")
        out = [f".\\\" Made by tools/gen_reference.py from the headers.", f".Dd {dt}", f".Dt {name.upper()} 3", ".Os",
               ".Sh NAME"]
        out += [f".Nm {n} ,"for n in names[:-1]] + [f".Nm {names[-1]}", f".Nd {about}"]
        return out + [".Sh LIBRARY", "mimalloc (libmimalloc, \\-lmimalloc)"]

    def section_page(self, header, section):
        entries = section.entries()
        unique = list(dict.fromkeys(e.name for e in entries if e.kind != "operator"))
        if not unique:
            return None
        functions = [e.name for e in entries if e.kind in ("function", "class")]
        name = (functions or unique)[0]
        title = section.title or title_of(header)
        out = self.head(name, [name] + [n for n in unique if n != name], title[0].lower() + title[1:] if not title.isupper() else title)
        out += [".Sh SYNOPSIS", f".In {header.name}"]
        for entry in entries:
            if entry.kind != "operator":
                out += self.synopsis(entry)
        out.append(".Sh DESCRIPTION")
        for i, lines in enumerate(section.intro):
            out += ([".Pp"] if i > 0 else []) + self.prose(lines)
        for group in section.groups:
            if not group.contract:
                continue
            params = {p for e in group.entries for p in e.param_names()}
            out.append(".Ss " + " , ".join(dict.fromkeys(e.name for e in group.entries)).replace(" ,", ","))
            out += self.prose(group.contract, params)
        rules = self.reference.rules_of(entries)
        if rules:
            out.append(".Sh WHAT HOLDS FOR ALL FUNCTIONS")
            out += [".Bl -tag -width Ds"]
            for rule in rules:
                out += [f".It {rule}"] + self.lines(self.reference.rules[rule], ())
            out += [".El"]
        return name, unique, out

    def make(self):
        for header in self.reference.headers:
            # Other people's names (malloc …) have pages of their own in any system.
            own = [s for s in header.sections if (s.title or any(e.kind == "function" for e in s.entries())) and all(e.name.lower().startswith("mi_") for e in s.entries())]
            made = [page for page in (self.section_page(header, s) for s in own) if page]
            for name, unique, out in made:
                self.pages[name] = out
                for other in unique:
                    if other != name:
                        self.linked.setdefault(other, name)
            self.header_page(header, made)
            rest = [e for s in header.sections if s not in own for e in s.entries()]
            for entry in rest:
                if entry.name.lower().startswith("mi_"):
                    self.linked.setdefault(entry.name, header.name.rsplit(".", 1)[0])
        firsts = list(self.pages)
        for name, out in self.pages.items():
            out.append(".Sh SEE ALSO")
            others = [n for n in firsts if n != name] if name == "mimalloc" else [n for n in ("mimalloc", "malloc") if n != name]
            out += [f".Xr {n} 3 ," for n in sorted(others, key=str.lower)[:-1]]
            out.append(f".Xr {max(others, key=str.lower)} 3")
        for name in self.pages:
            self.linked.pop(name, None)

    def header_page(self, header, made):
        name = header.name.rsplit(".", 1)[0]
        title = title_of(header)
        out = self.head(name, [name], title)
        out += [".Sh SYNOPSIS", f".In {header.name}"]
        for entry in header.sections[0].entries() if header.sections and not header.sections[0].title else []:
            if entry.kind == "macro" and entry.name.startswith("MI_"):
                out += self.synopsis(entry)
        out += [".Sh DESCRIPTION"] + self.prose(header.preamble)
        others = [e for e in header.entries() if not e.name.lower().startswith("mi_")]
        if others:
            out += [".Sh DEFINITIONS", ".Bd -literal"]
            out += [roff(" ".join(e.text.split())) + (";" if e.kind == "operator" else "") for e in others] + [".Ed"]
        if made:
            out += [".Sh OVERVIEW", ".Bl -tag -width Ds"]
            for first, unique, _ in made:
                out += [f".It Xr {first} 3", *self.lines(", ".join(n for n in unique if n != first) or "alone", ())]
            out.append(".El")
        if header is self.reference.headers[0]:
            out += [".Sh ENVIRONMENT"] + self.lines("Variables that begin with MIMALLOC_ set options; "
                                                    "docs/options.md of the sources lists them all.", ())
        self.pages[name] = out

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        for old in os.listdir(folder):
            os.remove(os.path.join(folder, old))
        for name, out in self.pages.items():
            with open(os.path.join(folder, f"{name}.3"), "w", encoding="utf-8") as file:
                file.write("\n".join(out) + "\n")
        for name, target in self.linked.items():
            os.symlink(f"{target}.3", os.path.join(folder, f"{name}.3"))


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    out = sys.argv[1]
    include = sys.argv[2] if len(sys.argv) == 3 else os.path.join(ROOT, "include")
    reference = Reference(include)
    newest = max(os.path.getmtime(os.path.join(include, name)) for name in os.listdir(include))
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "mimalloc.html"), "w", encoding="utf-8") as file:
        file.write(Html(reference).page())
    man = Man(reference, int(os.environ.get("SOURCE_DATE_EPOCH", newest)))
    man.make()
    man.write(os.path.join(out, "man", "man3"))
    print(f"{out}/mimalloc.html, and {len(man.pages)} manual pages under {len(man.pages) + len(man.linked)} names in {out}/man")


if __name__ == "__main__":
    main()
