#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the services beside it with the system's malloc and with libmimalloc.so, and prints what memory they take.

run.py LIB [LANGUAGE…]: peak is what the process held at most, after is what it holds five seconds after nine tenths of its
data are gone. Languages that are not installed are left out.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = {
    "python": (["python3", "service.py"], {"PYTHONMALLOC": "malloc"}),
    "node": (["node", "--expose-gc", "service.js"], {}),
    "ruby": (["ruby", "service.rb"], {}),
    "java": (["java", "-Xmx128m", "-XX:MaxDirectMemorySize=512m", "Service.java"], {}),
    "go": (["go", "build", "service.go"], {}),
    "dotnet": (["mcs", "build", "service.cs"], {}),
}


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = file.read()
    return [int(re.search(rf"{name}:\s+(\d+)", status).group(1)) // 1024 for name in ("VmHWM", "VmRSS")]


def measure(command, settings, lib):
    """(peak, after) in MiB."""
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **settings, **({"LD_PRELOAD": lib} if lib else {})}) as process:
        said = process.stdout.readline()
        if not said.startswith("done"):
            sys.exit(f"{command}: {said!r}")
        time.sleep(5)
        figures = memory(process.pid)
        mapped = lib is None or os.path.basename(lib) in open(f"/proc/{process.pid}/maps", encoding="utf-8").read()
        process.stdin.write("\n")
        process.stdin.close()
        if process.wait() != 0 or not mapped:
            sys.exit(f"{command}: status {process.returncode}" if mapped else f"{command}: {lib} is not there")
    return figures


def main():
    lib = os.path.realpath(sys.argv[1])
    print("| MiB | peak, glibc | peak, mimalloc | after, glibc | after, mimalloc |\n| --- | ---: | ---: | ---: | ---: |")
    for name in sys.argv[2:] or SERVICES:
        command, settings = SERVICES[name]
        if not shutil.which(command[0]):
            print(f"| {name}: not installed |", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            if command[1] == "build":
                program = os.path.join(scratch, "service")
                compiler = [command[0], "build", "-o", program] if name == "go" else [command[0], f"-out:{program}"]
                subprocess.run([*compiler, *command[2:]], cwd=HERE, check=True,
                               env={**os.environ, "GOCACHE": scratch, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"})
                command = [program] if name == "go" else ["mono", program]
            plain, ours = measure(command, settings, None), measure(command, settings, lib)
        print(f"| {name} | {plain[0]} | {ours[0]} | {plain[1]} | {ours[1]} |", flush=True)


if __name__ == "__main__":
    main()
