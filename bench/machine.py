# SPDX-License-Identifier: MIT
"""The machine that was measured on, and how: a few lines for the head of a report."""
import datetime
import os
import platform


def first_line(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return default


def field(path, name):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return ""


class Machine:
    """`short` names it in file names; `lines` are (what, text); both survive in a CSV file."""

    def __init__(self, short, lines):
        self.short, self.lines, self.minutes = short, lines, None


def chosen(text):
    """The word in brackets: 'always [madvise] never'."""
    start, end = text.find("["), text.find("]")
    return text[start + 1:end] if 0 <= start < end else text or "unknown"


def describe(args):
    model = field("/proc/cpuinfo", "model name") or field("/proc/cpuinfo", "Hardware") or platform.machine()
    processors = len(os.sched_getaffinity(0))
    memory = field("/proc/meminfo", "MemTotal").split()
    name = os_name()
    libc = " ".join(platform.libc_ver())
    governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown")
    load = first_line("/proc/loadavg").split()
    gib = round(int(memory[0]) / 1048576) if memory else 0
    lines = [
        ("machine", f"{model}, {processors} processors, {gib} GiB, {platform.machine()}"),
        ("system", f"{name}, Linux {platform.release()}, {libc}"),
        ("settings", f"transparent huge pages {chosen(first_line('/sys/kernel/mm/transparent_hugepage/enabled'))}, "
                     f"overcommit {first_line('/proc/sys/vm/overcommit_memory', 'unknown')}, governor {governor}"),
        ("measured", f"{datetime.datetime.now().strftime('%Y-%m-%d %H:%M')}, {args.runs} runs, scale {args.scale:g}, "
                     f"threads {','.join(map(str, args.threads))}, load before {load[0] if load else 'unknown'}"),
    ]
    return Machine(f"{model} {processors} processors", lines)


def os_name():
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.split("=", 1)[1].strip().strip('"')
    except OSError:
        pass
    return "unknown system"
