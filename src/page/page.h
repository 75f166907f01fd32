// SPDX-License-Identifier: MIT
// page.h — a run of slices with blocks of one size, and its lists.
//
// The owner allocates from `free` and frees to `local_free`; others free to `thread_free`
// (remote.c). `free` runs empty at a regular beat, which is when the lists are joined and all rare
// work is done.
//
// Owns:        every field of page_t but `thread_free` and `pending_next`
// Threads:     the owner only, unless a function says otherwise
// Invariants:  P1 capacity = used − pinned + blocks in `local_free`: a block counts as used from
//                 the moment that it is granted, that is, put on `free`, so that an allocation has
//                 nothing to count
//              P2 only a page that serves has blocks in `free`
//              P3 capacity + holed ≤ reserved; blocks at and above that were never touched by us
//              P4 owner is 0 in every descriptor that is not the head or an inner slice of a page
// Not here:    frees from other threads → page/remote.h, which page serves → heap/thread_heap.h
#ifndef MI_PAGE_PAGE_H
#define MI_PAGE_PAGE_H

#include "arena/slices.h"
#include "page/sizeclass.h"

typedef struct block_t {
    struct block_t *next;
} block_t;

// Bits in the low end of the owner word. The owner's address alone means: a page whose blocks are
// freed the short way.
enum {
    OWNER_REDIRECT = 1,  // an inner slice: the rest of the word is the head descriptor
    OWNER_FULL = 2,      // not in its class's queue: the next free must put it there
    OWNER_INTERIOR = 4,  // blocks were handed out by an address inside of them
    OWNER_SINGLETON = 8, // one block, no owner: whoever frees it releases it. The address, if there is
                         // one, is of the thread heap that had kept it
    OWNER_SAMPLED = 16,  // holds samples: heap/samples.h
    OWNER_SECURE = 32,   // its blocks are in a map instead of lists (page/blockmap.h)
    OWNER_FLAGS = 63,
};

enum {
    PAGE_PINNED = 1,     // serves a class: holds one extra `used`
    PAGE_FREE_ZERO = 2,  // blocks in `free` are zero but for their first word
    PAGE_FRESH_ZERO = 4, // so is everything at and above `capacity`
    PAGE_STAND_IN = 8,   // not a page at all: carries blocks of other pages (heap/held.c)
    PAGE_QUEUED = 16,    // in its owner's queue
    PAGE_EMPTIED = 32,   // a singleton whose memory has been moved away: it reads as zero
    PAGE_HOLES = 64,     // has bits in `holes`
    PAGE_IDLE = 128,     // a singleton that was kept when rare work came by
    PAGE_GROWING = 256,  // a singleton made for a small block that goes on growing
    PAGE_GUARDED = 512,  // a singleton with nothing accessible behind its bytes; holes[0]: how many
};

enum { HOLES_MAX = 128 }; // bits of page_t.holes

struct page_t {
    // [atomic: any thread] written by the owner; address of the owner | flags
    _Atomic(uintptr_t) owner;
    // [owner only]
    block_t *free;
    block_t *local_free;
    uint32_t used;     // blocks granted and not got back, plus one while pinned
    uint32_t capacity; // blocks threaded so far, but for those in holes
    uint32_t reserved; // blocks that fit
    uint16_t class;
    uint16_t flags;
    page_t *next; // in a queue of the owner, or in the list of the holder
    page_t *prev;
    uint32_t block_size; // bytes; 0 for a singleton
    uint32_t holed;      // blocks in holes, see page/trim.h; those on `free` and `local_free` are in none

    // [atomic: any thread] see remote.c
    MI_ALIGNED(64) _Atomic(uint64_t) thread_free;
    _Atomic(page_t *) pending_next;
    // [constant while the page lives]
    char *start;
    size_t slices; // [owner only] a singleton may grow and shrink
    union {
        // [lock: of the heap that lists it, heap/heap.c] of a singleton: what it belongs to, or NULL
        _Atomic(void *) holder;
        uint64_t looked; // [owner only] of the others: how it was when trimming came by; 0: it did not
    };
    // [owner only]
    uint64_t holes[HOLES_MAX / 64]; // OS pages that were given back: page/trim.c
    // [constant while the page lives]
    struct blockmap_t *map; // NULL: the blocks are in the lists
};

_Static_assert(offsetof(page_t, map) + sizeof(void *) == sizeof(page_t),
               "the map is last: see clear in page.c");

_Static_assert(sizeof(page_t) <= DESCRIPTOR_SIZE, "a page descriptor fits into its slot");
_Static_assert(offsetof(page_t, thread_free) == 64, "what others write has a cache line of its own");

// A page of `class` for the owner at the address `owner`; not pinned, no blocks threaded. In the
// region `only`, or, when that is NULL, wherever there is room. NULL when there is no memory.
MI_NODISCARD page_t *mi__page_new(unsigned class, uintptr_t owner, region_t *only);

// The same at the place of an earlier page of the class (mi__slices_place). NULL when its slices are
// in use, or gave their memory back.
MI_NODISCARD page_t *mi__page_new_again(unsigned class, uintptr_t owner, uint32_t place);

// A page with one block of at least `size` bytes whose address is a multiple of `align` (a power of
// two), placed like mi__page_new's. NULL when there is no memory. `*zero` tells whether the block is
// all zero.
MI_NODISCARD page_t *mi__page_new_singleton(size_t size, size_t align, region_t *only, bool *zero);

// Sets the descriptor of a slice that its holder keeps: a page with the one block at `start` and the owner
// word `word`, or none at all when that is 0.
void mi__page_set_alone(page_t *descriptor, unsigned class, char *start, size_t size, uintptr_t word);

// Gives the page's slices back. Owned pages: used = 0 and nothing on its way home
// (remote_is_quiet).
void mi__page_release(page_t *page);

// The same, with the blocks that are out, which nobody may use or free any more.
void mi__page_discard(page_t *page);

// Takes a singleton out of use, from any thread; its slices stay claimed until it is released, or
// used again. False when another thread was faster, that is, on a double free; or when the block has become a
// sample meanwhile.
MI_NODISCARD bool mi__page_retire_singleton(page_t *page);

// Makes a fresh singleton all zero from the byte `from` on, in the way that costs less: large ones by
// giving their memory back to the system, since much of what is asked for zeroed is never touched.
void mi__page_zero_singleton(page_t *page, size_t from);

// Cuts a fresh singleton, not touched yet, down to `slices`.
void mi__page_cut_singleton(page_t *page, size_t slices);

// Moves the contents of a singleton to a fresh one that is at least as large, by the page tables; the
// old one is only fit to be released then. False where copying is better, or the system cannot.
MI_NODISCARD bool mi__page_move_singleton(page_t *from, page_t *to);

// Grants the next few fresh blocks: threads them onto `free`, which is empty. Returns how many; 0
// when the page has none left.
uint32_t mi__page_extend(page_t *page);

// Takes the blocks on `free` back to `local_free`, before the page stops serving. Returns how many.
uint32_t mi__page_ungrant(page_t *page);

// Changes the number of slices of a singleton in place; false when the slices behind are taken.
// `*zero` tells whether what was added is all zero. Only the block's holder calls it.
MI_NODISCARD bool mi__page_resize_singleton(page_t *page, size_t slices, bool *zero);

// The start of the block in which `p` lies.
void *mi__page_block_of(const page_t *page, const void *p);

// Bytes from `p`, an address in a block of the page, to the end of its block.
size_t mi__page_usable(const page_t *page, const void *p);

// The head descriptor of the page in which `p` lies, or NULL when there is no page. Any thread.
page_t *mi__page_of(const void *p);

// The same, also for addresses beyond the first slice of a singleton, whose descriptors say
// nothing: looks for the page before them. Any thread; for questions, not for the ways of malloc.
page_t *mi__page_around(const void *p);

// Blocks granted and not got back, and of these the ones still on `free`, counted by walking it:
// the rest are in the hands of the program, on `thread_free` or held back. Any thread; a guess
// (never a fault) while the owner works.
size_t mi__page_blocks_granted(const page_t *page);
size_t mi__page_blocks_free(const page_t *page);

// Checks P1 to P3 and that every free block lies in the page; full debug builds.
bool mi__page_verify(const page_t *page);

static inline uintptr_t
page_owner(page_t *page)
{
    // relaxed: a thread that owns the page wrote the word itself; for others any value that is not
    // their own will do.
    return atomic_get_relaxed(&page->owner);
}

// True when a block of the page may begin at `p`. Any thread.
static inline bool
page_is_start(const page_t *page, const void *p)
{
    size_t offset = (size_t)((const char *)p - page->start);
    return page->block_size == 0 ? offset == 0 : (uint32_t)offset % page->block_size == 0;
}

// True for the block that was given to the owner's list last: it is free. Any thread; who holds a block is
// never told so.
static inline bool
page_freed_last(const page_t *page, const void *p)
{
    return HINT_GET(page->local_free) == p;
}

// The head descriptor that an inner slice's owner word names.
static inline page_t *
page_of_redirect(uintptr_t word)
{
    return (page_t *)(word - OWNER_REDIRECT); // NOLINT(performance-no-int-to-ptr)
}

static inline bool
page_is_pinned(const page_t *page)
{
    return (page->flags & PAGE_PINNED) != 0;
}

static inline void
page_set_flag(page_t *page, unsigned flag)
{
    OWNER_SET(page->flags, (uint16_t)(page->flags | flag));
}

static inline void
page_clear_flag(page_t *page, unsigned flag)
{
    OWNER_SET(page->flags, (uint16_t)(page->flags & ~flag));
}

// The serving page is pinned: its blocks come and go without ever making it empty.
static inline void
page_pin(page_t *page)
{
    page_set_flag(page, PAGE_PINNED);
    OWNER_SET(page->used, page->used + 1);
}

static inline void
page_unpin(page_t *page)
{
    page_clear_flag(page, PAGE_PINNED);
    OWNER_SET(page->used, page->used - 1);
}

static inline void
page_set_owner_flag(page_t *page, unsigned flag)
{
    atomic_set_relaxed(&page->owner, page_owner(page) | flag);
}

static inline void
page_clear_owner_flag(page_t *page, unsigned flag)
{
    atomic_set_relaxed(&page->owner, page_owner(page) & ~(uintptr_t)flag);
}

// A singleton that `keeper` has kept goes out again with its mark, and comes back: without the swap of
// mi__page_retire_singleton, which two threads that free the same block at the same time would need.
static inline void
page_reuse_singleton(page_t *page, uintptr_t keeper)
{
    OWNER_SET(page->used, 1);
    OWNER_SET(page->flags, 0);
    atomic_set_relaxed(&page->owner, keeper | OWNER_SINGLETON);
}

static inline void
page_rest_singleton(page_t *page)
{
    OWNER_SET(page->used, 0);
    atomic_set_relaxed(&page->owner, 0);
}

// Takes `block`, the first of `free`.
static inline block_t *
page_pop(page_t *page, block_t *block)
{
    OWNER_SET(page->free, block->next);
    return block;
}

// Grants what the owner freed to a pinned page: moves `local_free`, which is not empty, to `free`, which
// is. Returns the number of blocks.
static inline uint32_t
page_swap(page_t *page)
{
    uint32_t used = page->capacity + 1;
    uint32_t granted = used - page->used;
    OWNER_SET(page->used, used);
    OWNER_SET(page->free, page->local_free);
    OWNER_SET(page->local_free, NULL);
    page_clear_flag(page, PAGE_FREE_ZERO);
    return granted;
}

// Takes `rest`, the last `count` blocks on `free`, back: the page has just been refilled, and nothing was
// freed since.
static inline void
page_put_back(page_t *page, block_t *rest, uint32_t count)
{
    OWNER_SET(page->local_free, rest);
    OWNER_SET(page->used, page->used - count);
}

// Gives a block back to its owner's list, whose first is `next`; true when no block is out any more.
static inline bool
page_push_before(page_t *page, void *p, block_t *next)
{
    block_t *block = (block_t *)p;
    block->next = next;
    OWNER_SET(page->local_free, block);
    uint32_t used = page->used - 1;
    OWNER_SET(page->used, used);
    return used == 0;
}

static inline bool
page_push_local(page_t *page, void *p)
{
    return page_push_before(page, p, page->local_free);
}

#endif
