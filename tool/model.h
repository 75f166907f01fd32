// SPDX-License-Identifier: MIT
// model.h — the heap of a target: regions, pages, thread heaps, and figures by size class.
#ifndef MI_TOOL_MODEL_H
#define MI_TOOL_MODEL_H

#include <mimalloc-descriptor.h>

#include "target.h"

enum { MODEL_CLASSES_MAX = 256 };

typedef struct page_model_t {
    uint64_t start;
    uint64_t block_size; // of a singleton: all of it
    uint64_t resident;   // bytes; UINT64_MAX: not known
    uint32_t slices;
    uint32_t live;     // blocks
    uint32_t reserved; // blocks that fit
    uint32_t holed;    // blocks in OS pages that were given back
    uint16_t size_class;
    uint16_t owner; // index in `owners`
    bool sampled;   // its blocks count in other pages, which keep one for each
    uint32_t site;  // the call site of a sample in it, plus one; 0: none
} page_model_t;

// Who has pages: a thread, threads that have ended, singletons' nobody.
typedef struct owner_model_t {
    uint64_t thread_heap; // 0: of singletons
    uint64_t heap;
    uint32_t thread; // 0: it has ended
    uint64_t pages;
    uint64_t page_bytes;
    uint64_t live_bytes;
} owner_model_t;

typedef struct slices_model_t {
    uint64_t first;
    uint64_t count;
} slices_model_t;

typedef struct region_model_t {
    uint64_t base;
    uint64_t committed; // slices
    uint64_t descriptors;
    uint64_t chunks;
    uint64_t reserved_bytes;
    slices_model_t *huge; // those in huge pages, where the system tells (`knows_huge`)
    size_t huge_count;
} region_model_t;

typedef struct class_model_t {
    uint64_t block_size; // 0: singletons
    uint64_t allocated;
    uint64_t live;
    uint64_t live_bytes;
    uint64_t pages;
    uint64_t page_bytes;
    uint64_t resident; // of the pages, where it is known
} class_model_t;

typedef struct model_t {
    const target_t *target;
    mi_descriptor_t layout;
    region_model_t *regions;
    size_t region_count;
    page_model_t *pages; // in the order of their addresses
    size_t page_count;
    owner_model_t *owners;
    size_t owner_count;
    class_model_t classes[MODEL_CLASSES_MAX]; // class_count + 1 of them
    class_model_t total;
    uint64_t reserved_bytes;
    uint64_t committed_bytes;
    uint64_t free_bytes;
    uint64_t purgeable_bytes;
    uint64_t allocated_bytes; // of blocks handed out since the start
    uint64_t resident_bytes;  // of the process; 0: not known
    uint64_t heaps;
    uint64_t threads;
    uint64_t orphaned_pages;
    uint64_t sampled_bytes; // of pages that hold sampled blocks
    uint64_t huge_bytes;    // of the heap in huge pages, where the system tells
    bool knows_resident;
    bool knows_huge; // which these are
} model_t;

// Reads the heap of a target; with `resident` also which of its OS pages hold memory, where that can be
// known. Where there is no heap: NULL, and `*why` says why; or the end of the tool with that line.
model_t *model_try(const target_t *target, bool resident, const char **why);
model_t *model_read(const target_t *target, bool resident);
void model_free(model_t *model);

// The page that an address lies in; NULL where none is.
page_model_t *model_page_of(const model_t *model, uint64_t address);

// The live page; false where it cannot be read.
bool model_live(const model_t *model, mi_live_t *live, uint64_t *address);

// Asks the process for something (MI_LIVE_*) and waits a quarter of a second for the answer; false when none
// came: an idle process gives none.
bool model_ask(const model_t *model, uint32_t request, mi_live_t *live);

#endif
