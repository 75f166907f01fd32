# SPDX-License-Identifier: MIT
"""What is measured: our own programs in workloads/, by name."""
import measure


class Workload:
    """One program of workloads/, perhaps in one of its variants, with a number of threads."""

    def __init__(self, name, group, program, variant, threaded, text, threads=1):
        self.name, self.group, self.text, self.threads = name, group, text, threads
        self.program, self.variant, self.threaded = program, variant, threaded

    def missing(self):
        return None

    def prepare(self, context):
        context.builder.program(self.program)

    def run(self, context, allocator):
        command = [context.builder.program(self.program), str(self.threads), str(context.scale), self.variant]
        with measure.Process(context.launcher, context.scratch, allocator, command,
                             {"BENCH_IDLE_MS": str(context.idle_ms)}) as process:
            output, used = process.finish()
        sample = measure.figures(measure.values(output))
        if "checksum" not in sample:
            raise measure.Failed("no report")
        # Peak memory is the kernel's own count; the rest is the program's, taken when the work was done.
        sample["peak_kib"] = used["peak_kib"]
        if context.idle_ms == 0:
            del sample["idle_kib"]
        return sample


# name, program, variant, whether it takes threads, what it is
PATTERNS = [
    ("factor", "factor", "", False, "integers factored by continued fractions: very many tiny blocks"),
    ("minimise", "minimise", "", False, "two-level logic minimised: cubes as small arrays"),
    ("larson", "larson", "", True, "a server whose threads hand their blocks to successors"),
    ("sh6", "sh6", "", True, "batches freed in order and in reverse"),
    ("sh8", "sh8", "", True, "batches handed to the next thread"),
    ("xmalloc", "xmalloc", "", True, "some threads allocate, others free"),
    ("mstress", "mstress", "", True, "unequal threads that come and go and swap blocks"),
    ("rptest", "rptest", "", True, "random sizes to 16 KB, a part freed elsewhere"),
    ("cache_scratch", "cache_scratch", "", True, "passive false sharing of cache lines"),
    ("cache_thrash", "cache_thrash", "", True, "active false sharing of cache lines"),
    ("glibc_simple", "glibc_simple", "", False, "runs of equal blocks, in order"),
    ("glibc_thread", "glibc_thread", "", True, "random replacement in a small working set"),
    ("mleak", "mleak", "", True, "thousands of short-lived threads"),
    ("threads_idle", "threads_idle", "", False, "ten thousand threads that allocated once and wait"),
    ("malloc_large", "malloc_large", "", False, "buffers of 1 to 12 MiB"),
    ("rbtree", "rbtree", "", False, "a red-black tree"),
    ("vectors_double", "vectors", "double", False, "eight arrays grown by doubling"),
    ("vectors_steps", "vectors", "steps", False, "four arrays grown by 4 KiB"),
    ("calloc_sparse", "calloc_sparse", "", False, "zeroed tables, hardly touched"),
    ("strings", "strings", "", False, "strings and maps in C++"),
    ("live_million", "live_million", "", False, "a million live blocks, random ones replaced"),
    ("phases", "phases", "", False, "fragmentation: sizes shift from phase to phase"),
    ("big_vectors", "big_vectors", "", True, "vectors of 1 MB filled and dropped"),
]
MICRO = [
    ("pair16", "16 B, freed at once"),
    ("batch64", "1000 x 64 B, then all freed in order"),
    ("random_small", "8 to 1031 B at random in 1000 slots"),
    ("random_medium", "1025 to 17408 B at random in 1000 slots"),
    ("pair100k", "100 KB, freed at once"),
    ("pair1m", "1 MiB, freed at once"),
    ("fill1m", "1,000,000 B, written, freed"),
    ("realloc_double", "16 B to 1 MiB by doubling"),
    ("realloc_steps", "100 B to 200 KB by 100 B"),
    ("calloc", "zeroed, 16 to 2063 B at random"),
    ("producer", "100 B, freed by another thread"),
    ("fresh_thread", "20,000 blocks, freed in a fresh thread"),
]


def workloads(thread_counts):
    """All workloads; those with threads once for each count, which is part of their name when there are several."""
    made = []
    for name, program, variant, threaded, text in PATTERNS:
        for count in thread_counts if threaded else [1]:
            full = f"{name}/{count}" if threaded and len(thread_counts) > 1 else name
            made.append(Workload(full, "workload", program, variant, threaded, text, count))
    for name, text in MICRO:
        made.append(Workload(name, "micro", "micro", name, False, text))
    return made
