# SPDX-License-Identifier: MIT
"""The page with plots: one file, drawn here as SVG, nothing loaded from anywhere, light and dark."""
import html
import math
import os

import allocators
import report
import results

OWN = allocators.OWN
# By place among the allocators: ours, glibc's, the peers. Chosen to be told apart by all eyes, on white and on black.
COLOURS = [("#0b62c4", "#5aa9ff"), ("#767676", "#a6a6a6"), ("#2a9fb8", "#4fc3dc"), ("#c77700", "#f0a030"),
           ("#17835c", "#3fbf8f"), ("#a8479c", "#d98fd0"), ("#b83a1e", "#f07a5a"), ("#8a7a00", "#d8c83a"),
           ("#5b4bb0", "#a599f0"), ("#3b6e1f", "#8fc46a")]
STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5d6570; --line: #d9dde2; --back: #ffffff; --card: #f7f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa3ad; --line: #363b42; --back: #15181c; --card: #1d2126; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0; } p { margin: .2rem 0 .8rem; max-width: 75ch; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; color: var(--soft); }
dt { color: var(--ink); } dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; }
th, td { padding: .22rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
td.best { font-weight: 700; } td.behind { text-decoration: underline wavy #d33a2c 1px; text-underline-offset: 3px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem .9rem; }
.card p { margin: 0 0 .4rem; font-size: .82rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
svg text.soft { fill: var(--soft); } svg .grid { stroke: var(--line); stroke-width: 1; } svg .strong { font-weight: 700; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .86rem; margin: .3rem 0 .8rem; }
.legend span::before { content: ""; display: inline-block; width: .75em; height: .75em; border-radius: 2px;
  margin-right: .4em; background: var(--c); }
"""


def colour_style(names):
    """A class for each allocator; light and dark."""
    light = "".join(f".a{i} {{ --c: {COLOURS[i % len(COLOURS)][0]}; }}\n" for i, _ in enumerate(names))
    dark = "".join(f".a{i} {{ --c: {COLOURS[i % len(COLOURS)][1]}; }}\n" for i, _ in enumerate(names))
    return f"{light}@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def text_at(x, y, text, anchor="start", kind=""):
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{html.escape(text)}</text>'


def line(x1, y1, x2, y2):
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def drawing(width, height, parts, label):
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label)}">{"".join(parts)}</svg>'


# ---- bars ----

def bars(result, names):
    """Time and peak memory of one workload, a row for each allocator. What is over four times the best is cut off."""
    row, left, width, gap = 17, 76, 104, 62
    parts = []
    for column, metric in enumerate(("wall_s", "peak_kib")):
        x = left + column * (width + gap)
        known = [v for v in (result.value(n, metric) for n in names) if v]
        if not known:
            continue
        most = min(max(known), 4 * min(known))
        for i, name in enumerate(names):
            value = result.value(name, metric)
            y = 4 + i * row
            if value is None:
                failed = name in result.series and result.series[name].failure
                parts.append(text_at(x, y + 11, "failed" if failed else "-", kind="soft"))
                continue
            length = max(1.0, width * min(value, most) / most)
            parts.append(f'<rect class="a{i}" x="{x}" y="{y}" width="{length:.1f}" height="{row - 5}" rx="2" '
                         'style="fill:var(--c)"/>')
            if value > most * 1.001:
                cut = f"M{x + width - 12} {y - 1} l-5 {row - 3} h4 l5 -{row - 3} z"
                parts.append(f'<path d="{cut}" style="fill:var(--card)"/>')
            nanoseconds = result.nanoseconds(name) if metric == "wall_s" else None
            label = f"{nanoseconds:.3g} ns" if nanoseconds and nanoseconds < 1000 else \
                f"{nanoseconds / 1000:.3g} µs" if nanoseconds else report.amount(value, metric)
            parts.append(text_at(x + length + 4, y + 10, label, kind="strong" if value == min(known) else ""))
    for i, name in enumerate(names):
        parts.append(text_at(left - 6, 14 + i * row, name, "end", "strong" if name == OWN else ""))
    return drawing(left + 2 * (width + gap), 6 + row * len(names), parts, f"{result.name}: time and peak memory")


# ---- scatter ----

TICKS = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100]


class Plane:
    """Two logarithmic axes."""

    width, height, left, bottom, top, right = 560, 420, 52, 44, 14, 20

    def __init__(self, xs, ys):
        self.x_range, self.y_range = self.span(xs), self.span(ys)

    @staticmethod
    def span(values):
        low, high = min(values), max(values)
        return math.log(low / 1.08), math.log(high * 1.15)

    def x(self, value):
        low, high = self.x_range
        return self.left + (math.log(value) - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value):
        low, high = self.y_range
        return self.height - self.bottom - (math.log(value) - low) / (high - low) * (self.height - self.bottom - self.top)

    def axes(self, across, up):
        parts = []
        for tick in TICKS:
            if self.x_range[0] <= math.log(tick) <= self.x_range[1]:
                parts.append(line(self.x(tick), self.top, self.x(tick), self.height - self.bottom))
                parts.append(text_at(self.x(tick), self.height - self.bottom + 15, f"{tick:g}", "middle", "soft"))
            if self.y_range[0] <= math.log(tick) <= self.y_range[1]:
                parts.append(line(self.left, self.y(tick), self.width - self.right, self.y(tick)))
                parts.append(text_at(self.left - 6, self.y(tick) + 4, f"{tick:g}", "end", "soft"))
        parts.append(text_at((self.left + self.width) / 2, self.height - 8, across, "middle"))
        middle = (self.height - self.bottom) / 2
        parts.append(f'<text transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">'
                     f"{html.escape(up)}</text>")
        return parts


def label_at(x, y, name, points, width):
    """A point's name: to its right, or its left, or above it, where no other point is in the way."""
    kind, room = "strong" if name == OWN else "", 12 + 7 * len(name)
    near = [px - x for px, py in points if abs(py - y) < 12 and px != x]
    if x + room < width and not any(0 <= d < room for d in near):
        return text_at(x + 9, y + 4, name, "start", kind)
    if not any(-room < d <= 0 for d in near):
        return text_at(x - 9, y + 4, name, "end", kind)
    return text_at(x, y - 9, name, "middle", kind)


def overall_scatter(measured, names):
    """One point for each allocator: geometric means over ours."""
    points = []
    for i, name in enumerate(names):
        both = [r for r in measured if r.ratio(name, OWN, "wall_s") and r.ratio(name, OWN, "peak_kib")]
        if both:
            points.append((i, name, results.geometric_mean(r.ratio(name, OWN, "wall_s") for r in both),
                           results.geometric_mean(r.ratio(name, OWN, "peak_kib") for r in both)))
    if not points:
        return ""
    plane = Plane([p[2] for p in points] + [0.9, 1.2], [p[3] for p in points] + [0.9, 1.2])
    parts = plane.axes("time, this library = 1", "peak memory, this library = 1")
    for i, name, across, up in points:
        x, y = plane.x(across), plane.y(up)
        parts.append(f'<circle class="a{i}" cx="{x:.1f}" cy="{y:.1f}" r="{7 if name == OWN else 5}" style="fill:var(--c)">'
                     f"<title>{html.escape(name)}: time {across:.2f}, memory {up:.2f}</title></circle>")
        parts.append(label_at(x, y, name, [(plane.x(p[2]), plane.y(p[3])) for p in points], plane.width))
    return drawing(plane.width, plane.height, parts, "time against memory, geometric means")


def detailed_scatter(measured, names):
    """One point for each allocator and workload, over the best of that workload."""
    points = []
    for result in measured:
        times = [t for t in (result.value(n, "wall_s") for n in names) if t]
        memories = [m for m in (result.value(n, "peak_kib") for n in names) if m]
        for i, name in enumerate(names):
            time, memory = result.value(name, "wall_s"), result.value(name, "peak_kib")
            if time and memory:
                points.append((i, name, result.name, time / min(times), memory / min(memories)))
    if not points:
        return ""
    plane = Plane([p[3] for p in points], [p[4] for p in points])
    parts = plane.axes("time, the workload's best = 1", "peak memory, the workload's best = 1")
    # Ours last: on top of the others.
    for i, name, workload, across, up in sorted(points, key=lambda p: p[1] == OWN):
        title = html.escape(f"{name}, {workload}: time {across:.2f}, memory {up:.2f}")
        radius = 4.5 if name == OWN else 3.2
        parts.append(f'<circle class="a{i}" cx="{plane.x(across):.1f}" cy="{plane.y(up):.1f}" r="{radius}" '
                     f'style="fill:var(--c);fill-opacity:.75"><title>{title}</title></circle>')
    return drawing(plane.width, plane.height, parts, "time against memory, every workload")


# ---- scaling ----

def families(measured):
    """Workloads that were run with several numbers of threads: {name: {threads: result}}."""
    found = {}
    for result in measured:
        name, slash, _ = result.name.partition("/")
        if slash:
            found.setdefault(name, {})[result.threads] = result
    return {name: by_count for name, by_count in found.items() if len(by_count) > 1}


def scaling(by_count, names):
    """Work done per time against threads. Each thread does the same work, whatever their number."""
    counts = sorted(by_count)
    base = next((v for v in (by_count[counts[0]].value(n, "wall_s") for n in names) if v), None)
    if not base:
        return ""
    rates = {}
    for name in names:
        walls = [(c, by_count[c].value(name, "wall_s")) for c in counts]
        rates[name] = [(c, c * base / wall) for c, wall in walls if wall]
    known = [rate for points in rates.values() for _, rate in points]
    width, height, left, bottom, top = 400, 230, 36, 26, 8
    most = max(known) * 1.05

    def place(index, rate):
        across = index / max(1, len(counts) - 1) * (width - left - 66)
        return left + across, height - bottom - rate / most * (height - bottom - top)

    parts = []
    for k in range(5):
        rate = most / 1.05 * k / 4
        y = place(0, rate)[1]
        parts += [line(left, y, width - 66, y), text_at(left - 4, y + 4, f"{rate:.2g}", "end", "soft")]
    parts += [text_at(place(k, 0)[0], height - 8, str(c), "middle", "soft") for k, c in enumerate(counts)]
    ends = []
    for i, name in enumerate(names):
        points = [place(counts.index(c), rate) for c, rate in rates[name]]
        if not points:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="a{i}" points="{path}" style="fill:none;stroke:var(--c);'
                     f'stroke-width:{3 if name == OWN else 1.6}"><title>{html.escape(name)}</title></polyline>')
        ends.append([points[-1][1], points[-1][0], name])
    # Names at the ends of the lines, moved apart where they would overlap.
    last = -100.0
    for y, x, name in sorted(ends):
        last = max(y, last + 11)
        parts.append(text_at(x + 5, last + 4, name, kind="strong" if name == OWN else ""))
    return drawing(width, height, parts, "work per time against threads")


# ---- tables ----

def summary_table(measured, names):
    peers = [n for n in names if n != OWN]
    rows = []
    for heading, each, best, worst, by, count, limit in report.summary(measured, names):
        known = dict(each)
        cells = "".join(f"<td>{report.ratio_text(known.get(n))}</td>" for n in peers)
        rows.append(f"<tr><td>{html.escape(heading)}</td>{cells}<td>{report.ratio_text(best)}</td>"
                    f"<td>{report.ratio_text(by)} ({html.escape(worst.name)})</td><td>{count} above {limit:.2f}</td></tr>")
    head = "".join(f"<th>{html.escape(n)}</th>" for n in peers)
    head = f"<tr><th>this over</th>{head}<th>best of each</th><th>worst</th><th></th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def metric_table(measured, names, metric, heading):
    rows = []
    for result in measured:
        known = [v for v in (result.value(n, metric) for n in names) if v]
        if not known:
            continue
        cells = []
        for name in names:
            value = result.value(name, metric)
            over = result.over_best(metric) if name == OWN else None
            css = "best" if value == min(known) else "behind" if over and over > report.LIMITS[metric] else ""
            cells.append(f'<td class="{css}">{report.amount(value, metric)}</td>')
        over = report.ratio_text(result.over_best(metric))
        rows.append(f'<tr><td>{html.escape(result.name)}</td>{"".join(cells)}<td>{over}</td></tr>')
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
    return (f"<details><summary>{html.escape(heading.capitalize())}</summary>"
            f'<div class="scroll"><table><tr><th></th>{head}<th>this/best</th></tr>{"".join(rows)}</table></div></details>')


GROUPS = [("workload", "Patterns"), ("micro", "One thing at a time"), ("real", "Real programs")]


def write(path, measured, host):
    names = results.names_in(measured)
    legend = "".join(f'<span class="a{i}">{html.escape(n)}</span>' for i, n in enumerate(names))
    several = families(measured)
    parts = ["<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
             "<title>Allocators side by side</title>", f"<style>{STYLE}{colour_style(names)}</style>",
             "<h1>Allocators side by side</h1>",
             "<dl>" + "".join(f"<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>" for a, b in host.lines) + "</dl>",
             "<h2>Geometric means</h2><p>This library's figures over each peer's, over all workloads that both ran. "
             "Below 1, this library is faster or smaller. The last columns compare with the best peer of each workload.</p>",
             summary_table(measured, names),
             f'<h2>Time against memory</h2><div class="legend">{legend}</div><div class="plots">',
             "<div><p>Geometric means over all workloads. Down and left is better.</p>" +
             overall_scatter(measured, names) + "</div>",
             "<div><p>Every workload; each over the best there. Point at a dot for its name.</p>" +
             detailed_scatter(measured, names) + "</div></div>"]
    if several:
        cards = "".join(f'<div class="card"><h3>{html.escape(n)}</h3>{scaling(by_count, names)}</div>'
                        for n, by_count in several.items())
        parts.append("<h2>Threads</h2><p>Work done per time, against the number of threads; one thread of the first "
                     f'allocator is 1.</p><div class="cards">{cards}</div>')
    for group, title in GROUPS:
        chosen = [r for r in measured if r.group == group]
        if chosen:
            cards = "".join(f'<div class="card"><h3>{html.escape(r.name)}</h3><p>{html.escape(r.text)}</p>'
                            f"{bars(r, names)}</div>" for r in chosen)
            parts.append(f"<h2>{title}</h2><p>Left: time; right: peak memory. The best figure is bold.</p>"
                         f"<div class=cards>{cards}</div>")
    parts.append("<h2>All figures</h2><p>Medians. Bold: the best. Underlined: this library is behind the best peer by more "
                 "than 1.10 in time, 1.30 in memory, 1.05 in page faults.</p>")
    parts += [metric_table(measured, names, metric, heading) for metric, heading, _ in results.METRICS]
    parts.append("</html>\n")
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))
