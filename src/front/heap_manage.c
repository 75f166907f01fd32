// SPDX-License-Identifier: MIT
// heap_manage.c — making, ending, choosing, walking and asking about heaps, thread heaps and
// subprocesses.
//
// Owns:        nothing
// Threads:     any
// Not here:    allocating from them → front/heap_api.c
#include <errno.h>
#include <limits.h>

#include "mimalloc.h"

#include "alloc/alloc.h"
#include "front/heap_types.h"
#include "front/init.h"
#include "front/report.h"
#include "heap/registry.h"
#include "heap/samples.h"
#include "heap/siblings.h"
#include "heap/walk.h"

// ---- Heaps

// The library must have been started before regions and locks are used.
static bool
is_bound(void)
{
    return !thread_heap_is_none(mi__thread_heap) || mi__registry_bind() != NULL;
}

static mi_heap_t *
new_heap(region_t *only)
{
    heap_t *heap = is_bound() ? mi__heap_new(mi__subproc_current(), only) : NULL;
    return heap == NULL ? (mi_heap_t *)mi__alloc_fail(sizeof *heap) : public_heap(heap);
}

mi_heap_t *
mi_heap_new(void)
{
    return new_heap(NULL);
}

mi_heap_t *
mi_heap_new_in_arena(mi_arena_id_t arena_id)
{
    return new_heap((region_t *)arena_id);
}

mi_heap_t *
mi_heap_new_ex(int tag, bool allow_destroy, mi_arena_id_t arena_id)
{
    (void)tag;
    (void)allow_destroy;
    return new_heap((region_t *)arena_id);
}

static bool
may_end(mi_heap_t *heap, const char *call)
{
    if (heap == NULL) {
        return false;
    }
    if (heap_is_main(heap_of_public(heap))) {
        mi__warning("%s: a main heap lives as long as its process; the call has no effect\n", call);
        return false;
    }
    return true;
}

void
mi_heap_delete(mi_heap_t *heap)
{
    if (may_end(heap, "mi_heap_delete")) {
        mi__heap_delete(heap_of_public(heap));
    }
}

void
mi_heap_destroy(mi_heap_t *heap)
{
    if (may_end(heap, "mi_heap_destroy")) {
        mi__heap_destroy(heap_of_public(heap));
    }
}

void
mi_heap_collect(mi_heap_t *heap, bool force)
{
    if (heap_is_main(heap_of_public(heap))) {
        (void)mi__collect(force);
    } else {
        mi__heap_collect(heap_of_public(heap));
    }
}

void
mi_heap_set_numa_affinity(mi_heap_t *heap, int numa_node)
{
    if (heap != NULL) {
        atomic_set_relaxed(&heap_of_public(heap)->node,
                           numa_node < 0 || numa_node == INT_MAX ? 0 : numa_node + 1);
    }
}

mi_heap_t *
mi_heap_main(void)
{
    return public_heap(&mi__subproc_current()->main);
}

mi_heap_t *
mi_heap_of(const void *p)
{
    return public_heap(mi__heap_of(p));
}

bool
mi_heap_contains(const mi_heap_t *heap, const void *p)
{
    return heap != NULL && mi__heap_of(p) == heap_of_public(heap);
}

bool
mi_any_heap_contains(const void *p)
{
    return mi__heap_of(p) != NULL;
}

// ---- Names of version 2

mi_heap_t *
mi_heap_get_default(void)
{
    heap_t *heap = atomic_get_relaxed(&mi__thread_heap->heap);
    return heap == NULL ? mi_heap_main() : public_heap(heap);
}

mi_heap_t *
mi_heap_set_default(mi_heap_t *heap)
{
    mi_heap_t *before = mi_heap_get_default();
    thread_heap_t *part = heap == NULL ? NULL : mi__siblings_find(heap_of_public(heap));
    if (part != NULL) {
        mi__thread_heap = part;
    }
    return before;
}

mi_heap_t *
mi_heap_get_backing(void)
{
    return mi_heap_main();
}

bool
mi_heap_contains_block(mi_heap_t *heap, const void *p)
{
    return mi_heap_contains(heap, p);
}

bool
mi_heap_check_owned(mi_heap_t *heap, const void *p)
{
    return mi_heap_contains(heap, p);
}

bool
mi_check_owned(const void *p)
{
    return mi_heap_contains(mi_heap_get_default(), p);
}

// ---- Thread heaps

mi_theap_t *
mi_heap_theap(mi_heap_t *heap)
{
    thread_heap_t *part = mi__siblings_find(heap_of_public(heap));
    return part == NULL ? (mi_theap_t *)mi__alloc_fail(sizeof *part) : public_part(part);
}

mi_theap_t *
mi_theap_get_default(void)
{
    return is_bound() ? public_part(mi__thread_heap) : NULL;
}

mi_theap_t *
mi_theap_set_default(mi_theap_t *theap)
{
    mi_theap_t *before = mi_theap_get_default();
    if (theap != NULL) {
        mi__thread_heap = part_of_public(theap);
    }
    return before;
}

void
mi_theap_delete(mi_theap_t *theap)
{
    thread_heap_t *part = part_of_public(theap);
    if (part != NULL && part == part->main) {
        mi__thread_heap_collect(part);
    } else if (part != NULL) {
        mi__siblings_let_go(part);
    }
}

void
mi_theap_collect(mi_theap_t *theap, bool force)
{
    (void)force;
    if (theap != NULL) {
        mi__thread_heap_collect(part_of_public(theap));
    }
}

void
mi_theap_guarded_set_sample_rate(mi_theap_t *theap, size_t sample_rate, size_t seed)
{
    if (theap != NULL) {
        mi__sampling_set_guard(part_of_public(theap), sample_rate, seed);
    }
}

void
mi_theap_guarded_set_size_bound(mi_theap_t *theap, size_t min, size_t max)
{
    if (theap != NULL) {
        mi__sampling_bound_guard(part_of_public(theap), min, max);
    }
}

// ---- Subprocesses

static mi_subproc_id_t
public_subproc(subproc_t *subproc)
{
    mi_subproc_id_t id = {subproc};
    return id;
}

mi_subproc_id_t
mi_subproc_main(void)
{
    return public_subproc(&mi__subproc_main);
}

mi_subproc_id_t
mi_subproc_current(void)
{
    return public_subproc(mi__subproc_current());
}

mi_subproc_id_t
mi_subproc_new(void)
{
    subproc_t *subproc = is_bound() ? mi__subproc_new() : NULL;
    if (subproc == NULL) {
        (void)mi__alloc_fail(sizeof *subproc);
    }
    return public_subproc(subproc);
}

static void
end_subproc(bool ended, const char *call)
{
    if (!ended) {
        mi__warning("%s: it is the main subprocess, or threads are still in it; the call has no effect\n",
                    call);
    }
}

void
mi_subproc_destroy(mi_subproc_id_t id)
{
    end_subproc(mi__subproc_destroy(subproc_of_public(id)), "mi_subproc_destroy");
}

void
mi_subproc_delete(mi_subproc_id_t id)
{
    end_subproc(mi__subproc_delete(subproc_of_public(id)), "mi_subproc_delete");
}

void
mi_subproc_add_current_thread(mi_subproc_id_t id)
{
    subproc_t *subproc = subproc_of_public(id);
    if (mi__subproc_current() != subproc) {
        mi__registry_leave();
        // Out of memory: the thread stays in the main one, and allocation fails or not.
        (void)!mi__registry_bind_in(subproc);
    }
}

bool
mi_subproc_visit_heaps(mi_subproc_id_t id, mi_heap_visit_fun *visitor, void *arg)
{
    subproc_t *subproc = subproc_of_public(id);
    if (!visitor(public_heap(&subproc->main), arg)) {
        return false;
    }
    for (heap_t *heap = mi__heap_first_made(); heap != NULL; heap = heap->next_made) {
        if (mi__heap_is_live(heap) && heap->subproc == subproc && !visitor(public_heap(heap), arg)) {
            return false;
        }
    }
    return true;
}

// ---- Walking

typedef struct visit_t {
    mi_heap_t *heap;
    mi_block_visit_fun *visitor;
    void *arg;
} visit_t;

static bool
visit(const walk_page_t *page, void *block, void *arg)
{
    const visit_t *to = (const visit_t *)arg;
    mi_heap_area_t area = {
        .blocks = page->start,
        .reserved = page->bytes,
        .committed = page->bytes,
        .used = page->live,
        .block_size = page->block_size,
        .full_block_size = page->block_size,
    };
    return to->visitor(to->heap, &area, block, page->block_size, to->arg);
}

static bool
walk(const mi_heap_t *heap, bool blocks, walk_which_t which, mi_block_visit_fun *visitor, void *arg)
{
    heap_t *of = heap_of_public(heap);
    visit_t to = {public_heap(of), visitor, arg};
    return visitor != NULL && mi__walk(of, which, blocks, visit, &to);
}

bool
mi_heap_visit_blocks(const mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor, void *arg)
{
    return walk(heap, visit_blocks, WALK_ALL, visitor, arg);
}

bool
mi_heap_visit_abandoned_blocks(const mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor,
                               void *arg)
{
    return walk(heap, visit_blocks, WALK_ORPHANS, visitor, arg);
}

bool
mi_abandoned_visit_blocks(mi_subproc_id_t id, int heap_tag, bool visit_blocks, mi_block_visit_fun *visitor,
                          void *arg)
{
    (void)heap_tag;
    return walk(public_heap(&subproc_of_public(id)->main), visit_blocks, WALK_ORPHANS, visitor, arg);
}

bool
mi_theap_visit_blocks(const mi_theap_t *theap, bool visit_blocks, mi_block_visit_fun *visitor, void *arg)
{
    const thread_heap_t *part = (const thread_heap_t *)(const void *)theap;
    return walk(public_heap(atomic_get_relaxed(&part->heap)), visit_blocks, WALK_ALL, visitor, arg);
}

bool
mi_heap_check(const mi_heap_t *heap)
{
    walk_fault_t fault;
    if (mi__walk_check(heap_of_public(heap), &fault)) {
        return true;
    }
    mi__report_error(EFAULT, "heap %p: the page at %p (%zu bytes, blocks of %zu) is damaged: %s\n",
                     (const void *)heap, (void *)fault.page.start, fault.page.bytes, fault.page.block_size,
                     fault.what);
    return false;
}

// ---- Moving blocks together

bool
mi_unsafe_page_info(const void *p, mi_page_info_t *info)
{
    page_t *page = mi__page_around(p);
    *info = (mi_page_info_t){0};
    if (page == NULL) {
        return false;
    }
    if (page->block_size == 0) {
        info->block_size = page->slices << SLICE_SHIFT;
        info->used = info->capacity = 1;
        return true;
    }
    size_t granted = mi__page_blocks_granted(page);
    info->block_size = page->block_size;
    info->used = granted - size_min(mi__page_blocks_free(page) + mi__remote_count(page), granted);
    info->capacity = page->reserved;
    info->serving = page_is_pinned(page) || samples_are_in(page, page_owner(page));
    return true;
}

bool
mi_unsafe_heap_page_is_under_utilized(mi_heap_t *heap, void *p, size_t perc_threshold)
{
    mi_page_info_t info;
    return mi_unsafe_page_info(p, &info) && info.block_size <= BLOCK_MAX && !info.serving &&
           mi__heap_of_page(mi__page_around(p)) == heap_of_public(heap) &&
           info.used * 100 < perc_threshold * info.capacity;
}
