// SPDX-License-Identifier: MIT
// stress.c — every kind of call, from many threads, with a cookie in every block.
//
//   stress [threads] [scale] [rounds]
//
// Each lane runs `rounds` threads one after the other, and the lanes do not wait for each other:
// threads end while others hold their blocks. A thread keeps blocks in slots of its own, trades
// them through slots that all share, and leaves the rest to the next thread of its lane. A block is
// described by a parcel, itself a block, which travels with it: the bytes at the block's start and
// end, and one in every 4 KiB, follow from its owner, size, address and serial number. A block that
// was given out twice, moved, cut short, or written to by somebody else is found by whoever looks
// next.
#include "harness.h"

#include <stdatomic.h>

enum {
    SHARED_SLOTS = 1024,
    OWN_SLOTS = 256,
    MAX_LANES = 256,
    BURST = 500,
    EDGE = 256, // bytes at each end that are filled completely
    OPS_PER_SCALE = 600,
};

typedef struct parcel_s {
    unsigned char *block;
    size_t size;
    uint64_t owner;
    uint64_t serial;
    uint64_t key; // of the four above
} parcel_t;

typedef struct lane_s {
    pthread_t thread;
    uint64_t owner; // a new one for each thread
    long ops;
    parcel_t *own[OWN_SLOTS];
    uint64_t random;
    uint64_t serial;
} lane_t;

static _Atomic(parcel_t *) shared[SHARED_SLOTS];
static atomic_long live_blocks;
static atomic_long total_blocks;
static lane_t lanes[MAX_LANES];

static uint64_t
key_of(const parcel_t *parcel)
{
    uint64_t key = random_seed((uint64_t)(uintptr_t)parcel->block);
    key = random_seed(key ^ parcel->size);
    key = random_seed(key ^ parcel->owner);
    return random_seed(key ^ parcel->serial);
}

static unsigned char
byte_at(uint64_t key, size_t offset)
{
    return (unsigned char)(((key + offset) * 0x9E3779B97F4A7C15u) >> 56);
}

// The next filled offset after `offset` in a block of `size` bytes; `size` when there is none.
static size_t
next_offset(size_t offset, size_t size)
{
    offset++;
    if (offset < EDGE || size - offset <= EDGE) {
        return offset;
    }
    size_t next = (offset + 4095) & ~(size_t)4095;
    return next < size - EDGE ? next : size - EDGE;
}

// Gives the block's bytes their values.
static void
seal(parcel_t *parcel)
{
    parcel->key = key_of(parcel);
    for (size_t i = 0; i < parcel->size; i = next_offset(i, parcel->size)) {
        parcel->block[i] = byte_at(parcel->key, i);
    }
}

// Checks the first `limit` bytes, at `block`, of what was sealed in `parcel`.
static void
check_bytes(const parcel_t *parcel, const unsigned char *block, size_t limit)
{
    for (size_t i = 0; i < limit && i < parcel->size; i = next_offset(i, parcel->size)) {
        EXPECT(block[i] == byte_at(parcel->key, i),
               "block %p of %zu bytes, owner %llx, serial %llu: byte %zu is %02x, not %02x",
               (const void *)block, parcel->size, (unsigned long long)parcel->owner,
               (unsigned long long)parcel->serial, i, block[i], byte_at(parcel->key, i));
    }
}

static void
check(const parcel_t *parcel)
{
    EXPECT(parcel->key == key_of(parcel), "parcel %p of block %p, %zu bytes, was overwritten",
           (const void *)parcel, (const void *)parcel->block, parcel->size);
    check_bytes(parcel, parcel->block, parcel->size);
}

static size_t
random_size(uint64_t *random)
{
    size_t kind = random_below(random, 1000);
    size_t limit = kind < 650   ? 128
                   : kind < 880 ? 1024
                   : kind < 970 ? 16 * 1024
                   : kind < 997 ? 256 * 1024
                                : 2 * 1024 * 1024;
    return 1 + random_below(random, limit);
}

static void
check_fresh(const void *block, size_t size, size_t align)
{
    EXPECT(block != NULL, "%zu bytes aligned to %zu", size, align);
    EXPECT((uintptr_t)block % align == 0, "%p is not aligned to %zu", block, align);
    size_t usable = t_usable((void *)(uintptr_t)block);
    EXPECT(usable >= size, "%p has %zu of %zu bytes", block, usable, size);
}

static parcel_t *
new_parcel(lane_t *lane)
{
    size_t size = random_size(&lane->random);
    size_t align = size >= 16 ? 16 : size >= 8 ? 8 : 1;
    size_t kind = random_below(&lane->random, 100);
    void *block;
    if (kind < 12) {
        size_t count = 1 + random_below(&lane->random, 8);
        size = (size + count - 1) / count * count;
        block = t_calloc(count, size / count);
        check_fresh(block, size, align);
        for (size_t i = 0; i < size; i++) {
            EXPECT(((unsigned char *)block)[i] == 0, "calloc(%zu, %zu): byte %zu of %p is not 0", count,
                   size / count, i, block);
        }
    } else if (kind < 20) {
        align = (size_t)16 << random_below(&lane->random, kind == 12 ? 17 : 9);
        EXPECT(t_memalign(&block, align, size) == 0, "%zu bytes aligned to %zu", size, align);
    } else {
        block = t_malloc(size);
    }
    check_fresh(block, size, align);
    parcel_t *parcel = t_malloc(sizeof *parcel);
    check_fresh(parcel, sizeof *parcel, 16);
    *parcel = (parcel_t){.block = block, .size = size, .owner = lane->owner, .serial = lane->serial++};
    seal(parcel);
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return parcel;
}

static void
drop_parcel(parcel_t *parcel)
{
    if (parcel == NULL) {
        return;
    }
    check(parcel);
    t_free(parcel->block);
    parcel->key = 0;
    t_free(parcel);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
}

static void
resize_parcel(lane_t *lane, parcel_t *parcel)
{
    check(parcel);
    // Small steps stay in place more often than a new random size does.
    size_t size = random_below(&lane->random, 2) ? random_size(&lane->random)
                                                 : 1 + random_below(&lane->random, parcel->size * 2);
    unsigned char *block = t_realloc(parcel->block, size);
    check_fresh(block, size, size >= 16 ? 16 : 1);
    check_bytes(parcel, block, size);
    parcel->block = block;
    parcel->size = size;
    parcel->owner = lane->owner;
    parcel->serial = lane->serial++;
    seal(parcel);
}

static parcel_t *
trade(parcel_t *parcel, uint64_t *random)
{
    return atomic_exchange_explicit(&shared[random_below(random, SHARED_SLOTS)], parcel,
                                    memory_order_acq_rel);
}

// Many blocks of one size, freed in order, in reverse or every other one first.
static void
burst(lane_t *lane)
{
    void *blocks[BURST];
    size_t count = 1 + random_below(&lane->random, BURST);
    size_t size = 1 + random_below(&lane->random, 600);
    size_t order = random_below(&lane->random, 3);
    unsigned char mark = (unsigned char)lane->serial++;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = t_malloc(size);
        EXPECT(blocks[i] != NULL, "%zu bytes", size);
        memset(blocks[i], mark, size);
    }
    for (size_t i = 0; i < count; i++) {
        size_t j = order == 0   ? i
                   : order == 1 ? count - 1 - i
                                : (i * 2 < count ? i * 2 : (i - (count + 1) / 2) * 2 + 1);
        const unsigned char *bytes = blocks[j];
        EXPECT(bytes[0] == mark && bytes[size - 1] == mark, "block %p of %zu bytes was overwritten",
               blocks[j], size);
        t_free(blocks[j]);
    }
    atomic_fetch_add_explicit(&total_blocks, (long)count, memory_order_relaxed);
}

static void *
run_lane(void *arg)
{
    lane_t *lane = arg;
    for (long op = 0; op < lane->ops; op++) {
        parcel_t **slot = &lane->own[random_below(&lane->random, OWN_SLOTS)];
        size_t kind = random_below(&lane->random, 200);
        if (kind < 90 || *slot == NULL) {
            drop_parcel(*slot);
            *slot = new_parcel(lane);
        } else if (kind < 150) {
            *slot = trade(*slot, &lane->random);
        } else if (kind < 190) {
            resize_parcel(lane, *slot);
        } else if (kind < 199) {
            drop_parcel(*slot);
            *slot = NULL;
        } else {
            burst(lane);
        }
    }
    // A third is freed here, a third given away, and a third left for the next thread of this lane.
    for (size_t i = 0; i < OWN_SLOTS; i++) {
        if (i % 3 == 0) {
            drop_parcel(lane->own[i]);
            lane->own[i] = NULL;
        } else if (i % 3 == 1) {
            lane->own[i] = trade(lane->own[i], &lane->random);
        }
    }
    atomic_fetch_add_explicit(&total_blocks, (long)lane->serial, memory_order_relaxed);
    return NULL;
}

static void
start_lane(size_t index, long round, long scale)
{
    lane_t *lane = &lanes[index];
    lane->owner = (uint64_t)round << 16 | index;
    lane->random = random_seed(lane->owner);
    lane->serial = 0;
    // Half to one and a half of the mean, so that threads do not end together.
    lane->ops = scale * (OPS_PER_SCALE / 2 + (long)random_below(&lane->random, OPS_PER_SCALE));
    lane->thread = thread_start(run_lane, lane);
}

int
main(int argc, char **argv)
{
    long threads = argument(argc, argv, 1, 8);
    long scale = argument(argc, argv, 2, 60);
    long rounds = argument(argc, argv, 3, 10);
    EXPECT(threads >= 1 && threads <= MAX_LANES && scale >= 1 && rounds >= 1,
           "stress [threads] [scale] [rounds]");
    size_t count = (size_t)threads;

    double start = clock_seconds();
    for (size_t i = 0; i < count; i++) {
        start_lane(i, 0, scale);
    }
    for (long round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            thread_join(lanes[i].thread);
            if (round < rounds) {
                start_lane(i, round, scale);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < OWN_SLOTS; j++) {
            drop_parcel(lanes[i].own[j]);
        }
    }
    for (size_t j = 0; j < SHARED_SLOTS; j++) {
        drop_parcel(atomic_load_explicit(&shared[j], memory_order_acquire));
    }
    EXPECT(atomic_load(&live_blocks) == 0, "%ld blocks", atomic_load(&live_blocks));
    printf("stress: %ld threads, scale %ld, rounds %ld: %ld blocks, %.1f s\n", threads, scale, rounds,
           atomic_load(&total_blocks), clock_seconds() - start);
    return 0;
}
