#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds the blocks of a running process, and of its core file, by the descriptor alone: exactly those it has told of.

Each line says which way it went: the descriptor by the ELF note, or, where that is not to be had, by its first bytes.
"""
import ctypes
import importlib.util
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
spec = importlib.util.spec_from_file_location("tool", os.path.join(ROOT, "tool", "mimalloc-gdb.py"))
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
libc = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def process_reader(pid):
    def read(address, size):
        buffer = ctypes.create_string_buffer(size)
        here = Iovec(ctypes.addressof(buffer), size)
        there = Iovec(address, size)
        if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != size:
            raise tool.Unreadable(f"{size} bytes at {address:#x}: {os.strerror(ctypes.get_errno())}")
        return buffer.raw
    return read


def process_segments(pid):
    """(address, size, whether it begins a file, whether it is writable) of each mapping."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            fields = line.split()
            start, end = (int(x, 16) for x in fields[0].split("-"))
            if fields[1][0] == "r" and "[v" not in line:
                yield start, end - start, fields[2] == "00000000" and fields[4] != "0", "w" in fields[1] or len(fields) > 5


class Core:
    """The memory in a core file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        table, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        headers = [struct.unpack_from("<IIQQQQQQ", self.data, table + i * size) for i in range(count)]
        self.loads = [(h[3], h[5], h[2]) for h in headers if h[0] == 1 and h[5]]

    def read(self, address, size):
        for start, bytes_, offset in self.loads:
            if start <= address and address + size <= start + bytes_:
                return self.data[offset + address - start:offset + address - start + size]
        raise tool.Unreadable(f"{size} bytes at {address:#x} are not in the core file")

    def segments(self):
        for start, bytes_, offset in self.loads:
            yield start, bytes_, self.data[offset:offset + 4] == b"\x7fELF", True


def find_by_note(read, segments):
    for start, _, begins_file, _ in segments:
        found = tool.find_in_elf(read, start) if begins_file else None
        if found:
            return found
    raise SystemExit("FAIL: no note leads to a descriptor")


def find_by_scan(read, segments):
    for start, size, _, is_data in segments:
        if not is_data or size > 1 << 26:
            continue
        for match in re.finditer(tool.MAGIC + re.escape(struct.pack("<I", 1)), read(start, size)):
            if struct.unpack("<Q", read(start + match.start() + tool.HEADER_BYTES, 8))[0] == start + match.start():
                return start + match.start()
    raise SystemExit("FAIL: no memory holds a descriptor")


def blocks_of(read, at):
    heap = tool.Heap(read, at, os.sysconf("SC_PAGESIZE"))
    found = {}
    for page in heap.pages():
        for i in heap.live(page):
            found[page.start + i * page.block_size] = page.block_size
    return heap, found


def compare(way, read, at, told):
    heap, found = blocks_of(read, at)
    missing = set(told.items()) - set(found.items())
    if missing:
        raise SystemExit(f"FAIL: {way}: {len(missing)} of {len(told)} blocks are not found, as {min(missing)}")
    # What libc allocates for itself: threads' vectors, the loader's lists.
    if len(found) > len(told) + 40:
        raise SystemExit(f"FAIL: {way}: {len(found) - len(told)} blocks are found that nobody told of")
    for address, size in list(told.items())[::97]:
        page = heap.page_of(address + size - 1)
        if page is None or page.block_of(address + size // 2) != address:
            raise SystemExit(f"FAIL: {way}: the block at {address:#x} is not found by its middle")
    print(f"{way}: {len(told)} blocks, and {len(found) - len(told)} of libc's own")


def header_fields():
    """The descriptor's fields in the order of the header."""
    with open(os.path.join(ROOT, "include", "mimalloc-descriptor.h"), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL).partition("mi_descriptor_t;")[0]
    return re.findall(r"(?:const void \*|uint32_t )(\w+);", text)[4:]


def main():
    program, core = sys.argv[1:3]
    if header_fields() != tool.FIELDS:
        raise SystemExit("FAIL: mimalloc-gdb.py has other fields than mimalloc-descriptor.h")
    child = subprocess.Popen([program, "abort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = {}
    for line in iter(child.stdout.readline, "end\n"):
        address, size = line.split()
        told[int(address, 16)] = int(size)
    if len(told) < 5000:
        raise SystemExit("FAIL: the program tells of too few blocks")
    read = process_reader(child.pid)
    compare("process, by the note", read, find_by_note(read, process_segments(child.pid)), told)
    compare("process, by a search", read, find_by_scan(read, process_segments(child.pid)), told)
    subprocess.run(["gcore", "-o", core, str(child.pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child.kill()
    child.wait()
    dump = Core(f"{core}.{child.pid}")
    compare("core, by the note", dump.read, find_by_note(dump.read, dump.segments()), told)
    compare("core, by a search", dump.read, find_by_scan(dump.read, dump.segments()), told)


if __name__ == "__main__":
    main()
