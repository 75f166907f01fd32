// SPDX-License-Identifier: MIT
// thread_heap.h — the heap of one thread: for every size a page that serves it, and queues of the
// others.
//
// A thread has one for malloc, its main one, bound to it at its first allocation and handed over
// when it ends (heap/registry.c), and others for the first-class heaps that it uses
// (heap/siblings.c). None is ever freed, so that its address stays good as an owner.
//
// A page of the heap is in one of four states:
//   | serving  | in `serving`, pinned                           | → full, partial              |
//   | partial  | in its class's queue                           | → serving, released          |
//   | full     | in the queue `full`, OWNER_FULL set            | → partial at the next free   |
//   | stood in | behind a stand-in page (heap/held.c), pinned   | → serving                    |
//
// Owns:        thread_heap_t
// Threads:     the thread that the heap is bound to, unless a function says otherwise
// Invariants:  H1 every entry of `serving` is mi__page_none, a pinned page of this heap, or a
//                 stand-in
//              H2 the entries of one class are all the same page
//              H3 a page in the queue of its class has PAGE_QUEUED set, is not pinned, not full
//              H4 every page of the heap is in exactly one of the four states
// Not here:    binding and handing over → heap/registry.h, foreign blocks → heap/held.h,
//              first-class heaps → heap/heap.h
#ifndef MI_HEAP_THREAD_HEAP_H
#define MI_HEAP_THREAD_HEAP_H

#include "heap/sampling.h"
#include "page/remote.h"

// Who holds a thread heap; heap/registry.c has the steps between these.
enum {
    HEAP_LIVE,    // its thread
    HEAP_ORPHAN,  // nobody: its thread has ended
    HEAP_CLAIMED, // whoever claimed it, for a moment
    HEAP_DEAD,    // nobody, for good: it was held when the process forked
    HEAP_VACANT,  // its thread, but it belongs to no heap
};

enum {
    // `serving` has an entry for each granule count up to SMALL_MAX, then one for each class above.
    SERVING_LARGE = SMALL_GRANULES + 1 - CLASS_AFTER_SMALL, // + class
    SERVING_COUNT = SERVING_LARGE + CLASS_COUNT,
    HEAP_RARE_BEAT = 256, // slow-path calls between two rounds of rare work
    KEPT_MAX = 16,        // slices in all retired singletons that a thread keeps (1 MiB)
};

typedef struct page_queue_t {
    page_t *first;
    page_t *last;
} page_queue_t;

struct held_t;
struct heap_t;
struct series_t;
struct siblings_t;

typedef struct thread_heap_t {
    // [atomic: any thread] its address is the heap's: the owner word of pages is compared with the
    // heap itself
    owner_t owner;
    _Atomic(uint32_t) state;                     // heap/registry.c
    _Atomic(uint32_t) thread_id;                 // of a main one: the thread that it is bound to
    _Atomic(struct thread_heap_t *) next_orphan; // heap/registry.c
    _Atomic(struct heap_t *) heap;               // whose blocks these are; NULL while vacant
    // [constant after init]
    struct thread_heap_t *main;      // the thread's heap for malloc: perhaps itself; [hint] to others
    struct thread_heap_t *next_made; // all heaps ever made
    // [constant while it belongs to one heap]
    struct thread_heap_t *next_of_heap; // heap/heap.c

    // [owner only]
    MI_ALIGNED(64) page_t *serving[SERVING_COUNT];
    page_queue_t queues[CLASS_COUNT];
    page_queue_t full;
    // Blocks put on `free` lists since the start: allocations, but for those still on them.
    uint64_t granted[CLASS_COUNT];
    int64_t sample_in[CLASS_COUNT];     // to grant until the next sample is due: heap/sampling.h
    uint64_t pages_made[CLASS_COUNT];   // since the start
    uint32_t places[CLASS_COUNT];       // of the page that was released last (mi__slices_place)
    page_t *kept[KEPT_MAX + 1];         // retired singletons, by slices, for the next ones; two at most
    page_t *newest;                     // [hint] the singleton made last that was not kept
    void *grown;                        // [hint] of a main heap: the block that moved last in order to grow
    uint32_t growing;                   // [hint] of a main heap: singletons with PAGE_GROWING that are out
    uint64_t singletons;                // singletons handed out since the start
    uint64_t singleton_bytes;           // and their bytes
    struct held_t *held;                // foreign blocks; NULL until the first
    struct quarantine_t *quarantine;    // blocks that wait: heap/quarantine.h; NULL until the first
    uint32_t kept_slices;               // about so many in all that are kept, or out and have room there
    uint32_t kept_sizes;                // a bit for each size made lately: what is worth keeping
    int32_t beats_left;                 // slow-path calls until the next rare work
    uint32_t emptied;                   // pages that became empty …
    int32_t emptied_beat;               // … since this slow-path call
    uint32_t wishes;                    // of a main heap: mi__thread_heap_wishes when it was collected last
    struct siblings_t *siblings;        // of a main heap: the thread's others; NULL until the first
    struct thread_heap_t *next_sibling; // of the others: the next of the same thread
    struct series_t *series;            // of a main heap, by slices: heap/series.h; NULL until the first
    sampling_t sampling;
} thread_heap_t;

_Static_assert(offsetof(thread_heap_t, owner) == 0, "an owner word is compared with the heap's address");

// The page that serves nothing, and the heap of threads that have none yet: every path through them
// ends on the slow path.
extern MI_HIDDEN const page_t mi__page_none;
extern MI_HIDDEN const thread_heap_t mi__thread_heap_none;

// The calling thread's heap that malloc uses: its main one, unless the program chose another; never
// NULL.
extern MI_HIDDEN MI_THREAD_LOCAL thread_heap_t *mi__thread_heap_mine;
#define mi__thread_heap OF_THREAD(mi__thread_heap_mine)

static inline size_t
serving_index_small(size_t size)
{
    return (size + GRANULE - 1) >> GRANULE_SHIFT;
}

static inline size_t
serving_index_large(size_t size)
{
    return (size_t)SERVING_LARGE + sizeclass_of_large(size);
}

// The page that serves `size`, at most BLOCK_MAX.
static inline page_t *
thread_heap_page(const thread_heap_t *heap, size_t size)
{
    return heap->serving[size <= SMALL_MAX ? serving_index_small(size) : serving_index_large(size)];
}

static inline bool
thread_heap_is_none(const thread_heap_t *heap)
{
    return heap == &mi__thread_heap_none;
}

// The thread heap that a page's owner word names.
static inline thread_heap_t *
page_thread_heap(uintptr_t word)
{
    return (thread_heap_t *)(word & ~(uintptr_t)OWNER_FLAGS); // NOLINT(performance-no-int-to-ptr)
}

// True when the calling thread may touch the owner-only fields of `owner`, one of its heaps.
static inline bool
thread_heap_is_mine(const thread_heap_t *owner)
{
    // relaxed: the thread wrote both itself where they say yes. A heap that just took over the page
    // may show no `main` yet, and one that is changing hands is not taken for one's own.
    return HINT_GET(owner->main) == mi__thread_heap->main && atomic_get_relaxed(&owner->state) == HEAP_LIVE;
}

// A block for `size` (at most BLOCK_MAX) when the serving page of `heap`, one of the thread's own,
// has none at hand. Binds a heap to the thread when `heap` is that of threads without one. NULL when
// there is no memory. `*zero` tells whether all but the block's first word is zero.
MI_NODISCARD block_t *mi__thread_heap_alloc(thread_heap_t *heap, size_t size, bool *zero);

// A singleton with at least `size` bytes at a multiple of `align`, counted. Binds a heap like
// mi__thread_heap_alloc. NULL when there is no memory. `*zero` tells whether all of it is zero.
MI_NODISCARD page_t *mi__thread_heap_singleton(thread_heap_t *heap, size_t size, size_t align, bool *zero);

// Takes back a singleton that the thread has retired: it is released, or kept by the thread's main
// `heap` when this one made singletons of its size lately. Works for the heap of threads that have
// none, too.
void mi__thread_heap_return_singleton(thread_heap_t *heap, page_t *page);

// The last block of a queued page of this heap came home.
void mi__thread_heap_page_empty(thread_heap_t *heap, page_t *page);

// A block of a page of this heap with a map came home, and was counted: the page goes where it belongs.
void mi__thread_heap_came_home(thread_heap_t *heap, page_t *page);

// Frees a block of a full page of this heap: the page goes back to its queue.
void mi__thread_heap_free_full(thread_heap_t *heap, page_t *page, void *block);

// Takes in what other threads freed, and releases pages that became empty. Also for a heap without
// a thread, by its claimer.
void mi__thread_heap_drain(thread_heap_t *heap);

// Drains, and stops serving: empty pages go back to the arena, others into their queues.
void mi__thread_heap_collect(thread_heap_t *heap);

// Gives back the OS pages of queued pages that hold nothing but free blocks; after a collect, or by the
// claimer of a heap without a thread.
void mi__thread_heap_trim(thread_heap_t *heap);

// The same of pages that were the same at the last call.
void mi__thread_heap_trim_cold(thread_heap_t *heap);

// Takes a queued page of `class` out of the orphan `heap`, which the caller has claimed, and gives
// it to `to`, the caller's own. NULL when there is none, or it is on the move just now.
MI_NODISCARD page_t *mi__thread_heap_give_page(thread_heap_t *heap, unsigned class, thread_heap_t *to);

// Moves the pages of `heap`, and what it has counted, to another of the same thread. False when some
// page could not be moved: it is listed just now. The thread holds both.
MI_NODISCARD bool mi__thread_heap_merge(thread_heap_t *heap, thread_heap_t *to);

// Releases all pages of `heap` with the blocks that live in them; nobody frees any of them
// meanwhile. What it has counted is added to `to`, the calling thread's main one if it has any.
void mi__thread_heap_wipe(thread_heap_t *heap, thread_heap_t *to);

// Sets up the fields of a fresh, zeroed heap; `main` is NULL for a main one.
void mi__thread_heap_init(thread_heap_t *heap, thread_heap_t *main);

// How often all threads have been asked to trim what stayed cold, and to collect and trim everything
// (WISH_ALL). Each does it for itself, with its next rare work: no other may touch its pages.
enum { WISH_COLD = 1, WISH_ALL = 1 << 16 };
extern MI_HIDDEN _Atomic(uint32_t) mi__thread_heap_wishes;
void mi__thread_heap_grant_wish(thread_heap_t *main, uint32_t wishes);

static inline void
thread_heap_look_for_wish(thread_heap_t *main)
{
    uint32_t wishes = atomic_get_relaxed(&mi__thread_heap_wishes);
    if (unlikely(main->wishes != wishes)) {
        mi__thread_heap_grant_wish(main, wishes);
    }
}

// Counts blocks that were granted to the serving page: for the statistics, and down to the next sample.
// True when that is among them: mi__thread_heap_alloc_sampled comes next.
static inline bool
thread_heap_grant(thread_heap_t *heap, unsigned class, size_t granted)
{
    OWNER_SET(heap->granted[class], heap->granted[class] + granted);
    return (heap->sample_in[class] -= (int64_t)granted) < 0;
}

// The same for one block of a page with a map, which is never a sample.
static inline void
thread_heap_grant_one(thread_heap_t *heap, unsigned class)
{
    OWNER_SET(heap->granted[class], heap->granted[class] + 1);
}

// Takes back blocks that were granted, but that nobody took.
static inline void
thread_heap_ungrant(thread_heap_t *heap, unsigned class, uint32_t count)
{
    OWNER_SET(heap->granted[class], heap->granted[class] - count);
    heap->sample_in[class] += count;
}

// mi__thread_heap_alloc where `page` was just refilled and the next sample is among the blocks `granted`.
MI_NODISCARD block_t *mi__thread_heap_alloc_sampled(thread_heap_t *heap, page_t *page, size_t size,
                                                    size_t granted, bool *zero);

// The commonest refill, kept short: moves what the owner freed to the serving `page` to its empty `free`,
// where the caller grants it. False when it is time for rare work.
static inline bool
thread_heap_swap(thread_heap_t *heap, page_t *page, size_t *granted)
{
    if (unlikely(--heap->beats_left < 0)) {
        heap->beats_left = 0;
        return false;
    }
    *granted = page_swap(page);
    return true;
}

// True where a retired singleton rests until another of its size has followed, so that a second free finds
// no block there, and a stale pointer no other one. Those of one slice are about to grow again, where there
// is room for it.
static inline bool
thread_heap_rests(size_t slices)
{
    return unlikely(mi__conf.secure > 0) && slices > 1;
}

// Hands out `page`, which was kept, counted and with the heap's mark in its owner word.
static inline page_t *
thread_heap_reuse(thread_heap_t *heap, page_t *page, size_t slices)
{
    page_reuse_singleton(page, (uintptr_t)heap);
    OWNER_SET(heap->singletons, heap->singletons + 1);
    OWNER_SET(heap->singleton_bytes, heap->singleton_bytes + (slices << SLICE_SHIFT));
    return page;
}

// A singleton for `size` that `heap` has kept; NULL when there is none, or it is not the time of the one
// that there is.
static inline page_t *
thread_heap_take_kept(thread_heap_t *heap, size_t size)
{
    size_t slices = (size + SLICE_SIZE - 1) >> SLICE_SHIFT; // 0 when that overflows: nothing is kept there
    page_t *page = likely(slices <= KEPT_MAX) ? heap->kept[slices] : NULL;
    if (unlikely(page == NULL)) {
        return NULL;
    }
    if (thread_heap_rests(slices)) {
        page_t *before = page->next;
        page->next = NULL;
        return before == NULL ? NULL : thread_heap_reuse(heap, before, slices);
    }
    heap->kept[slices] = NULL;
    return thread_heap_reuse(heap, page, slices);
}

// True where one more singleton of `slices` may be kept before the first, or NULL: one of each size, or two.
static inline bool
thread_heap_has_place(const page_t *first, size_t slices)
{
    return likely(first == NULL) || (thread_heap_rests(slices) && first->next == NULL);
}

// Takes one back that has the heap's mark, and thus its room; false when there is no place for it by now,
// or it is too large.
static inline bool
thread_heap_keep_again(thread_heap_t *heap, page_t *page)
{
    size_t slices = page->slices;
    if (unlikely(slices > KEPT_MAX || page->flags != 0)) {
        return false;
    }
    page_t *first = heap->kept[slices];
    if (!thread_heap_has_place(first, slices)) {
        return false;
    }
    page_rest_singleton(page);
    page->next = first;
    heap->kept[slices] = page;
    return true;
}

// The page that serves `class`, mi__page_none when there is none; and sets it.
page_t *mi__thread_heap_serving(const thread_heap_t *heap, unsigned class);
void mi__thread_heap_serve(thread_heap_t *heap, unsigned class, page_t *page);

#endif
