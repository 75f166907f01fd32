// SPDX-License-Identifier: MIT
// model.c — one step of a fuzzed program, checked against what the library has promised.
#include "model.h"

enum {
    WHOLE_MAX = 16 * 1024, // larger blocks are filled and looked at in places only
    PLACE = 512,           // bytes of such a place
    STRIDE = 61 * 1024,    // from one to the next
    ALIGN_LOG2_MAX = 22,
    LARGE_LOG2 = 23, // sizes are below, but for those that cannot be had
};

// ---- contents

static uint8_t
byte_at(uint8_t seed, size_t i)
{
    return (uint8_t)(seed ^ (i * 131) ^ (i >> 8));
}

// Calls `each` for the parts of a block that are written and looked at: all of a small one; of a large one
// places, among them its ends.
static void
for_places(slot_t *slot, size_t size, void (*each)(slot_t *slot, size_t from, size_t to))
{
    if (size <= WHOLE_MAX) {
        each(slot, 0, size);
        return;
    }
    for (size_t at = 0; at < size; at += STRIDE) {
        each(slot, at, at + PLACE < size ? at + PLACE : size);
    }
    each(slot, size - PLACE, size);
}

static void
fill(slot_t *slot, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        slot->p[i] = byte_at(slot->seed, i);
    }
}

static void
look(slot_t *slot, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        EXPECT(slot->p[i] == byte_at(slot->seed, i));
    }
}

static void
look_zero(slot_t *slot, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        EXPECT(slot->p[i] == 0);
    }
}

// The first `size` bytes were written when the block was `whole` bytes long: of a larger one, only the places
// that both lengths have are looked at.
static void
look_kept(slot_t *slot, size_t size, size_t whole)
{
    if (whole <= WHOLE_MAX) {
        look(slot, 0, size);
        return;
    }
    for (size_t at = 0; at + PLACE <= size; at += STRIDE) {
        look(slot, at, at + PLACE);
    }
}

// ---- slots

static bool
is_at(const slot_t *slot)
{
    return ((uintptr_t)slot->p + slot->offset) % slot->align == 0;
}

static void
expect_apart(model_t *model, const slot_t *slot)
{
    if (model->shared) {
        return;
    }
    const uint8_t *end = slot->p + mi_usable_size(slot->p);
    for (int i = 0; i < SLOTS; i++) {
        const slot_t *other = &model->slots[i];
        EXPECT(other == slot || other->p == NULL || other->p + other->size <= slot->p || end <= other->p);
    }
}

// What may fail: an offset with an alignment above 64 KiB, and, where memory is short, large blocks.
static void
expect_excuse(const slot_t *slot, size_t size)
{
    EXPECT((slot->align > 64 * 1024 && slot->offset % slot->align != 0) || size >= (size_t)1 << LARGE_LOG2);
}

// A block has come: checks what was promised, and writes it full.
static void
arrive(model_t *model, slot_t *slot)
{
    EXPECT(is_at(slot) && mi_usable_size(slot->p) >= slot->size);
    EXPECT(mi_heap_of(slot->p) == (slot->heap < 0 ? mi_heap_main() : model->heaps[slot->heap]));
    expect_apart(model, slot);
    for_places(slot, slot->size, fill);
}

static void
put(model_t *model, slot_t *slot, void *p, size_t size, bool zeroed)
{
    if (p == NULL) {
        expect_excuse(slot, size);
        return;
    }
    slot->p = (uint8_t *)p;
    slot->size = size;
    slot->zeroed = zeroed;
    if (zeroed) {
        for_places(slot, size, look_zero);
    }
    arrive(model, slot);
}

static void
leave(slot_t *slot)
{
    for_places(slot, slot->size, look);
    EXPECT(is_at(slot));
}

// A reallocation has returned `p`.
static void
moved(model_t *model, slot_t *slot, void *p, size_t size, bool zeroes)
{
    if (p == NULL) {
        expect_excuse(slot, size);
        for_places(slot, slot->size, look);
        return;
    }
    // It stays in its heap where it need not move; the call's own is the main one, or that of the block.
    size_t before = slot->size;
    slot->p = (uint8_t *)p;
    slot->heap = mi_heap_of(p) == mi_heap_main() ? -1 : slot->heap;
    look_kept(slot, before < size ? before : size, before);
    if (zeroes && slot->zeroed && size > before && size <= WHOLE_MAX) {
        look_zero(slot, before, size);
    }
    slot->zeroed = zeroes && slot->zeroed;
    slot->size = size;
    arrive(model, slot);
}

// ---- what a step may ask for

static size_t
take_size(input_t *input)
{
    unsigned kind = (unsigned)take(input, 1);
    switch (kind % 8) {
    case 0:
        return kind / 8; // to 31
    case 1:
    case 2:
    case 3:
        return take(input, 1) * (kind / 8 + 1) / 8; // to 1 KiB
    case 4:
        return take(input, 2); // to 64 KiB
    case 5:
        return (size_t)take(input, 2) + 60 * 1024; // about the largest blocks of pages
    case 6:
        return (size_t)take(input, 2) << (kind / 64); // to 512 KiB
    default:
        return (size_t)take(input, 3) % ((size_t)1 << LARGE_LOG2);
    }
}

static size_t
take_align(input_t *input)
{
    return (size_t)1 << (take(input, 1) % (ALIGN_LOG2_MAX + 1));
}

static void
promise(slot_t *slot, input_t *input, int heap)
{
    slot->align = 16;
    slot->offset = 0;
    slot->heap = heap;
    slot->seed = (uint8_t)take(input, 1);
}

// A block of a heap, or of the main one where `heap` is −1.
static void
allocate(model_t *model, slot_t *slot, input_t *input, int heap)
{
    promise(slot, input, heap);
    mi_heap_t *from = heap < 0 ? mi_heap_main() : model->heaps[heap];
    unsigned how = (unsigned)take(input, 1) % 8;
    size_t size = take_size(input);
    switch (how) {
    case 0:
        put(model, slot, mi_heap_malloc(from, size), size, false);
        break;
    case 1:
        put(model, slot, mi_heap_zalloc(from, size), size, true);
        break;
    case 2:
        put(model, slot, mi_heap_calloc(from, size / 3, 3), size / 3 * 3, true);
        break;
    case 3:
        put(model, slot, heap < 0 ? mi_malloc(size) : mi_heap_mallocn(from, size, 1), size, false);
        break;
    case 4:
        put(model, slot, heap < 0 ? mi_calloc(1, size) : mi_heap_zalloc(from, size), size, true);
        break;
    default:
        slot->align = take_align(input);
        slot->offset = how == 5 ? (size_t)take(input, 1) : 0;
        void *p = how == 6 ? mi_heap_zalloc_aligned(from, size, slot->align)
                           : mi_heap_malloc_aligned_at(from, size, slot->align, slot->offset);
        put(model, slot, p, size, how == 6);
    }
}

static void
release(slot_t *slot, unsigned how)
{
    leave(slot);
    uint8_t *p = slot->p;
    slot->p = NULL;
    // As C23 has it: an aligned block is freed with its alignment, or without anything.
    if (how % 4 == 0 && slot->align == 16 && slot->offset == 0) {
        mi_free_size(p, slot->size);
    } else if (how % 4 == 1 && slot->offset == 0) {
        mi_free_size_aligned(p, slot->size, slot->align);
    } else {
        mi_free(p);
    }
}

static void
reallocate(model_t *model, slot_t *slot, input_t *input)
{
    unsigned how = (unsigned)take(input, 1) % 6;
    size_t size = take_size(input);
    leave(slot);
    if (slot->align > 16 || slot->offset != 0) {
        bool zeroes = how % 2 == 0;
        void *p = zeroes ? mi_rezalloc_aligned_at(slot->p, size, slot->align, slot->offset)
                         : mi_realloc_aligned_at(slot->p, size, slot->align, slot->offset);
        moved(model, slot, p, size, zeroes);
        return;
    }
    mi_heap_t *to = slot->heap < 0 ? mi_heap_main() : model->heaps[slot->heap];
    switch (how) {
    case 0:
        moved(model, slot, mi_heap_realloc(to, slot->p, size), size, false);
        break;
    case 1:
        moved(model, slot, mi_heap_rezalloc(to, slot->p, size), size, true);
        break;
    case 2:
        moved(model, slot, mi_heap_recalloc(to, slot->p, size, 1), size, true);
        break;
    case 3:
        moved(model, slot, mi_heap_reallocn(to, slot->p, 1, size), size, false);
        break;
    default: {
        size_t usable = mi_usable_size(slot->p);
        void *p = mi_expand(slot->p, size);
        EXPECT(p == NULL ? size > 0 : p == slot->p);
        EXPECT(size > usable || p == slot->p);
        // A smaller size changes nothing: the block is still of the size that it was.
        if (p != NULL && size > slot->size) {
            moved(model, slot, p, size, false);
        }
    }
    }
}

// ---- questions and heaps

static bool
count_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size, void *count)
{
    (void)heap, (void)area, (void)size;
    *(size_t *)count += block != NULL;
    return true;
}

static void
expect_count(model_t *model, int heap)
{
    mi_heap_t *of = heap < 0 ? mi_heap_main() : model->heaps[heap];
    size_t count = 0;
    size_t live = 0;
    EXPECT(mi_heap_visit_blocks(of, true, count_block, &count));
    for (int i = 0; i < SLOTS; i++) {
        live += model->slots[i].p != NULL && model->slots[i].heap == heap;
    }
    EXPECT(count == live);
    EXPECT(mi_heap_check(of));
}

// Asks for what cannot be had.
static void
ask_too_much(input_t *input)
{
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, (size_t)1 << 62};
    size_t size = sizes[take(input, 1) % 4] - (size_t)take(input, 1) % 2;
    errno = 0;
    void *p = mi_malloc(size);
    EXPECT(p == NULL && errno == ENOMEM);
    errno = 0;
    p = mi_calloc(size, 1 + (size_t)take(input, 1));
    EXPECT(p == NULL && errno == ENOMEM);
    errno = 0;
    p = mi_zalloc_aligned(size, take_align(input));
    EXPECT(p == NULL && errno == ENOMEM);
    p = &errno;
    EXPECT(mi_posix_memalign(&p, take_align(input) | 16, size) != 0 && p == &errno);
}

// Its heap ends: destroyed with its blocks, or its blocks are the main heap's.
static void
end_heap(model_t *model, int heap, bool destroy)
{
    for (int i = 0; i < SLOTS; i++) {
        slot_t *slot = &model->slots[i];
        if (slot->p != NULL && slot->heap == heap) {
            leave(slot);
            slot->heap = -1;
            slot->p = destroy ? NULL : slot->p;
        }
    }
    (destroy ? mi_heap_destroy : mi_heap_delete)(model->heaps[heap]);
    model->heaps[heap] = NULL;
}

static void
step_heap(model_t *model, input_t *input)
{
    unsigned what = (unsigned)take(input, 1);
    int heap = (int)(what % HEAPS);
    if (model->heaps[heap] == NULL) {
        model->heaps[heap] = mi_heap_new();
        EXPECT(model->heaps[heap] != NULL);
    } else if (model->shared || what < 64) {
        mi_heap_collect(model->heaps[heap], what % 8 < 4);
    } else if (what < 96) {
        mi_theap_delete(mi_heap_theap(model->heaps[heap]));
    } else {
        end_heap(model, heap, what < 160);
    }
}

static void
step_rarely(model_t *model, input_t *input)
{
    switch (take(input, 1) % 8) {
    case 0:
        mi_collect(true);
        break;
    case 1:
        mi_collect(false);
        break;
    case 2:
        ask_too_much(input);
        break;
    case 3:
        mi_free(NULL);
        EXPECT(mi_usable_size(NULL) == 0 && mi_expand(NULL, 1) == NULL);
        break;
    default:
        for (int heap = -1; heap < HEAPS && !model->shared; heap++) {
            if (heap < 0 || model->heaps[heap] != NULL) {
                expect_count(model, heap);
            }
        }
    }
}

static void
step_slot(model_t *model, slot_t *slot, unsigned op, input_t *input)
{
    pthread_mutex_lock(&slot->lock);
    if (slot->p == NULL) {
        int heap = op % 4 == 0 ? (int)(op / 4 % HEAPS) : -1;
        allocate(model, slot, input, heap >= 0 && model->heaps[heap] != NULL ? heap : -1);
    } else if (op % 3 == 0) {
        reallocate(model, slot, input);
    } else {
        release(slot, op);
    }
    pthread_mutex_unlock(&slot->lock);
}

void
model_step(model_t *model, input_t *input)
{
    unsigned op = (unsigned)take(input, 1);
    if (op < 224) {
        step_slot(model, &model->slots[take(input, 1) % SLOTS], op, input);
    } else if (op < 244) {
        step_heap(model, input);
    } else {
        step_rarely(model, input);
    }
}

void
model_start(model_t *model, bool shared)
{
    memset(model, 0, sizeof *model);
    model->shared = shared;
    for (int i = 0; i < SLOTS; i++) {
        pthread_mutex_init(&model->slots[i].lock, NULL);
    }
    for (int i = 0; i < HEAPS && shared; i++) {
        EXPECT((model->heaps[i] = mi_heap_new()) != NULL);
    }
}

void
model_end(model_t *model)
{
    for (int i = 0; i < SLOTS; i++) {
        if (model->slots[i].p != NULL) {
            release(&model->slots[i], (unsigned)i);
        }
        pthread_mutex_destroy(&model->slots[i].lock);
    }
    for (int i = 0; i < HEAPS; i++) {
        if (model->heaps[i] != NULL) {
            expect_count(model, i);
            end_heap(model, i, i % 2 == 0);
        }
    }
    expect_count(model, -1);
}
