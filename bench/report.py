# SPDX-License-Identifier: MIT
"""The tables in the terminal."""
import allocators
import results
import targets

OWN = allocators.OWN
# How far behind the best peer is marked with an exclamation mark.
LIMITS = {"wall_s": 1.10, "cpu_s": 1.10, "peak_kib": 1.30, "after_kib": 1.30, "idle_kib": 1.30, "faults": 1.05}
TABLES = ["wall_s", "cpu_s", "peak_kib", "after_kib", "idle_kib", "faults"]


def amount(value, metric):
    """A figure with its unit, in eight columns."""
    if value is None:
        return "-"
    if metric.endswith("_s"):
        digits = 1 if value < 0.00995 else 0
        return f"{value * 1000:.{digits}f} ms" if value < 9.9995 else f"{value:.1f} s"
    if metric.endswith("_kib"):
        return f"{value / 1024:.1f} MiB" if value < 100 * 1024 else f"{value / 1024:.0f} MiB"
    return f"{value:.0f}" if value < 1e5 else f"{value / 1000:.0f}k"


def ratio_text(ratio):
    return "-" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def print_line(result, out):
    """What is known as soon as one workload is done."""
    own, best = result.value(OWN, "wall_s"), result.best_peer("wall_s")
    failed = [f"{name}: {series.failure}" for name, series in result.series.items() if series.failure]
    text = f"{result.name:18}{amount(own, 'wall_s'):>9}{amount(result.value(OWN, 'peak_kib'), 'peak_kib'):>11}"
    if best:
        text += f"   {ratio_text(result.over_best('wall_s'))} of {best[0]}'s time"
        memory = result.best_peer("peak_kib")
        if memory:
            text += f", {ratio_text(result.over_best('peak_kib'))} of {memory[0]}'s memory"
    print(text, file=out)
    for failure in failed:
        print(f"    {failure}", file=out)
    out.flush()


def print_table(measured, names, metric, heading, out):
    """One metric: our figure, then each peer's as a multiple of ours, then ours over the best peer's."""
    if not any(r.value(OWN, metric) for r in measured):
        return
    peers = [n for n in names if n != OWN]
    print(f"\n{heading}", file=out)
    print(f"{'':18}{OWN:>9}" + "".join(f"{n[:10]:>11}" for n in peers) + f"{'this/best':>11}", file=out)
    for result in measured:
        if not any(result.value(n, metric) for n in names) and not any(s.failure for s in result.series.values()):
            continue
        cells = []
        for name in peers:
            series = result.series.get(name)
            cells.append("FAILED" if series and series.failure else ratio_text(result.ratio(name, OWN, metric)))
        over = result.over_best(metric)
        mark = "!" if over and over > LIMITS[metric] else " "
        best = result.best_peer(metric)
        own = "FAILED" if result.series[OWN].failure else amount(result.value(OWN, metric), metric)
        print(f"{result.name:18}{own:>9}" + "".join(f"{c:>11}" for c in cells) +
              f"{ratio_text(over):>10}{mark} {best[0] if best else ''}", file=out)
    means = [results.geometric_mean(r.ratio(n, OWN, metric) for r in measured) for n in peers]
    over = results.geometric_mean(r.over_best(metric) for r in measured)
    cells = "".join(f"{ratio_text(m):>11}" for m in means)
    print(f"{'geometric mean':18}{'1.00':>9}{cells}{ratio_text(over):>10}", file=out)


def print_nanoseconds(measured, names, out):
    micro = [r for r in measured if r.nanoseconds(OWN)]
    if not micro:
        return
    print("\nTime of one operation, in nanoseconds", file=out)
    print(f"{'':18}" + "".join(f"{n[:10]:>11}" for n in names), file=out)
    for result in micro:
        known = [result.nanoseconds(n) for n in names]
        cells = ["-" if ns is None else f"{ns:.1f}" if ns < 1000 else f"{ns:.0f}" for ns in known]
        print(f"{result.name:18}" + "".join(f"{cell:>11}" for cell in cells), file=out)


def print_threads(measured, names, out):
    for result in measured:
        if result.value(OWN, "thread_bytes"):
            known = [result.value(n, "thread_bytes") for n in names]
            cells = ["-" if k is None else f"{k / 1024:.1f} KiB" for k in known]
            print("\nMemory that a thread keeps which allocated once", file=out)
            print(f"{'':18}" + "".join(f"{n[:10]:>11}" for n in names), file=out)
            print(f"{result.name:18}" + "".join(f"{cell:>11}" for cell in cells), file=out)


def summary(measured, names):
    """The geometric means of ours over each peer's, as lines."""
    lines = []
    for metric, heading, _ in results.METRICS:
        each = [(n, results.geometric_mean(r.ratio(OWN, n, metric) for r in measured)) for n in names if n != OWN]
        each = [(n, m) for n, m in each if m]
        best = results.geometric_mean(r.over_best(metric) for r in measured)
        if not each or best is None:
            continue
        worst = max((r for r in measured if r.over_best(metric)), key=lambda r: r.over_best(metric))
        over = [r for r in measured if r.over_best(metric) and r.over_best(metric) > LIMITS[metric]]
        lines.append((heading, each, best, worst, worst.over_best(metric), len(over), LIMITS[metric]))
    return lines


def print_summary(measured, names, out):
    print("\nThis library's figures over the peers', geometric means (below 1: this one is faster or smaller)", file=out)
    peers = [n for n in names if n != OWN]
    print(f"{'':26}" + "".join(f"{n[:10]:>11}" for n in peers) + f"{'best each':>11}   worst", file=out)
    for heading, each, best, worst, by, count, limit in summary(measured, names):
        known = dict(each)
        print(f"{heading:26}" + "".join(f"{ratio_text(known.get(n)):>11}" for n in peers) +
              f"{ratio_text(best):>11}   {ratio_text(by)} ({worst.name}); {count} above {limit:.2f}", file=out)


def print_all(measured, host, out):
    names = results.names_in(measured)
    print(file=out)
    for what, text in host.lines:
        print(f"{what:10}{text}", file=out)
    headings = {metric: heading for metric, heading, _ in results.METRICS}
    for metric in TABLES:
        heading = f"{headings[metric].capitalize()}: medians; a peer's as a multiple of this library's"
        print_table(measured, names, metric, f"{heading} (! = above {LIMITS[metric]:.2f} of the best peer)", out)
    print_nanoseconds(measured, names, out)
    print_threads(measured, names, out)
    print_summary(measured, names, out)
    targets.write(measured, out)
    spreads = sorted(r.series[OWN].spread() for r in measured if r.series[OWN].runs() > 1)
    if spreads:
        print(f"\nSpread of this library's times, (longest - shortest) / median: half of the workloads below "
              f"{spreads[len(spreads) // 2]:.0%}, the worst {spreads[-1]:.0%}", file=out)
    few = [f"{r.name} ({n})" for r in measured for n, s in r.series.items()
           if 0 < s.runs() < max(x.runs() for x in r.series.values()) and not s.failure]
    if few:
        print(f"Run once only, being very slow: {', '.join(few)}", file=out)
    if host.minutes:
        print(f"Took {host.minutes:.1f} minutes", file=out)
