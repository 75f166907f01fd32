#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does what a Dockerfile says without images: dockerfile.py FILE CONTEXT FOLDER [STAGE=COMPILER…].

Each stage is a folder below FOLDER, the last one is FOLDER/image. Files are copied as they would be; of the commands
those by cmake are run, with the stage's compiler and its paths inside of the folder; what installs packages is this
machine's affair.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys


def instructions(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^#.*\n", "", file.read(), flags=re.MULTILINE).replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


def copy(sources, target, root):
    into = target.endswith("/") or len(sources) > 1
    for source in sources:
        if not os.path.exists(source):
            sys.exit(f"COPY: there is no {source}")
        where = root + target
        if os.path.isdir(source):
            shutil.copytree(source, where, dirs_exist_ok=True)
        else:
            os.makedirs(where if into else os.path.dirname(where), exist_ok=True)
            shutil.copy(source, where)


def run(command, root, compiler):
    if re.match(r"(apt-get|apk) ", command):
        return
    inside = re.sub(r"(?<= )/(?=\w)", root + "/", command)
    done = subprocess.run(inside, shell=True, env={**os.environ, "CC": compiler}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command}\n{done.stdout[-3000:]}")


def main():
    path, context, folder = sys.argv[1:4]
    compilers = dict(setting.split("=") for setting in sys.argv[4:])
    name = ""
    for kind, rest in instructions(path):
        if kind == "FROM":
            base, _, name = (rest + " AS image").split(None, 3)[:3]
            print(f"stage {name}, on {base}")
        elif kind == "COPY":
            words = shlex.split(rest)
            origin = context
            if words[0].startswith("--from="):
                origin = os.path.join(folder, words.pop(0).split("=")[1])
            copy([os.path.join(origin, word.lstrip("/")) for word in words[:-1]], words[-1], os.path.join(folder, name))
        elif kind == "RUN":
            run(rest, os.path.join(folder, name), compilers.get(name, "cc"))
        else:
            sys.exit(f"{path}: {kind} is not known here")


if __name__ == "__main__":
    main()
