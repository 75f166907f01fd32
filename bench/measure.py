# SPDX-License-Identifier: MIT
"""Running one program once and learning what it used; building the programs that do it."""
import glob
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Built-in knowledge of malloc is off, or the compiler drops pairs of malloc and free.
FLAGS = ["-O2", "-g", "-pthread"] + [f"-fno-builtin-{name}" for name in ("malloc", "free", "calloc", "realloc")]
LIMIT_S = 150


class Failed(Exception):
    """A run that did not do its work."""


class Builder:
    """Compiles a program of this folder the first time that it is asked for."""

    def __init__(self, folder, cc, cxx):
        self.folder, self.cc, self.cxx = folder, cc, cxx
        self.made = {}
        os.makedirs(folder, exist_ok=True)

    def program(self, name):
        if name not in self.made:
            source = next(p for p in (f"{HERE}/workloads/{name}.c", f"{HERE}/workloads/{name}.cc", f"{HERE}/{name}.c")
                          if os.path.exists(p))
            target = os.path.join(self.folder, name)
            needed = [source] + glob.glob(f"{HERE}/workloads/*.h") + [os.path.abspath(__file__)]
            if not os.path.exists(target) or any(os.path.getmtime(p) > os.path.getmtime(target) for p in needed):
                compiler = [self.cxx, "-std=gnu++17"] if source.endswith(".cc") else [self.cc, "-std=gnu11"]
                subprocess.run(compiler + FLAGS + ["-o", target, source], check=True)
            self.made[name] = target
        return self.made[name]


def last_line(text):
    return (text.strip().splitlines() or ["nothing said"])[-1][:200]


def values(text):
    """name=value words as a dictionary."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def environment(more=None):
    """The same small environment for every run, so that nothing depends on who starts it."""
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C",
           "LANG": "C"}
    env.update(more or {})
    return env


class Process:
    """A program that runs under the launcher. `with` ends it in any case."""

    def __init__(self, launcher, scratch, allocator, command, env=None, cwd=None, stdin=None, user=None, program=None):
        self.report_path = os.path.join(scratch, "report")
        self.error_path = os.path.join(scratch, "stderr")
        self.command = command
        if os.path.exists(self.report_path):
            os.unlink(self.report_path)
        if user:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] + command
        library = allocator.preload(program or self.command[0])
        self.input = open(stdin, "rb") if stdin else subprocess.DEVNULL
        with open(self.error_path, "wb") as errors:
            env = environment({**(env or {}), **allocator.environment})
            self.popen = subprocess.Popen([launcher, self.report_path, library] + command, env=env, cwd=cwd,
                                          stdin=self.input, stdout=subprocess.PIPE, stderr=errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()  # the launcher's death ends the program
            self.popen.wait()
        self.popen.stdout.close()
        if self.input is not subprocess.DEVNULL:
            self.input.close()

    def report(self):
        try:
            with open(self.report_path, encoding="ascii") as file:
                return values(file.read())
        except FileNotFoundError:
            return {}

    def pid(self):
        for _ in range(500):
            found = self.report().get("pid")
            if found:
                return int(found)
            time.sleep(0.01)
        raise Failed(f"{self.command[0]} did not start")

    def errors(self):
        with open(self.error_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def finish(self, limit_s=LIMIT_S, wanted=(0,)):
        """Waits for the end; (standard output, the launcher's figures)."""
        try:
            output, _ = self.popen.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {limit_s} s") from None
        if "cannot be preloaded" in self.errors():
            raise Failed("the library was not preloaded")
        if self.popen.returncode not in wanted:
            raise Failed(f"exit status {self.popen.returncode}: {last_line(self.errors())}")
        return output.decode("utf-8", "replace"), figures(self.report())

    def stop(self, number):
        """Sends a signal to the program and waits for its end."""
        os.kill(self.pid(), number)
        return self.finish(30, (0, 128 + number))[1]


def figures(report):
    """The launcher's or a workload's words as numbers: seconds, KiB, counts."""
    made = {}
    for name, text in report.items():
        if name.endswith("_us"):
            made[name[:-3] + "_s"] = int(text) / 1e6
        elif name.endswith("_kib") or name in ("faults", "operations", "thread_bytes"):
            made[name] = int(text)
        elif name == "checksum":
            made[name] = text
    return made


def descendants(pid):
    """A process and all that it started that still run."""
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                for child in file.read().split():
                    found += descendants(int(child))
        except OSError:
            continue
    return found


def memory_kib(pid, field):
    """The sum of a field of smaps_rollup (Rss, Pss) over a process and its descendants."""
    total = 0
    for each in descendants(pid):
        try:
            with open(f"/proc/{each}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    if line.startswith(field + ":"):
                        total += int(line.split()[1])
        except OSError:
            continue
    return total


class Watch:
    """The peak memory of a process and its descendants together, looked at ten times a second.

    Pages that several of them share count once.
    """

    def __init__(self, pid):
        self.pid, self.peak_kib = pid, 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while True:
            self.peak_kib = max(self.peak_kib, memory_kib(self.pid, "Pss"))
            if self.done.wait(0.1):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
