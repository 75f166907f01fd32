// SPDX-License-Identifier: MIT
// test_slices.c — runs of slices that are claimed, released and purged at the same time: every
// interleaving.
// sources: base/config.c arena/region.c arena/slices.c arena/sweep.c arena/purge.c
//
// The region has two chunks with a few free slices. A slice's content is its first word: who holds
// the slice writes it and the purge clears it, both plainly, so that two who think that they hold a
// slice show as a data race.
#include "arena/slices.h"

#include "failed_check.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "os/os.h"

enum { CHUNKS = 2, SLICES = CHUNKS * CHUNK_SLICES, RUNS = 4, DELAY_MS = 100 };

static region_t *region;
static int64_t clock_ms = 1000;
static __thread int64_t slept_ms;

typedef struct run_t {
    char *start;
    size_t count;
} run_t;
static run_t runs[RUNS];               // held by the program
static void (*helper_body)(void);      // a helper thread was started to run it
static uint64_t out_of_bounds[CHUNKS]; // slices that the program can't have

// ---- the layers around ------------------------------------------------------------------------------------

size_t
mi__os_page_size(void)
{
    return 4096;
}

size_t
mi__os_cheap_reserve(void)
{
    return SIZE_MAX;
}

void *
mi__os_reserve(size_t size, size_t align)
{
    // One region, and no room for more.
    return region != NULL ? NULL : (void *)align_up((uintptr_t)explore_alloc(size + align), align);
}

void
mi__os_unreserve(void *start, size_t size)
{
    (void)start;
    (void)size;
}

bool
mi__os_commit(void *start, size_t size)
{
    (void)start;
    (void)size;
    return true;
}

static uintptr_t *
content_of(size_t slice)
{
    return (uintptr_t *)(void *)region_slice_at(region, slice);
}

bool
mi__os_purge(void *start, size_t size)
{
    size_t first = region_slice_of(region, start);
    for (size_t i = first; i < first + (size >> SLICE_SHIFT); i++) {
        *content_of(i) = 0;
    }
    return true;
}

int64_t
mi__os_clock_ms(void)
{
    return clock_ms + slept_ms;
}

// Only for the thread that sleeps: the time is nobody's message to others.
void
mi__os_sleep_ms(int64_t ms)
{
    slept_ms += ms;
}

// As the system does it: who changes the word and does not wake finds the sleeper asleep for ever.
static _Atomic(uint32_t) woken;

void
mi__os_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t ms)
{
    (void)ms; // goes on for ever
    uint32_t seen = atomic_fetch_add_explicit(&woken, 0, memory_order_acquire);
    if (atomic_load_explicit(word, memory_order_relaxed) != value) {
        return;
    }
    while (atomic_load_explicit(&woken, memory_order_relaxed) == seen) {
        explore_wait();
    }
}

void
mi__os_wake(_Atomic(uint32_t) *word)
{
    (void)word;
    atomic_fetch_add_explicit(&woken, 1, memory_order_release);
}

bool
mi__os_is_single_threaded(void)
{
    return false;
}

bool
mi__os_start_helper(void (*body)(void))
{
    explore_expect(helper_body == NULL, "U2: at most one helper thread");
    helper_body = body;
    return true;
}

// In place of the library's, which counts past the explorer: the bits themselves, looked at in the same way.
__attribute__((no_sanitize("thread"))) slices_held_t
mi__slices_held(void)
{
    size_t backed = 0;
    for (unsigned i = 0; i < CHUNKS; i++) {
        const volatile uint64_t *bits = (const volatile uint64_t *)&region->chunks[i].dirty;
        backed += (size_t)__builtin_popcountll(*bits & ~out_of_bounds[i]);
    }
    return (slices_held_t){.free_bytes = backed << SLICE_SHIFT};
}

// ---- what the threads do ----------------------------------------------------------------------------------

static void
take(size_t i, char *start, size_t count, bool zero)
{
    size_t first = region_slice_of(region, start);
    for (size_t j = first; j < first + count; j++) {
        explore_expect(!zero || *content_of(j) == 0, "S2: a slice that is said to be zero is");
        *content_of(j) = i + 1;
    }
    runs[i] = (run_t){start, count};
}

static void
claim_aligned(size_t i, size_t count, size_t align)
{
    slice_run_t run;
    if (mi__slices_claim(count, align, NULL, &run)) {
        explore_expect(((uintptr_t)run.start & (align - 1)) == 0, "a run is aligned");
        take(i, run.start, count, run.zero);
    }
}

static void
claim(size_t i, size_t count)
{
    claim_aligned(i, count, SLICE_SIZE);
}

static void
release(size_t i)
{
    if (runs[i].count == 0) {
        return;
    }
    size_t first = region_slice_of(region, runs[i].start);
    for (size_t j = first; j < first + runs[i].count; j++) {
        explore_expect(*content_of(j) == i + 1, "S1: a slice in use keeps its content");
    }
    size_t count = runs[i].count;
    runs[i].count = 0;
    mi__slices_release(runs[i].start, count);
}

static void
claim_0(void)
{
    claim(0, 1);
}

static void
claim_1(void)
{
    claim(1, 1);
}

static void
claim_2(void)
{
    claim(2, 1);
}

static void
claim_two_1(void)
{
    claim(1, 2);
}

static void
claim_two_2(void)
{
    claim(2, 2);
}

static void
claim_two_aligned_1(void)
{
    claim_aligned(1, 2, 2 * SLICE_SIZE);
}

static void
claim_long_1(void)
{
    claim(1, CHUNK_SLICES + 2);
}

static void
claim_behind_0(void)
{
    if (mi__slices_claim_behind(runs[0].start, runs[0].count, 1, &(bool){false})) {
        char *start = runs[0].start;
        take(0, start + (runs[0].count << SLICE_SHIFT), 1, false);
        *content_of(region_slice_of(region, start)) = 1;
        runs[0].start = start;
        runs[0].count = 2;
    }
}

static void
release_0(void)
{
    release(0);
}

static void
claim_release_1(void)
{
    claim(1, 1);
    release(1);
}

static void
release_claim_0(void)
{
    release(0);
    claim(0, 1);
}

// Comes back to where it was, if it can.
static void
release_again_0(void)
{
    uint32_t place = mi__slices_place(runs[0].start);
    release(0);
    slice_run_t run;
    if (mi__slices_claim_again(place, 1, &run)) {
        take(0, run.start, 1, run.zero);
    }
}

static void
purge_all(void)
{
    bool left;
    (void)mi__slices_purge(true, &left);
}

static void
purge_aged(void)
{
    bool left;
    (void)mi__slices_purge(false, &left);
}

static void
poll(void)
{
    (void)mi__purge_poll(false);
}

static void
run_helper(void)
{
    void (*body)(void) = helper_body;
    helper_body = NULL;
    body();
}

// A thread that releases, and the helper if it starts one.
static void
release_and_tend(size_t i)
{
    release(i);
    (void)mi__purge_tend();
}

static void
release_tend_0(void)
{
    release_and_tend(0);
}

static void
release_tend_1(void)
{
    release_and_tend(1);
}

static void
tend(void)
{
    (void)mi__purge_tend();
}

// ---- before and after -------------------------------------------------------------------------------------

// Slices that the program can't have: they look used.
static void
keep_out(size_t chunk, uint64_t bits)
{
    out_of_bounds[chunk] = bits;
    region->chunks[chunk].used = bits;
    region->chunks[chunk].dirty = bits;
}

// A region in which only the lowest `available` slices of each chunk are free; they are zero.
static void
set_up(unsigned available)
{
    mi__conf.region_bytes_log2 = SLICE_SHIFT + 7;
    mi__conf.purge_delay_ms = DELAY_MS;
    region = NULL;
    explore_expect(mi__region_init(), "there is memory");
    region = mi__region_at(0);
    explore_expect(region->slices == SLICES && mi__region_commit(region, SLICES),
                   "the region has two chunks");
    for (unsigned i = 0; i < CHUNKS; i++) {
        keep_out(i, ~low_mask(available));
        explore_name(&region->chunks[i].used, sizeof(uint64_t), "used");
        explore_name(&region->chunks[i].dirty, sizeof(uint64_t), "dirty");
        explore_name(&region->chunks[i].aged, sizeof(uint64_t), "aged");
    }
    explore_name(&region->committed, sizeof region->committed, "committed");
    explore_name(region->first_room, sizeof region->first_room, "first_room");
    explore_name(region->base, (size_t)SLICES << SLICE_SHIFT, "slices");
}

static void
one_free(void)
{
    set_up(1);
}

static void
two_free(void)
{
    set_up(2);
}

static void
three_free(void)
{
    set_up(3);
}

// Run 0 is held; another slice is free, and was in use.
static void
one_held_one_dirty(void)
{
    set_up(2);
    claim(0, 1);
    claim(1, 1);
    release(1);
    clock_ms += 10 * DELAY_MS;
}

// The same, and one more is free and clean.
static void
one_held_one_dirty_one_clean(void)
{
    set_up(3);
    claim(0, 1);
    claim(1, 1);
    release(1);
    clock_ms += 10 * DELAY_MS;
}

// Two slices are held, and a deadline stands that one of them left when it was free for a while.
static void
two_held_deadline_stands(void)
{
    set_up(2);
    claim(0, 1);
    claim(1, 1);
    release(1);
    claim(1, 1);
    clock_ms += 10 * DELAY_MS;
}

static void
two_dirty(void)
{
    set_up(2);
    claim(0, 1);
    claim(1, 1);
    release(1);
    release(0);
    clock_ms += 10 * DELAY_MS;
}

// Two slices that the purger has seen free once: the next time it takes them.
static void
two_aged(void)
{
    two_dirty();
    poll();
    clock_ms += 10 * DELAY_MS;
}

static void
two_held(void)
{
    set_up(2);
    claim(0, 1);
    claim(1, 1);
}

static void
release_1(void)
{
    release(1);
}

// A deadline stands, and has passed.
static void
two_held_past(void)
{
    set_up(3);
    claim(0, 1);
    claim(1, 1);
    claim(2, 1);
    release(2);
    clock_ms += 10 * DELAY_MS;
}

// Memory that a function commits, which knows of each slice whether it is.
static uintptr_t is_committed[SLICES]; // a word each: races are looked for by the word
static bool refuses;

static bool
commit_or_not(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    (void)arg;
    size_t first = region_slice_of(region, start);
    for (size_t i = first; i < first + (size >> SLICE_SHIFT); i++) {
        explore_expect(is_committed[i] != commit, "what is committed once is decommitted before the next");
        is_committed[i] = commit != (commit && refuses);
        *content_of(i) = 0;
    }
    *is_zero = true;
    return !(commit && refuses);
}

static void
set_up_function(unsigned available)
{
    set_up(available);
    region->commit = commit_or_not;
    refuses = false;
    for (size_t i = 0; i < SLICES; i++) {
        is_committed[i] = 0;
    }
}

static void
function_two_free(void)
{
    set_up_function(2);
}

static void
function_one_held_one_dirty(void)
{
    set_up_function(3);
    claim(0, 1);
    claim(1, 1);
    release(1);
}

static void
function_refuses(void)
{
    function_one_held_one_dirty();
    refuses = true;
}

static void
two_held_purged_at_once(void)
{
    two_held();
    mi__conf.purge_delay_ms = 0;
}

// The whole first chunk is free, and the lowest slices of the second.
static void
room_for_long(void)
{
    set_up(2);
    keep_out(0, 0);
}

// Only the first chunk is committed; one slice of it is free.
static void
room_beyond_the_frontier(void)
{
    set_up(1);
    keep_out(1, 0);
    region->committed = CHUNK_SLICES;
}

static uint64_t
bits_held(size_t chunk)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < RUNS; i++) {
        size_t first = runs[i].count == 0 ? 0 : region_slice_of(region, runs[i].start);
        for (size_t j = first; j < first + runs[i].count; j++) {
            if (j / CHUNK_SLICES == chunk) {
                explore_expect((bits >> j % CHUNK_SLICES & 1) == 0, "S1: a slice belongs to one claimer");
                explore_expect(*content_of(j) == i + 1, "S1: a slice in use keeps its content");
                bits |= UINT64_C(1) << j % CHUNK_SLICES;
            }
        }
    }
    return bits;
}

static void
check(void)
{
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        uint64_t used = atomic_get_relaxed(&region->chunks[chunk].used);
        uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty);
        uint64_t held = bits_held(chunk);
        explore_expect(used == (held | out_of_bounds[chunk]),
                       "S1: a slice is used when somebody holds it, and only then");
        explore_expect((held & ~dirty) == 0, "S3: a slice in use is dirty");
        for (uint64_t clean = ~(used | dirty); clean != 0; clean &= clean - 1) {
            size_t slice = chunk * CHUNK_SLICES + lowest_bit(clean);
            explore_expect(*content_of(slice) == 0, "S2: a slice that is free and clean reads as zero");
        }
    }
}

static void
check_committed(void)
{
    check();
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        uint64_t dirty = atomic_get_relaxed(&region->chunks[chunk].dirty) & ~out_of_bounds[chunk];
        for (size_t i = 0; i < CHUNK_SLICES; i++) {
            explore_expect((dirty >> i & 1) == is_committed[chunk * CHUNK_SLICES + i],
                           "S2: a slice is committed when it is dirty, and only then");
        }
    }
}

// Also that time is enough for the rest to be given back.
static void
check_deadline(void)
{
    check();
    // Four ticks purge what is marked, the last one marks the rest, and four more purge that.
    for (unsigned i = 0; i < 9; i++) {
        clock_ms += 10 * DELAY_MS;
        poll();
    }
    size_t free_bytes, dirty_bytes;
    mi__slices_count(&free_bytes, &dirty_bytes);
    explore_expect(dirty_bytes == 0, "U1: while free slices are dirty, a deadline stands");
}

// Two slices are held, a third is dirty and free; the helper was started for that one.
static void
two_held_helper_starts(void)
{
    helper_body = NULL;
    set_up(3);
    claim(0, 1);
    claim(1, 1);
    claim(2, 1);
    release_and_tend(2);
    explore_expect(helper_body != NULL, "a helper is started");
}

// So much is held that the helper rests when it has purged: until what is held is released.
static void
much_held_helper_starts(void)
{
    helper_body = NULL;
    set_up(64);
    claim(0, 64);
    claim(1, 1);
    release_and_tend(1);
    explore_expect(helper_body != NULL, "a helper is started");
}

static void
two_held_no_helper(void)
{
    helper_body = NULL;
    set_up(2);
    claim(0, 1);
    claim(1, 1);
}

// When the helper has ended everything has been given back. One may be wanted nevertheless: it purged what
// was released before there was a deadline for it.
static void
check_rested(void)
{
    check();
    size_t free_bytes, dirty_bytes;
    mi__slices_count(&free_bytes, &dirty_bytes);
    explore_expect(dirty_bytes == 0, "U1: while free slices are dirty, there is a helper");
}

// When the last helper has ended, everything has been given back, with no other call.
static void
check_helper(void)
{
    while (helper_body != NULL) {
        run_helper();
    }
    check();
    size_t free_bytes, dirty_bytes;
    mi__slices_count(&free_bytes, &dirty_bytes);
    explore_expect(dirty_bytes == 0, "U1: while free slices are dirty, there is a helper");
    explore_expect(!mi__purge_tend() || helper_body == NULL, "U2: none when nothing is to be purged");
}

// One thread: what is claimed between two polls is not given back by the second.
static void
poll_claim_release_poll(void)
{
    purge_aged();
    claim(1, 2);
    release(1);
    purge_aged();
}

static void
check_young(void)
{
    check();
    size_t free_bytes, dirty_bytes;
    mi__slices_count(&free_bytes, &dirty_bytes);
    explore_expect(dirty_bytes == 2 * SLICE_SIZE, "what was in use since the last purge is not purged");
}

static const scenario_t scenarios[] = {
    {"claim; claim; claim, of two", two_free, {claim_0, claim_1, claim_2}, check, 0, 0},
    {"claim, release; claim; claim, of one", one_free, {claim_release_1, claim_0, claim_2}, check, 0, 0},
    {"claim; claim two", three_free, {claim_0, claim_two_1}, check, 0, 0},
    {"claim; claim two aligned; claim", three_free, {claim_0, claim_two_aligned_1, claim_2}, check, 0, 0},
    {"release; claim; claim", one_held_one_dirty, {release_0, claim_1, claim_2}, check_deadline, 0, 0},
    {"release; claim; purge", one_held_one_dirty, {release_0, claim_1, purge_all}, check, 0, 0},
    {"release, claim again; claim; claim",
     one_held_one_dirty,
     {release_again_0, claim_1, claim_2},
     check_deadline,
     0,
     0},
    {"release, claim again; claim; purge",
     one_held_one_dirty,
     {release_again_0, claim_1, purge_all},
     check,
     0,
     0},
    {"release; claim two; purge",
     one_held_one_dirty_one_clean,
     {release_0, claim_two_1, purge_all},
     check,
     0,
     0},
    {"claim; purge; purge", two_dirty, {claim_0, purge_all, purge_all}, check, 0, 0},
    {"claim, release; purge; claim", two_dirty, {claim_release_1, purge_all, claim_0}, check, 0, 0},
    {"claim behind; claim", one_held_one_dirty, {claim_behind_0, claim_1}, check, 0, 0},
    {"claim behind; purge; claim",
     one_held_one_dirty_one_clean,
     {claim_behind_0, purge_all, claim_1},
     check,
     0,
     0},
    {"a long claim; claim; claim", room_for_long, {claim_long_1, claim_0, claim_2}, check, 0, 0},
    {"claim; claim two; claim, a new chunk",
     room_beyond_the_frontier,
     {claim_0, claim_two_1, claim_2},
     check,
     0,
     0},
    {"purged at once: release; release; claim",
     two_held_purged_at_once,
     {release_0, release_1, claim_2},
     check,
     0,
     0},
    {"poll; release of the only", two_held_deadline_stands, {poll, release_0}, check_deadline, 0, 0},
    {"poll; release", one_held_one_dirty, {poll, release_0}, check_deadline, 0, 0},
    {"poll; release; release", two_held_past, {poll, release_0, release_1}, check_deadline, 0, 0},
    {"poll; claim", two_aged, {poll, claim_0}, check_deadline, 0, 0},
    {"poll; release, claim", one_held_one_dirty, {poll, release_claim_0}, check_deadline, 0, 0},
    {"poll; poll; release", one_held_one_dirty, {poll, poll, release_0}, check_deadline, 0, 0},
    {"a function commits: claim; claim; purge",
     function_two_free,
     {claim_0, claim_1, purge_all},
     check_committed,
     0,
     0},
    {"a function commits: claim, release; claim; purge",
     function_two_free,
     {claim_release_1, claim_0, purge_all},
     check_committed,
     0,
     0},
    {"a function commits: release; claim; purge",
     function_one_held_one_dirty,
     {release_0, claim_1, purge_all},
     check_committed,
     0,
     0},
    {"a function refuses: claim; claim two; release",
     function_refuses,
     {claim_1, claim_two_2, release_0},
     check_committed,
     0,
     0},
    {"helper; release", two_held_helper_starts, {run_helper, release_tend_0}, check_helper, 0, 0},
    {"helper that rests; release", much_held_helper_starts, {run_helper, release_0}, check_rested, 0, 0},
    {"release; release; a helper is started",
     two_held_no_helper,
     {release_tend_0, release_tend_1},
     check_helper,
     0,
     0},
    {"release; another starts a helper", two_held_no_helper, {release_tend_0, tend}, check_helper, 0, 0},
    {"purge, claim, release, purge", two_dirty, {poll_claim_release_poll}, check_young, 0, 0},
};

int
main(int argc, char **argv)
{
    return explore_main(scenarios, sizeof scenarios / sizeof scenarios[0], argc, argv);
}
