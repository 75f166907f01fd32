/* SPDX-License-Identifier: MIT */
/*
 * mimalloc-descriptor.h - where the library keeps its heap, for tools that read a process from outside.
 *
 * A library, or a program that it is linked into, holds one mi_descriptor. It says where regions, thread
 * heaps and heaps are, and at which offsets their fields lie, so that a debugger, a profiler or a core
 * file reader finds every block without symbols and without the help of the process. docs/outside.md
 * tells how to find it and how to go on from there.
 *
 * Programs have no use for this header.
 */
#ifndef MIMALLOC_DESCRIPTOR_H
#define MIMALLOC_DESCRIPTOR_H

#include <stdint.h>
#include "mimalloc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The name in the ELF note (section .note.mimalloc) that leads to the descriptor, and the note's type. */
#define MI_DESCRIPTOR_NOTE "mimalloc"
#define MI_DESCRIPTOR_NOTE_TYPE 1

/* Of the structure below. Fields are only added, at the end: `bytes` tells how far it goes. A field that
   changes its meaning, or goes, makes another version. */
#define MI_DESCRIPTOR_VERSION 1

/* Addresses are those of the process that is looked at; numbers are bytes, counts and bits. */
typedef struct mi_descriptor_s {
    char magic[8];            /* "mimalloc", without an end */
    uint32_t version;         /* MI_DESCRIPTOR_VERSION */
    uint32_t bytes;           /* of this structure */
    uint32_t library_version; /* mi_version() */
    uint32_t pointer_bytes;   /* 4 or 8 */

    const void *self;         /* the descriptor's own address: another value stands in the file */
    const void *regions;      /* an array of pointers to regions, NULL where one is not ready yet … */
    const void *region_count; /* … and a size_t, how many of them are in use */
    const void *thread_heaps; /* a pointer to the first thread heap; thread_heap_next leads on */
    const void *heaps;        /* a pointer to the first heap that a program made; heap_next leads on */
    const void *subprocs;     /* a pointer to the first subprocess that a program made */
    const void *main_subproc; /* the subprocess of the process itself */
    const void *live;         /* a pointer to the live page below */

    uint32_t slice_shift;      /* a slice has 1 << slice_shift bytes */
    uint32_t descriptor_shift; /* a page descriptor has 1 << descriptor_shift */
    uint32_t class_count;      /* size classes; a page's class is below it, unless it is a singleton's */
    uint32_t owner_redirect;   /* flags in a page's owner word: an inner slice, the rest is the head, */
    uint32_t owner_full;       /* full, */
    uint32_t owner_singleton;  /* one block, no owner; */
    uint32_t owner_flags;      /* all flags: without them the word is a thread heap */
    uint32_t remote_first; /* where 16 bits of page_thread_free begin: the first block, by its distance … */
    uint32_t remote_count; /* … and how many blocks there are, none where that is 0 */
    uint32_t granule_shift; /* … from page_start, in units of 1 << granule_shift bytes */
    uint32_t page_pinned;   /* flag in page_flags: the page serves its class */
    uint32_t holes_max;     /* bits of page_holes */

    /* Offsets in a region: pointers, counts of slices (size_t), and bool */
    uint32_t region_base;        /* address of slice 0 */
    uint32_t region_descriptors; /* address of slice 0's page descriptor */
    uint32_t region_chunks;      /* address of the bitmaps of the first 64 slices */
    uint32_t region_slices;      /* how many there are */
    uint32_t region_committed;   /* slices below the frontier: those and their metadata may be read */
    uint32_t region_reserved;    /* bytes of address space */
    uint32_t region_given;       /* bool: memory that the program handed over */

    /* The bitmaps of 64 slices: bytes from one to the next, and the offsets of four 64-bit words */
    uint32_t chunk_bytes;
    uint32_t chunk_used;  /* handed out */
    uint32_t chunk_dirty; /* may hold memory */
    uint32_t chunk_aged;
    uint32_t chunk_moved;

    /* In a page descriptor */
    uint32_t page_owner;       /* word: 0 where no page begins or goes on */
    uint32_t page_free;        /* pointers to first blocks: what the owner allocates from, */
    uint32_t page_local_free;  /* what it has freed, */
    uint32_t page_thread_free; /* u64: what others have freed, see remote_first */
    uint32_t page_used;        /* u32: blocks granted and not back, plus one while pinned */
    uint32_t page_capacity;    /* u32: blocks threaded so far, but for those in holes */
    uint32_t page_reserved;    /* u32: blocks that fit */
    uint32_t page_holed;       /* u32: blocks in holes */
    uint32_t page_block_size;  /* u32: bytes; 0 for a singleton */
    uint32_t page_class;       /* u16 */
    uint32_t page_flags;       /* u16 */
    uint32_t page_start;       /* address of the first block */
    uint32_t page_slices;      /* size_t */
    uint32_t page_holder;      /* of a singleton: its heap, or NULL for the main one */
    uint32_t page_holes;       /* 64-bit words: OS pages, or larger parts, that were given back */
    uint32_t block_next;       /* in a free block: the next of its list */

    /* In a thread heap */
    uint32_t thread_heap_state;           /* u32: 0 live, 1 orphaned, 2 claimed, 3 dead, 4 vacant */
    uint32_t thread_heap_thread;          /* u32: of a main one: the thread's number at the system */
    uint32_t thread_heap_heap;            /* the heap that it is part of */
    uint32_t thread_heap_main;            /* the main one of the same thread */
    uint32_t thread_heap_next;            /* in the list of all */
    uint32_t thread_heap_granted;         /* class_count times u64: blocks allocated, or on `free` */
    uint32_t thread_heap_pages_made;      /* class_count times u64 */
    uint32_t thread_heap_singletons;      /* u64 */
    uint32_t thread_heap_singleton_bytes; /* u64 */
    uint32_t thread_heap_held;            /* what it holds back of others' blocks, or NULL */

    /* In what a thread heap holds back: for each class a list, and a page that lends another one */
    uint32_t held_lists;     /* offset of the first list */
    uint32_t held_list_step; /* bytes from one to the next */
    uint32_t held_first;     /* offset in a list: pointer to its first block */
    uint32_t held_stand_ins; /* offset of class_count pointers to pages, whose page_free counts; or NULL */

    /* In a heap, and in a subprocess */
    uint32_t heap_subproc; /* the subprocess */
    uint32_t heap_live;    /* bool */
    uint32_t heap_next;    /* in the list of all */
    uint32_t heap_slot;    /* u32: its number, 0 for main ones */
    uint32_t subproc_main; /* offset of the main heap in the subprocess */
    uint32_t subproc_live; /* bool */
    uint32_t subproc_next; /* in the list of all */

    /* Flag in a page's owner word: it holds sampled blocks. Each has a block of another page kept for it,
       which counts in its place: pass such pages over. */
    uint32_t owner_sampled;

    /* The profile: sites, which are stacks with a size class, and the samples that live */
    const void *sites;        /* an array of pointers to their first sites; site_next leads on */
    const void *samples;      /* a pointer to the first record of a sample; sample_next leads on */
    const void *profile_rate; /* u64: one sample in so many bytes, 0 while none are taken */
    uint32_t site_count;      /* lists of sites that there are */

    /* In a site */
    uint32_t site_next;         /* in its list */
    uint32_t site_depth;        /* u32: return addresses, */
    uint32_t site_frames;       /* which begin here, the innermost first */
    uint32_t site_allocated;    /* four u64: samples, bytes of their blocks, allocations that they … */
    uint32_t site_freed;        /* … stand for, bytes that were asked for in these; and the same of frees */
    uint32_t site_peak;         /* u64: bytes in use at most */
    uint32_t site_marked;       /* u64: bytes in use at the mark */
    uint32_t site_lifetime;     /* u64: milliseconds that the freed samples lived, added up */
    uint32_t site_weight_shift; /* the third number of four is in units of 1 / (1 << site_weight_shift) */

    /* In the record of a sample */
    uint32_t sample_next;
    uint32_t sample_block;      /* pointer: what the program has; NULL in a record not in use */
    uint32_t sample_stands_for; /* pointer: the block of an ordinary page that is kept for it, or NULL */
    uint32_t sample_site;       /* pointer to the site, or NULL */
} mi_descriptor_t;

/* ---- The live page ------------------------------------------------------------------------------ */

/* What a tool may ask of the process: bits of mi_live_t.request. It answers when a thread of it allocates;
   an idle process never does. */
#define MI_LIVE_REFRESH 1u       /* count again */
#define MI_LIVE_PURGE 2u         /* give back what is free, as mi_collect(true) */
#define MI_LIVE_RESET_PEAKS 4u   /* the highest values start from now, as mi_stats_reset */
#define MI_LIVE_START_PROFILE 8u /* take samples, as mi_profile_start with the rate of the options */
#define MI_LIVE_STOP_PROFILE 16u /* and no more */
#define MI_LIVE_DUMP_PROFILE 32u /* write the profile's next file, where MIMALLOC_PROFILE names one */

/* Bytes, blocks and calls; those that end in `_count` and the ones so marked only grow. */
typedef struct mi_figures_s {
    uint64_t allocated_bytes;         /* of live blocks */
    uint64_t allocated_blocks;        /* how many they are */
    uint64_t peak_allocated_bytes;    /* the highest value that was seen */
    uint64_t active_bytes;            /* of pages */
    uint64_t pages;                   /* how many they are */
    uint64_t orphaned_pages;          /* of these, of threads that have ended */
    uint64_t resident_bytes;          /* of the whole process, as the system counts */
    uint64_t committed_bytes;         /* of memory made accessible */
    uint64_t retained_bytes;          /* of address space */
    uint64_t purgeable_bytes;         /* free, but not yet given back */
    uint64_t metadata_bytes;          /* of the library's own */
    uint64_t threads;                 /* that have allocated and not ended */
    uint64_t heaps;                   /* main ones included */
    uint64_t allocation_count;        /* blocks handed out */
    uint64_t allocation_bytes;        /* and their bytes; grows */
    uint64_t free_count;              /* blocks freed */
    uint64_t purged_bytes;            /* given back to the system; grows */
    uint64_t reserve_call_count;      /* calls of the system: for address space, */
    uint64_t commit_call_count;       /* to make it accessible, */
    uint64_t purge_call_count;        /* to give memory back */
    uint64_t double_free_count;       /* errors of the program: blocks freed twice, */
    uint64_t invalid_free_count;      /* what is no block freed, */
    uint64_t other_misuse_count;      /* others that were found, */
    uint64_t failed_allocation_count; /* and allocations that failed */
} mi_figures_t;

/* One page of counters, which the process keeps, and a word in which tools ask it something. It lies in the
   library's data, or, with MIMALLOC_LIVE=1, in the file /dev/shm/mimalloc.<pid>, which its user may map;
   then the figures are counted again every second while the process allocates. */
typedef struct mi_live_s {
    char magic[8];        /* "mi-live", with an end */
    uint32_t version;     /* 1 */
    uint32_t bytes;       /* of this structure */
    uint64_t pid;         /* of the process, 0 before its first count */
    uint32_t request;     /* [tools write] bits of MI_LIVE_*; the process takes them out */
    uint32_t interval_ms; /* between two counts; 0: only when asked */
    uint64_t answers;     /* how often requests were taken and done */
    uint64_t updates;     /* changes before and after a count: odd meanwhile */
    uint64_t updated_ms;  /* when, on CLOCK_MONOTONIC */
    uint64_t started_ms;  /* the first count */
    mi_figures_t figures;
} mi_live_t;

/* The library's own. */
mi_decl_export extern const mi_descriptor_t mi_descriptor;

#ifdef __cplusplus
}
#endif

#endif /* MIMALLOC_DESCRIPTOR_H */
