# SPDX-License-Identifier: MIT
"""Conan 2: `conan create packaging/conan` in a checkout."""
import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain
from conan.tools.files import copy


class Mimalloc(ConanFile):
    name = "mimalloc"
    version = "3.4.3"
    license = "MIT"
    description = "A compact general-purpose memory allocator"
    settings = "os", "compiler", "build_type", "arch"
    options = {"shared": [True, False], "override": [True, False], "secure": [True, False]}
    default_options = {"shared": True, "override": True, "secure": False}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "tool/*", "tools/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.variables["MI_BUILD_SHARED"] = bool(self.options.shared)
        toolchain.variables["MI_BUILD_STATIC"] = not self.options.shared
        toolchain.variables["MI_BUILD_OBJECT"] = False
        toolchain.variables["MI_BUILD_TESTS"] = False
        toolchain.variables["MI_OVERRIDE"] = bool(self.options.override)
        toolchain.variables["MI_SECURE"] = bool(self.options.secure)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["mimalloc" + ("-secure" if self.options.secure else "")
                              + ("-debug" if self.settings.build_type == "Debug" else "")]
        self.cpp_info.system_libs = ["pthread", "dl"]
        self.cpp_info.set_property("cmake_file_name", "mimalloc")
        self.cpp_info.set_property("cmake_target_name", "mimalloc::mimalloc")
        self.cpp_info.set_property("pkg_config_name", "mimalloc")
