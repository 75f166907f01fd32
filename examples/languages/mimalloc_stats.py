# SPDX-License-Identifier: MIT
"""Statistics and profiles of the process's own mimalloc, by ctypes alone: `import mimalloc_stats; print(mimalloc_stats.get())`.

Works where the library is preloaded or linked; else active() is False. Python's own small objects are among what is
counted only with PYTHONMALLOC=malloc.
"""
import ctypes
import json
import os

_library = ctypes.CDLL(None)


def active():
    """Whether malloc is the library's in this process."""
    if not hasattr(_library, "mi_usable_size"):
        return False
    for name, types in (("malloc", [ctypes.c_size_t]), ("free", [ctypes.c_void_p]), ("mi_usable_size", [ctypes.c_void_p])):
        getattr(_library, name).argtypes = types
    _library.malloc.restype = ctypes.c_void_p
    _library.mi_usable_size.restype = ctypes.c_size_t
    block = _library.malloc(100)
    ours = _library.mi_usable_size(block) > 0
    _library.free(block)
    return ours


def get():
    """The statistics as a dictionary: what mi_stats_get_json tells (mimalloc-stats.h)."""
    _library.mi_stats_get_json.restype = ctypes.c_void_p
    _library.mi_stats_get_json.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
    _library.mi_free.argtypes = [ctypes.c_void_p]
    text = _library.mi_stats_get_json(0, None)
    if not text:
        raise MemoryError("mi_stats_get_json")
    try:
        return json.loads(ctypes.string_at(text))
    finally:
        _library.mi_free(text)


def collect():
    """Gives free memory back to the system now."""
    _library.mi_collect.argtypes = [ctypes.c_bool]
    _library.mi_collect(True)


FORMS = ("pprof", "text", "folded", "report")


def profile_start(rate=0):
    """Takes samples from now on, one in `rate` bytes (0: as MIMALLOC_PROFILE_RATE says)."""
    _library.mi_profile_start.argtypes = [ctypes.c_size_t]
    _library.mi_profile_start.restype = ctypes.c_bool
    if not _library.mi_profile_start(rate):
        raise RuntimeError("this build takes no samples")


def profile_stop():
    """Takes no more; what there is stays in the profile."""
    _library.mi_profile_stop()


def profile_dump(path, form="pprof"):
    """Writes who holds the memory to a new file: for `go tool pprof` or `mimalloc profile`, or in another of FORMS."""
    _library.mi_profile_dump.argtypes = [ctypes.c_char_p, ctypes.c_int]
    error = _library.mi_profile_dump(os.fsencode(path), FORMS.index(form))
    if error:
        raise OSError(error, os.strerror(error), path)


if __name__ == "__main__":
    print(json.dumps(get(), indent=1) if active() else "mimalloc does not serve this process")
