# SPDX-License-Identifier: MIT
# Linux only: the port to macOS was not run yet. From a checkout: HOMEBREW_MIMALLOC_TARBALL=… with what `make release` made.
class Mimalloc < Formula
  desc "Compact general-purpose memory allocator"
  homepage "https://mimalloc.invalid"
  url "file://#{ENV.fetch("HOMEBREW_MIMALLOC_TARBALL", "/tmp/mimalloc-3.4.3.tar.gz")}"
  version "3.4.3"
  license "MIT"

  depends_on "cmake" => :build
  depends_on :linux

  def install
    system "cmake", "-S", ".", "-B", "build", "-DMI_BUILD_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  test do
    (testpath/"test.c").write <<~C
      #include <mimalloc.h>
      int main(void) { void *p = mi_malloc(100); int bad = mi_usable_size(p) < 100; mi_free(p); return bad; }
    C
    system ENV.cc, "test.c", "-I#{include}", "-L#{lib}", "-lmimalloc", "-Wl,-rpath,#{lib}", "-o", "test"
    system "./test"
  end
end
