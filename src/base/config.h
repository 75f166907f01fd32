// SPDX-License-Identifier: MIT
// config.h — the numbers of the design, and the run-time settings that every layer may read.
//
// Owns:        `mi__conf`, filled by front/options.c before the first allocation
// Threads:     any. Settings that a program may change while it runs are read by conf_get; the
//              others are plain
// Invariants:  every combination that the code relies on is asserted at the end of this file
// Not here:    names and texts of options → front/options.c
#ifndef MI_BASE_CONFIG_H
#define MI_BASE_CONFIG_H

#include "base/platform.h"

enum {
    // Address space (layer arena).
    SLICE_SHIFT = 16, // 64 KiB: the unit in which regions are divided
    SLICE_SIZE = 1 << SLICE_SHIFT,
    DESCRIPTOR_SIZE = 128, // bytes of metadata for one slice
    DESCRIPTOR_SHIFT = 7,
    CHUNK_SLICES = 64,                       // slices under one bitmap word …
    CHUNK_BYTES = CHUNK_SLICES * SLICE_SIZE, // … 4 MiB
    HUGE_PAGE_BYTES = 2 * 1024 * 1024,       // of the system: what its tables map by one entry
    REGION_MAX = 1024,                       // regions in one process
    LOOKUP_LEVELS = 5,                       // of the list of regions; each has a quarter of the one below

    // Pages and blocks (layer page).
    GRANULE = 16, // every block size is a multiple of it: the alignment of max_align_t
    GRANULE_SHIFT = 4,
    SMALL_MAX = 1024, // sizes that are looked up in a table by granule
    SMALL_GRANULES = SMALL_MAX / GRANULE,
    BLOCK_MAX = 64 * 1024, // larger blocks are singletons: a page of their own

    SMALL_PAGE_SLICES = 1,  //  64 KiB, for blocks up to 4 KiB
    MEDIUM_PAGE_SLICES = 8, // 512 KiB, for the others
    SMALL_PAGE_BLOCK_MAX = 4 * 1024,

    // Size classes: multiples of GRANULE to 128, then eight steps for each doubling up to
    // BLOCK_MAX.
    CLASS_LINEAR_MAX = 128,
    CLASS_LINEAR_COUNT = CLASS_LINEAR_MAX / GRANULE,
    CLASS_STEPS_SHIFT = 3,
    CLASS_COUNT = CLASS_LINEAR_COUNT + ((16 - 7) << CLASS_STEPS_SHIFT), // 2^7 … 2^16
};

// The level of hardening where MIMALLOC_SECURE says nothing.
#ifndef MI_SECURE
#define MI_SECURE 0
#endif
enum {
    SECURE_FREES = 1, // frees are exact, and blocks come in an order of chance
    SECURE_BYTES = 2, // blocks are sealed behind their bytes, and cleared when they are freed
    SECURE_REUSE = 3, // what is handed out is still clear, and comes back late
    SECURE_LARGE = 4, // large blocks have guards, and are out of reach for a while after their free
    SECURE_LEVEL_MAX = SECURE_LARGE,
};

// What happens when the program misuses the library (front/report.c).
typedef enum errors_t {
    ERRORS_BY_KIND, // abort where memory would be damaged, else report and go on
    ERRORS_ABORT,
    ERRORS_REPORT,
    ERRORS_IGNORE,
} errors_t;

// Whether a helper thread gives memory back while the program is idle (arena/purge.c).
typedef enum purge_thread_t {
    PURGE_THREAD_AUTO, // in processes that have several threads anyway
    PURGE_THREAD_NEVER,
    PURGE_THREAD_ALWAYS,
} purge_thread_t;

// Whether transparent huge pages back blocks (arena/region.c).
typedef enum thp_t {
    THP_NEVER,
    THP_AS_SYSTEM,
    THP_EAGER, // ask for them, but for the first few MiB
} thp_t;

// As wide as a size: long is not, on Windows.
typedef ptrdiff_t setting_t;

// What the environment may set; see front/options.c for the names that users write.
typedef struct conf_t {
    // [atomic: any thread]
    setting_t purge_delay_ms;    // free slices go back to the system after this long; 0 at once, -1 never
    setting_t purge_thread;      // a purge_thread_t
    setting_t trim_delay_ms;     // what stays free in a page so long goes back; 0: not unasked
    bool memory_pressure;        // give everything back when the system is short of memory
    setting_t memory_limit;      // bytes that the process may hold; 0: no limit
    setting_t memory_soft_limit; // bytes above which free memory goes back at once; 0: no limit
    setting_t minimal_purge;     // bytes; ranges of this size go back whole. 0: as huge pages ask for
    setting_t allow_thp;         // a thp_t
    bool allow_large_pages;      // try the system's pool of huge pages before other memory
    bool live;                   // keep counters in a file that others may map (front/live.c)
    bool metrics_classes;        // metrics by size class, too
    setting_t metrics_interval;  // seconds between two metrics files
    bool verbose;                // say what happens
    bool show_stats;             // print statistics when the process ends
    bool show_errors;            // print warnings as well as errors
    bool deepbind_keep;          // leave RTLD_DEEPBIND to dlopen as the caller gave it
    setting_t held_bytes;        // foreign blocks that a thread may hold back, in bytes per size class
    bool disallow_os_alloc;      // no more memory from the system than what is handed over or reserved for it
    setting_t numa_nodes;        // nodes to tell apart; 0: those of the machine
    // Samples (heap/sampling.c) and guarded blocks (front/guard.c).
    setting_t guarded_sample_seed; // of the draws; 0: each run its own
    setting_t guarded_sample_rate; // one allocation in so many; 0: none
    setting_t guarded_min;         // sizes to guard, in bytes
    setting_t guarded_max;
    bool guarded_precise; // up to the last byte, at the price of the alignment
    // Reports and messages (front/report.c).
    setting_t errors;       // an errors_t
    setting_t max_errors;   // lines about errors, -1 without end
    setting_t max_warnings; // and about warnings
    // The profile (front/profile.c).
    setting_t profile_rate;   // bytes for one sample
    setting_t profile_format; // a profile_form_t
    // Bytes allocated, or more in use, or seconds, after which a file is written.
    setting_t profile_alloc_interval;
    setting_t profile_inuse_interval;
    setting_t profile_time_interval;
    bool profile_leaks; // say at the end what is still held
    // [constant after init]
    setting_t region_bytes_log2;     // first reservation, as a power of two
    setting_t reserve_os_bytes;      // to reserve and commit at the start
    setting_t reserve_huge_pages;    // of 1 GiB each, to reserve at the start
    setting_t reserve_huge_pages_at; // the NUMA node for them; -1: all nodes in turn
    setting_t secure;                // level of hardening, 0 to SECURE_LEVEL_MAX
    bool group_limit;                // lower the limits to those of the process's control groups
} conf_t;

extern MI_HIDDEN conf_t mi__conf;

#define conf_get(field) __atomic_load_n(&mi__conf.field, __ATOMIC_RELAXED)

_Static_assert((1 << DESCRIPTOR_SHIFT) == DESCRIPTOR_SIZE, "descriptors are found by a shift");
_Static_assert((1 << GRANULE_SHIFT) == GRANULE, "granules are counted by a shift");
_Static_assert(BLOCK_MAX == 1 << 16, "CLASS_COUNT counts the doublings up to BLOCK_MAX");
_Static_assert(SMALL_PAGE_BLOCK_MAX * 8 <= SMALL_PAGE_SLICES * SLICE_SIZE,
               "a page holds eight blocks at least");
_Static_assert(BLOCK_MAX * 8 <= MEDIUM_PAGE_SLICES * SLICE_SIZE, "a page holds eight blocks at least");
_Static_assert(MEDIUM_PAGE_SLICES <= CHUNK_SLICES, "pages are claimed within one bitmap word");

#endif
