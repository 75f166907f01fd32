#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a Conan recipe without Conan: conan_recipe.py RECIPE FOLDER [OPTION=True|False…] leaves the package in FOLDER/package
and prints the flags to link with it. What the recipe imports of Conan stands in for here, as its documentation has it.
"""
import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import types


class ConanFile:
    """Of the recipe's base class what recipes use."""


def copy(_, pattern, src, dst):
    found = []
    for folder, _, names in os.walk(src):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), src)
            if fnmatch.fnmatch(path, pattern):
                target = os.path.join(dst, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(os.path.join(folder, name), target)
                found.append(path)
    if not found:
        sys.exit(f"copy: nothing is like {pattern}")
    return found


class CMakeToolchain:
    def __init__(self, recipe):
        self.recipe, self.variables = recipe, {}

    def generate(self):
        self.recipe.settings_of_cmake = [f"-D{name}={'ON' if value else 'OFF'}" for name, value in self.variables.items()]


class CMake:
    def __init__(self, recipe):
        self.recipe = recipe

    def call(self, *args):
        done = subprocess.run([os.environ.get("CMAKE", "cmake"), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f"cmake {' '.join(args)}\n{done.stdout[-3000:]}")

    def configure(self):
        self.call("-S", self.recipe.source_folder, "-B", self.recipe.build_folder, "-DCMAKE_BUILD_TYPE=Release",
                  f"-DCMAKE_INSTALL_PREFIX={self.recipe.package_folder}", "-DCMAKE_INSTALL_LIBDIR=lib",
                  *self.recipe.settings_of_cmake)

    def build(self):
        self.call("--build", self.recipe.build_folder)

    def install(self):
        self.call("--install", self.recipe.build_folder)


class Info:
    def __init__(self):
        self.libs, self.system_libs, self.properties = [], [], {}

    def set_property(self, name, value):
        self.properties[name] = value


def main():
    for name, parts in {"conan": {"ConanFile": ConanFile}, "conan.tools": {}, "conan.tools.files": {"copy": copy},
                        "conan.tools.cmake": {"CMake": CMake, "CMakeToolchain": CMakeToolchain}}.items():
        module = types.ModuleType(name)
        module.__dict__.update(parts)
        sys.modules[name] = module
    spec = importlib.util.spec_from_file_location("recipe", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    made = [cls for cls in vars(module).values() if isinstance(cls, type) and issubclass(cls, ConanFile) and cls is not ConanFile]
    recipe = made[0]()
    chosen = dict(recipe.default_options)
    for setting in sys.argv[3:]:
        name, value = setting.split("=")
        if value not in map(str, recipe.options[name]):
            sys.exit(f"{name} can't be {value}")
        chosen[name] = value == "True"
    recipe.options = types.SimpleNamespace(**chosen)
    recipe.settings = types.SimpleNamespace(build_type="Release")
    recipe.recipe_folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    for name in ("source", "build", "package"):
        setattr(recipe, f"{name}_folder", os.path.join(sys.argv[2], name))
    recipe.export_sources_folder = recipe.source_folder
    recipe.cpp_info = Info()
    for step in ("export_sources", "generate", "build", "package", "package_info"):
        getattr(recipe, step)()
    lib = os.path.join(recipe.package_folder, "lib")
    if not os.path.exists(os.path.join(recipe.package_folder, "licenses", "LICENSE")):
        sys.exit("the package has no licence")
    print(f"-I{recipe.package_folder}/include -L{lib} -Wl,-rpath,{lib}", *[f"-l{name}" for name in recipe.cpp_info.libs + recipe.cpp_info.system_libs])


if __name__ == "__main__":
    main()
