# SPDX-License-Identifier: MIT
"""What this library sets out to reach beside its peers, and how far a run is from it."""
import allocators
import results

OWN, GLIBC = allocators.OWN, allocators.GLIBC
TIME_OVER_BEST_PEER = 0.90  # geometric mean
PEAK_OVER = [(GLIBC, 0.95), ("mimalloc2", 0.85), ("mimalloc3", 0.55)]  # geometric means; the last by --with mimalloc3=…
EACH_OVER_BEST = [("wall_s", 1.10), ("peak_kib", 1.30), ("faults", 1.05)]  # on any one workload
MICRO_OVER_BEST = 1.00
THREAD_BYTES = 12 * 1024  # what a thread that allocated once keeps
NAMED = 6  # workloads that are told by name


class Target:
    """One sentence, whether it is met, and by how much it is missed."""

    def __init__(self, text, met, detail):
        self.text, self.met, self.detail = text, met, detail


def mean_over(measured, peer, metric):
    return results.geometric_mean(r.ratio(OWN, peer, metric) for r in measured)


def time_of_all(measured, names):
    """Over the peer that is the fastest on the whole."""
    known = [(mean_over(measured, n, "wall_s"), n) for n in names if n != OWN]
    known = [(mean, name) for mean, name in known if mean]
    if not known:
        return []
    mean, name = max(known)
    return [Target(f"time, geometric mean: at most {TIME_OVER_BEST_PEER:.2f} of the best single peer's",
                   mean <= TIME_OVER_BEST_PEER, f"{mean:.2f} of {name}'s")]


def peak_of_all(measured, names):
    made = []
    for name, limit in PEAK_OVER:
        mean = mean_over(measured, name, "peak_kib") if name in names else None
        if mean:
            made.append(Target(f"peak memory, geometric mean: at most {limit:.2f} of {name}'s", mean <= limit, f"{mean:.2f}"))
    return made


def each(measured, metric, limit, text):
    """No workload further behind the best peer than the limit."""
    over = [(r.over_best(metric), r.name) for r in measured if r.over_best(metric)]
    if not over:
        return []
    behind = sorted((o for o in over if o[0] > limit), reverse=True)
    told = ", ".join(f"{name} {by:.2f}" for by, name in behind[:NAMED]) + (", …" if len(behind) > NAMED else "")
    detail = f"{len(behind)} of {len(over)} above: {told}" if behind else f"at most {max(over)[0]:.2f} ({max(over)[1]})"
    return [Target(text, not behind, detail)]


def each_of_all(measured):
    made = []
    headings = {metric: heading for metric, heading, _ in results.METRICS}
    for metric, limit in EACH_OVER_BEST:
        made += each(measured, metric, limit, f"{headings[metric]} of each workload: at most {limit:.2f} of the best peer's")
    micro = [r for r in measured if r.group == "micro"]
    return made + each(micro, "wall_s", MICRO_OVER_BEST, "time of each micro pattern: at least level with the best peer")


def thread(measured):
    kept = [r.value(OWN, "thread_bytes") for r in measured]
    kept = [k for k in kept if k]
    if not kept:
        return []
    return [Target(f"a thread that allocated once keeps at most {THREAD_BYTES // 1024} KiB", max(kept) <= THREAD_BYTES,
                   f"{max(kept) / 1024:.1f} KiB")]


def judge(measured):
    """The targets of which the run says something."""
    names = results.names_in(measured)
    return time_of_all(measured, names) + peak_of_all(measured, names) + each_of_all(measured) + thread(measured)


def write(measured, out):
    judged = judge(measured)
    if judged:
        print(f"\nTargets: {sum(t.met for t in judged)} of {len(judged)} met", file=out)
    for target in judged:
        print(f"{'met' if target.met else 'MISSED':8}{target.text}", file=out)
        print(f"{'':8}    {target.detail}", file=out)
