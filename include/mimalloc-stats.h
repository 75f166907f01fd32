/* SPDX-License-Identifier: MIT */
/*
 * mimalloc-stats.h - statistics as numbers and as JSON.
 *
 * The figures are of the whole process: of all its threads, also those that have ended. They cost
 * nothing while blocks are allocated and freed: a call here goes over all pages and adds up, which
 * takes about a quarter of a millisecond for each GiB in small blocks. When no other thread allocates
 * or frees meanwhile, they are exact, to the block; else each of them is right for some moment of the
 * call.
 *
 * total        since the start of the process, or since mi_stats_reset
 * current      now
 * peak         the highest value of `current` since then that is known: exact for `threads`,
 *              `reserved` and `committed`; of the others the highest that a call has seen
 *
 * Bytes are those of blocks, not those that were asked for: the library does not keep the latter.
 */
#ifndef MIMALLOC_STATS_H
#define MIMALLOC_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "mimalloc.h"

/* Of the structure below; another one has another number. */
#define MI_STAT_VERSION 5

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mi_stat_count_s {
    int64_t total;
    int64_t peak;
    int64_t current;
} mi_stat_count_t;

typedef struct mi_stat_counter_s {
    int64_t total;
} mi_stat_counter_t;

/*
 * Block sizes are counted in bins. The last one is for blocks that have a page of their own, of any
 * size. Each of the others is one size class, except that the largest classes share one in pairs.
 */
#define MI_BIN_HUGE (73)
#define MI_BIN_COUNT (MI_BIN_HUGE + 1)

/* What parts of arenas are used for in other designs; here they are not bound to a use. */
typedef enum mi_chunkbin_e {
    MI_CBIN_SMALL,
    MI_CBIN_OTHER,
    MI_CBIN_MEDIUM,
    MI_CBIN_LARGE,
    MI_CBIN_HUGE,
    MI_CBIN_NONE,
    MI_CBIN_COUNT
} mi_chunkbin_t;

/*
 * The layout is that of mimalloc 3.4. Fields whose comment begins with 0 are there for it, and are 0:
 * this design has no such thing, or does not count it.
 */
typedef struct mi_stats_s {
    size_t size;    /* set by the caller: sizeof(mi_stats_t) … */
    size_t version; /* … and MI_STAT_VERSION */

    mi_stat_count_t pages;                       /* pages: runs of memory with blocks of one size */
    mi_stat_count_t reserved;                    /* bytes of address space */
    mi_stat_count_t committed;                   /* bytes made accessible */
    mi_stat_counter_t reset;                     /* 0 (memory is purged instead) */
    mi_stat_counter_t purged;                    /* bytes given back to the system */
    mi_stat_count_t page_committed;              /* bytes of pages */
    mi_stat_count_t pages_abandoned;             /* pages of threads that have ended */
    mi_stat_count_t threads;                     /* threads that have allocated */
    mi_stat_count_t malloc_normal;               /* bytes of blocks in pages with others */
    mi_stat_count_t malloc_huge;                 /* bytes of blocks with a page of their own */
    mi_stat_count_t malloc_requested;            /* the sum of both */
    mi_stat_counter_t mmap_calls;                /* calls of the system: for address space, */
    mi_stat_counter_t commit_calls;              /* to make memory accessible, */
    mi_stat_counter_t reset_calls;               /* 0 */
    mi_stat_counter_t purge_calls;               /* to give memory back */
    mi_stat_counter_t arena_count;               /* reservations of address space */
    mi_stat_counter_t malloc_normal_count;       /* blocks allocated in pages with others */
    mi_stat_counter_t malloc_huge_count;         /* and with a page of their own */
    mi_stat_counter_t malloc_guarded_count;      /* 0 */
    mi_stat_counter_t arena_rollback_count;      /* 0 */
    mi_stat_counter_t arena_purges;              /* 0 */
    mi_stat_counter_t pages_extended;            /* 0 */
    mi_stat_counter_t pages_retire;              /* 0 */
    mi_stat_counter_t page_searches;             /* 0 */
    mi_stat_counter_t page_searches_count;       /* 0 */
    mi_stat_count_t segments;                    /* 0 */
    mi_stat_count_t segments_abandoned;          /* 0 */
    mi_stat_count_t segments_cache;              /* 0 */
    mi_stat_count_t _segments_reserved;          /* 0 */
    mi_stat_count_t heaps;                       /* heaps */
    mi_stat_count_t theaps;                      /* heaps of single threads, also of ones that have ended */
    mi_stat_counter_t pages_reclaim_on_alloc;    /* 0 */
    mi_stat_counter_t pages_reclaim_on_free;     /* 0 */
    mi_stat_counter_t pages_reabandon_full;      /* 0 */
    mi_stat_counter_t pages_unabandon_busy_wait; /* 0 */
    mi_stat_counter_t heaps_delete_wait;         /* 0 */

    mi_stat_count_t _stat_reserved[4];
    mi_stat_counter_t _stat_counter_reserved[4];

    mi_stat_count_t malloc_bins[MI_BIN_COUNT]; /* blocks, by size */
    mi_stat_count_t page_bins[MI_BIN_COUNT];   /* pages, by the size of their blocks */
    mi_stat_count_t chunk_bins[MI_CBIN_COUNT]; /* 0 */
} mi_stats_t;

/* Prepares a structure for the functions below: its header, or all of it; or declares one. */
#define mi_stats_header_init(stats) ((stats)->size = sizeof(mi_stats_t), (stats)->version = MI_STAT_VERSION)
#define mi_stats_init(stats) (memset((stats), 0, sizeof(mi_stats_t)), mi_stats_header_init(stats))
#define mi_stats_t_decl(name)                                                                                \
    mi_stats_t name;                                                                                         \
    mi_stats_init(&(name))

/* Attributes have a line of their own, which clang-format does not know. */
/* clang-format off */

/*
 * Fills `*stats`, whose `size` and `version` the caller has set. False when `stats` is NULL, or is
 * for another version of the library.
 */
mi_decl_extension mi_decl_export bool mi_stats_get(mi_stats_t *stats) mi_attr_noexcept;

/*
 * The same as JSON, with figures of the process, and the size classes of this library one by one.
 * Written to `buf` with an end; or, when `buf` is NULL, to a new block, to be freed by mi_free. NULL
 * when there is no memory (errno is ENOMEM) or when `buf_size` bytes do not hold all of it (ERANGE;
 * nothing is cut: `buf` is then an empty string).
 */
mi_decl_nodiscard mi_decl_export
char *mi_stats_get_json(size_t buf_size, char *buf) mi_attr_noexcept;

/*
 * `*stats`, which mi_stats_get filled before, as JSON, in the same way and with the same errors. NULL
 * with EINVAL when `stats` is NULL, or is for another version of the library.
 */
mi_decl_nodiscard mi_decl_export
char *mi_stats_as_json(mi_stats_t *stats, size_t buf_size, char *buf) mi_attr_noexcept;

/*
 * The same three for one heap (NULL: the main one), or for all heaps of a subprocess: numbers, JSON,
 * and text to `out` or (NULL) to where text of the library goes. They count from the start of the
 * heap, whatever was reset; `peak` is what `current` is. What a heap had counted when it ended is
 * counted for the main heap. Memory that the process has reserved, and calls of the system, are not
 * divided among heaps and subprocesses: these fields are 0. The heap must not end meanwhile.
 */
mi_decl_extension mi_decl_export
bool mi_heap_stats_get(mi_heap_t *heap, mi_stats_t *stats) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export
char *mi_heap_stats_get_json(mi_heap_t *heap, size_t buf_size, char *buf) mi_attr_noexcept;
mi_decl_export
void mi_heap_stats_print_out(mi_heap_t *heap, mi_output_fun *out, void *arg) mi_attr_noexcept;
mi_decl_extension mi_decl_export
bool mi_subproc_stats_get(mi_subproc_id_t subproc, mi_stats_t *stats) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export
char *mi_subproc_stats_get_json(mi_subproc_id_t subproc, size_t buf_size, char *buf) mi_attr_noexcept;
mi_decl_export
void mi_subproc_stats_print_out(mi_subproc_id_t subproc, mi_output_fun *out, void *arg) mi_attr_noexcept;

/* The text of each heap of a subprocess, one after the other. */
mi_decl_export
void mi_subproc_heap_stats_print_out(mi_subproc_id_t subproc, mi_output_fun *out, void *arg) mi_attr_noexcept;

/*
 * What belongs to a subprocess and to none of its heaps: of the main one the memory that the process
 * has reserved, committed and purged, and calls of the system; of the others nothing.
 */
mi_decl_extension mi_decl_export
bool mi_subproc_stats_get_exclusive(mi_subproc_id_t subproc, mi_stats_t *stats) mi_attr_noexcept;

/* The part of a heap that one thread has; false when `theap` is NULL, or as mi_stats_get. */
mi_decl_extension mi_decl_export
bool mi_theap_stats_get(mi_theap_t *theap, mi_stats_t *stats) mi_attr_noexcept;

/* Do nothing: figures of a heap are always those of all threads, of a subprocess those of all heaps. */
mi_decl_export void mi_heap_stats_merge_to_subproc(mi_heap_t *heap) mi_attr_noexcept;
mi_decl_export void mi_theap_stats_merge_to_heap(mi_theap_t *theap) mi_attr_noexcept;

/* Where memory is just now, in bytes. Later versions add to the end. */
typedef struct mi_memory_s {
    size_t resident;   /* physical memory of the whole process, as the system says; 0: it does not */
    size_t committed;  /* made accessible for blocks: the next two, and what is free and given back */
    size_t in_pages;   /* in use for blocks, with the room beside them for more of their sizes */
    size_t purgeable;  /* free, and not given back yet */
    size_t metadata;   /* of the library itself, made accessible; beside `committed` */
    uint64_t returned; /* given back to the system since the start, whatever was reset */
} mi_memory_t;

/*
 * Fills `*memory`; `size` is sizeof(mi_memory_t), and what the library does not know of becomes 0.
 * Takes some microseconds, however many blocks there are.
 */
mi_decl_export void mi_memory_get(mi_memory_t *memory, size_t size) mi_attr_noexcept;

/* Bytes of the blocks that the program has: as exact as the statistics, and at their cost. */
mi_decl_nodiscard mi_decl_export size_t mi_memory_live(void) mi_attr_noexcept;

/*
 * The figures of the process as OpenMetrics text, to `out` or (NULL) to where text of the library goes, in
 * pieces of whole lines: names that begin with malloc_, and "# EOF" at the end. They count from the start of
 * the process, whatever was reset. MIMALLOC_METRICS=file writes the same every MIMALLOC_METRICS_INTERVAL
 * seconds while the process allocates, and at its end. The same as JSON: mi_stats_get_json.
 */
mi_decl_export void mi_metrics_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/* The largest block in a bin of `malloc_bins`, in bytes; 0 for MI_BIN_HUGE and beyond. */
mi_decl_nodiscard mi_decl_export
size_t mi_stats_get_bin_size(size_t bin) mi_attr_noexcept;

/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif /* MIMALLOC_STATS_H */
