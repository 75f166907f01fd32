// SPDX-License-Identifier: MIT
// model.c — the heap of a target, by its descriptor (docs/outside.md).
//
// A process that runs changes while it is read. Each value is checked before it leads anywhere: a wrong one
// costs a wrong figure, never more.
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "resident.h"
#include "text.h"

enum {
    REGIONS_MAX = 1024,
    CHAIN_MAX = 1 << 16, // thread heaps, heaps
    LIST_MAX = 1 << 16,  // blocks in one list
    DESCRIPTORS_AT_ONCE = 8192,
    PAGE_MEMORY_MAX = 1 << 20, // of a page that has lists
    OS_PAGE_SHIFT_MIN = 12,
};

// ---- words of the target

static uint64_t
word_at(const model_t *model, uint64_t address)
{
    uint64_t word = 0;
    return target_read(model->target, address, &word, sizeof word) ? word : 0;
}

static uint32_t
number_at(const model_t *model, uint64_t address)
{
    uint32_t number = 0;
    return target_read(model->target, address, &number, sizeof number) ? number : 0;
}

static uint32_t
number_in(const unsigned char *bytes, uint32_t offset)
{
    uint32_t number;
    memcpy(&number, bytes + offset, sizeof number);
    return number;
}

static uint16_t
half_in(const unsigned char *bytes, uint32_t offset)
{
    uint16_t half;
    memcpy(&half, bytes + offset, sizeof half);
    return half;
}

// ---- regions

static int
by_base(const void *a, const void *b)
{
    uint64_t left = ((const region_model_t *)a)->base;
    uint64_t right = ((const region_model_t *)b)->base;
    return left < right ? -1 : left > right;
}

static void
read_regions(model_t *model)
{
    const mi_descriptor_t *layout = &model->layout;
    uint64_t count = word_at(model, (uintptr_t)layout->region_count);
    count = count < REGIONS_MAX ? count : REGIONS_MAX;
    model->regions = get_memory(count, sizeof *model->regions);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = word_at(model, (uintptr_t)layout->regions + i * sizeof(uint64_t));
        if (at != 0) {
            region_model_t region = {.base = word_at(model, at + layout->region_base),
                                     .committed = word_at(model, at + layout->region_committed),
                                     .descriptors = word_at(model, at + layout->region_descriptors),
                                     .chunks = word_at(model, at + layout->region_chunks),
                                     .reserved_bytes = word_at(model, at + layout->region_reserved)};
            model->reserved_bytes += region.reserved_bytes;
            model->committed_bytes += region.committed << layout->slice_shift;
            model->regions[model->region_count++] = region;
        }
    }
    qsort(model->regions, model->region_count, sizeof *model->regions, by_base);
}

// Free slices, and of these the dirty ones.
static void
count_slices(model_t *model, const region_model_t *region)
{
    const mi_descriptor_t *layout = &model->layout;
    size_t chunks = region->committed / 64;
    unsigned char *bits = get_memory(chunks, layout->chunk_bytes);
    if (target_read(model->target, region->chunks, bits, chunks * layout->chunk_bytes)) {
        for (size_t i = 0; i < chunks; i++) {
            const unsigned char *chunk = bits + i * layout->chunk_bytes;
            uint64_t free_slices = ~word_in(chunk, layout->chunk_used);
            uint64_t dirty = free_slices & word_in(chunk, layout->chunk_dirty);
            model->free_bytes += (uint64_t)__builtin_popcountll(free_slices) << layout->slice_shift;
            model->purgeable_bytes += (uint64_t)__builtin_popcountll(dirty) << layout->slice_shift;
        }
    }
    free(bits);
}

// ---- owners

static unsigned
owner_of(model_t *model, uint64_t thread_heap)
{
    // Neighbours mostly have the same.
    static size_t last;
    if (last < model->owner_count && model->owners[last].thread_heap == thread_heap) {
        return (unsigned)last;
    }
    for (size_t i = 0; i < model->owner_count; i++) {
        if (model->owners[i].thread_heap == thread_heap) {
            last = i;
            return (unsigned)i;
        }
    }
    return 0;
}

static void
read_owners(model_t *model)
{
    const mi_descriptor_t *layout = &model->layout;
    model->owners = get_memory(CHAIN_MAX, sizeof *model->owners);
    model->owner_count = 1; // of singletons
    uint64_t at = word_at(model, (uintptr_t)layout->thread_heaps);
    for (; at != 0 && model->owner_count < CHAIN_MAX; at = word_at(model, at + layout->thread_heap_next)) {
        uint64_t granted[MODEL_CLASSES_MAX];
        uint32_t state = number_at(model, at + layout->thread_heap_state);
        uint64_t main = word_at(model, at + layout->thread_heap_main);
        bool ended = state == 1 || state == 3;
        model->owners[model->owner_count++] = (owner_model_t){
            .thread_heap = at,
            .heap = word_at(model, at + layout->thread_heap_heap),
            .thread = ended ? 0 : number_at(model, main + layout->thread_heap_thread),
        };
        model->threads += !ended && main == at;
        if (target_read(model->target, at + layout->thread_heap_granted, granted,
                        layout->class_count * sizeof granted[0])) {
            for (unsigned i = 0; i < layout->class_count; i++) {
                model->classes[i].allocated += granted[i];
            }
        }
        model->allocated_bytes += word_at(model, at + layout->thread_heap_singleton_bytes);
        model->classes[layout->class_count].allocated += word_at(model, at + layout->thread_heap_singletons);
    }
    model->heaps = 1;
    at = word_at(model, (uintptr_t)layout->heaps);
    for (unsigned i = 0; at != 0 && i < CHAIN_MAX; at = word_at(model, at + layout->heap_next), i++) {
        model->heaps += (number_at(model, at + layout->heap_live) & 1) != 0;
    }
}

// ---- pages

// Blocks on a list of a page whose memory is at hand.
static uint32_t
list_length(const model_t *model, const page_model_t *page, const unsigned char *memory, size_t bytes,
            uint64_t block)
{
    uint32_t length = 0;
    while (block != 0 && length < page->reserved) {
        uint64_t offset = block - page->start;
        if (offset % page->block_size != 0 || offset + sizeof block > bytes) {
            break;
        }
        length++;
        block = word_in(memory, (uint32_t)offset + model->layout.block_next);
    }
    return length;
}

static void
count_live(model_t *model, page_model_t *page, const unsigned char *bytes)
{
    const mi_descriptor_t *layout = &model->layout;
    static unsigned char memory[PAGE_MEMORY_MAX];
    uint32_t used = number_in(bytes, layout->page_used);
    bool pinned = (half_in(bytes, layout->page_flags) & layout->page_pinned) != 0;
    uint32_t granted = used > pinned ? used - pinned : 0;
    uint64_t first = word_in(bytes, layout->page_free);
    uint32_t coming = (uint32_t)(word_in(bytes, layout->page_thread_free) >> layout->remote_count);
    uint64_t span = (uint64_t)page->slices << layout->slice_shift;
    uint32_t waiting = 0;
    if (first != 0 && span <= sizeof memory && target_read(model->target, page->start, memory, span)) {
        waiting = list_length(model, page, memory, span, first);
    }
    // What is still on `free` was granted, but nobody has it yet.
    uint64_t *allocated = &model->classes[page->size_class].allocated;
    *allocated -= waiting < *allocated ? waiting : *allocated;
    page->live = granted > waiting + coming ? granted - waiting - coming : 0;
    page->live = page->live < page->reserved ? page->live : page->reserved;
}

// The page that a descriptor begins; false where none does.
static bool
read_page(model_t *model, const unsigned char *bytes, page_model_t *page)
{
    const mi_descriptor_t *layout = &model->layout;
    uint64_t owner = word_in(bytes, layout->page_owner);
    bool is_single = (owner & layout->owner_singleton) != 0;
    bool is_store = (owner & layout->owner_sampled) != 0 && number_in(bytes, layout->page_block_size) != 0;
    if (owner == 0 || (!is_single && (owner & layout->owner_redirect) != 0)) {
        return false;
    }
    *page = (page_model_t){.start = word_in(bytes, layout->page_start),
                           .slices = (uint32_t)word_in(bytes, layout->page_slices),
                           .resident = UINT64_MAX};
    if (page->slices == 0) {
        return false;
    }
    if (is_store) {
        page->sampled = true;
        page->size_class = (uint16_t)layout->class_count;
        return true;
    }
    if (is_single) {
        page->block_size = (uint64_t)page->slices << layout->slice_shift;
        page->live = page->reserved = 1;
        page->size_class = (uint16_t)layout->class_count;
        return true;
    }
    page->block_size = number_in(bytes, layout->page_block_size);
    page->reserved = number_in(bytes, layout->page_reserved);
    page->holed = number_in(bytes, layout->page_holed);
    page->size_class = half_in(bytes, layout->page_class);
    if (page->block_size == 0 || page->size_class >= layout->class_count) {
        return false;
    }
    page->owner = (uint16_t)owner_of(model, owner & ~(uint64_t)layout->owner_flags);
    count_live(model, page, bytes);
    return true;
}

static void
read_region_pages(model_t *model, const region_model_t *region)
{
    size_t size = (size_t)1 << model->layout.descriptor_shift;
    unsigned char *block = get_memory(DESCRIPTORS_AT_ONCE, size);
    uint64_t slice = 0;
    while (slice < region->committed) {
        uint64_t count = region->committed - slice;
        count = count < DESCRIPTORS_AT_ONCE ? count : DESCRIPTORS_AT_ONCE;
        if (!target_read(model->target, region->descriptors + slice * size, block, count * size)) {
            break;
        }
        uint64_t i = 0;
        while (i < count) {
            page_model_t page;
            if (!read_page(model, block + i * size, &page)) {
                i++;
                continue;
            }
            if ((model->page_count & (model->page_count + 1)) == 0) {
                model->pages = grow_memory(model->pages, 2 * model->page_count + 2, sizeof page);
            }
            model->pages[model->page_count++] = page;
            i += page.slices;
        }
        slice += i;
    }
    free(block);
}

page_model_t *
model_page_of(const model_t *model, uint64_t address)
{
    size_t low = 0;
    size_t high = model->page_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->pages[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    page_model_t *page = low > 0 ? &model->pages[low - 1] : NULL;
    bool inside = page != NULL && address - page->start < (uint64_t)page->slices << model->layout.slice_shift;
    return inside ? page : NULL;
}

// Blocks that threads have freed and hold back are not live.
// Returns how many.
static uint64_t
discount_list(const model_t *model, uint64_t block)
{
    uint64_t count = 0;
    for (unsigned i = 0; block != 0 && i < LIST_MAX; i++) {
        page_model_t *page = model_page_of(model, block);
        if (page == NULL || page->live == 0) {
            break;
        }
        page->live--;
        count++;
        block = word_at(model, block + model->layout.block_next);
    }
    return count;
}

static void
discount_held(model_t *model)
{
    const mi_descriptor_t *layout = &model->layout;
    for (size_t i = 1; i < model->owner_count; i++) {
        uint64_t held = word_at(model, model->owners[i].thread_heap + layout->thread_heap_held);
        for (unsigned class = 0; held != 0 && class < layout->class_count; class ++) {
            uint64_t list = held + layout->held_lists + (uint64_t) class * layout->held_list_step;
            uint64_t stand_in = word_at(model, held + layout->held_stand_ins + class * sizeof(uint64_t));
            (void)discount_list(model, word_at(model, list + layout->held_first));
            uint64_t lent = stand_in == 0 ? 0 : word_at(model, stand_in + layout->page_free);
            uint64_t *allocated = &model->classes[class].allocated;
            uint64_t count = discount_list(model, lent);
            *allocated -= count < *allocated ? count : *allocated;
        }
    }
}

// ---- the whole

// Of a class: multiples of 16 to 128 bytes, then eight steps to each doubling.
static uint64_t
class_bytes(unsigned class)
{
    unsigned above = class - 8;
    return class < 8 ? (class + 1) * 16ULL : (128ULL << above / 8) + ((above % 8 + 1ULL) << (4 + above / 8));
}

static void
add_up(model_t *model)
{
    const mi_descriptor_t *layout = &model->layout;
    for (unsigned i = 0; i < layout->class_count; i++) {
        model->classes[i].block_size = class_bytes(i);
        model->allocated_bytes += model->classes[i].allocated * class_bytes(i);
    }
    for (size_t i = 0; i < model->page_count; i++) {
        const page_model_t *page = &model->pages[i];
        class_model_t *row = &model->classes[page->size_class];
        owner_model_t *owner = &model->owners[page->owner];
        uint64_t bytes = (uint64_t)page->slices << layout->slice_shift;
        if (page->sampled) {
            model->sampled_bytes += bytes;
            continue;
        }
        row->pages++;
        row->page_bytes += bytes;
        row->live += page->live;
        row->live_bytes += page->live * page->block_size;
        row->resident += page->resident == UINT64_MAX ? 0 : page->resident;
        owner->pages++;
        owner->page_bytes += bytes;
        owner->live_bytes += page->live * page->block_size;
        model->orphaned_pages += page->owner != 0 && owner->thread == 0;
    }
    for (unsigned i = 0; i <= layout->class_count; i++) {
        const class_model_t *row = &model->classes[i];
        model->total.allocated += row->allocated;
        model->total.live += row->live;
        model->total.live_bytes += row->live_bytes;
        model->total.pages += row->pages;
        model->total.page_bytes += row->page_bytes;
        model->total.resident += row->resident;
    }
}

// Whether this tool knows such a descriptor.
static bool
is_known(const mi_descriptor_t *layout)
{
    return layout->version == MI_DESCRIPTOR_VERSION && layout->bytes >= sizeof *layout &&
           layout->pointer_bytes == sizeof(void *) && layout->class_count < MODEL_CLASSES_MAX;
}

model_t *
model_try(const target_t *target, bool resident, const char **why)
{
    mi_descriptor_t layout;
    uint64_t at = target_find_descriptor(target, why);
    if (at == 0) {
        return NULL;
    }
    if (!target_read(target, at, &layout, sizeof layout) || !is_known(&layout)) {
        *why = "its libmimalloc is of another version: use the mimalloc tool of that one";
        return NULL;
    }
    model_t *model = get_memory(1, sizeof *model);
    model->target = target;
    model->layout = layout;
    read_regions(model);
    read_owners(model);
    for (size_t i = 0; i < model->region_count; i++) {
        read_region_pages(model, &model->regions[i]);
        count_slices(model, &model->regions[i]);
    }
    discount_held(model);
    if (resident) {
        resident_read(model);
    }
    add_up(model);
    model->resident_bytes = target->pid != 0 ? resident_of_process(target->pid) : 0;
    *why = NULL;
    if (!target_is_alive(target)) {
        *why = "it ended while it was read";
    } else if (model->region_count == 0) {
        *why =
            "its libmimalloc has not been asked for memory: another malloc serves it, see `mimalloc doctor`";
    }
    if (*why != NULL) {
        model_free(model);
        return NULL;
    }
    return model;
}

model_t *
model_read(const target_t *target, bool resident)
{
    const char *why;
    model_t *model = model_try(target, resident, &why);
    if (model == NULL) {
        fail(EXIT_FAILED, "%s%s: %s", target->pid != 0 ? "process " : "", target->name, why);
    }
    return model;
}

void
model_free(model_t *model)
{
    for (size_t i = 0; i < model->region_count; i++) {
        free(model->regions[i].huge);
    }
    free(model->regions);
    free(model->pages);
    free(model->owners);
    free(model);
}

bool
model_live(const model_t *model, mi_live_t *live, uint64_t *address)
{
    *address = word_at(model, (uintptr_t)model->layout.live);
    return *address != 0 && target_read(model->target, *address, live, sizeof *live) &&
           memcmp(live->magic, "mi-live", sizeof live->magic) == 0 && live->version == 1;
}

bool
model_ask(const model_t *model, uint32_t request, mi_live_t *live)
{
    enum { TRIES = 25, PAUSE_NS = 10000000 };
    uint64_t address;
    if (!model_live(model, live, &address)) {
        return false;
    }
    uint64_t answers = live->answers;
    request |= live->request;
    if (!target_write(model->target, address + offsetof(mi_live_t, request), &request, sizeof request)) {
        return false;
    }
    for (unsigned i = 0; i < TRIES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        if (model_live(model, live, &address) && live->answers != answers && live->updates % 2 == 0) {
            return true;
        }
    }
    return false;
}
