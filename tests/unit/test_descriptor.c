// SPDX-License-Identifier: MIT
// test_descriptor.c — front/descriptor.c: a block is found by the descriptor and plain reads alone. Whole
// heaps from other processes: tests/system/outside.sh.
#include "fresh.h"

#include <link.h>
#include <string.h>

#include "alloc/alloc.h"
#include "front/descriptor.h"
#include "front/profile.h"
#include "os/os.h"

static const mi_descriptor_t *const d = &mi_descriptor;

static uintptr_t
word_at(const void *at, size_t offset)
{
    uintptr_t word;
    memcpy(&word, (const char *)at + offset, sizeof word);
    return word;
}

static uint32_t
number_at(const void *at, size_t offset)
{
    uint32_t number;
    memcpy(&number, (const char *)at + offset, sizeof number);
    return number;
}

static const char *
pointer_at(const void *at, size_t offset)
{
    return (const char *)word_at(at, offset);
}

// The page descriptor of the slice in which `p` lies, as a tool would find it.
static const char *
descriptor_of(const void *p)
{
    for (size_t i = 0; i < word_at(d->region_count, 0); i++) {
        const char *region = pointer_at(d->regions, i * sizeof(void *));
        size_t slice = ((uintptr_t)p - word_at(region, d->region_base)) >> d->slice_shift;
        if (slice < word_at(region, d->region_committed)) {
            return pointer_at(region, d->region_descriptors) + (slice << d->descriptor_shift);
        }
    }
    return NULL;
}

static void
a_block_is_found(void **state)
{
    (void)state;
    char *block = mi__alloc(300);
    const char *page = descriptor_of(block);
    assert_non_null(page);
    assert_int_equal(number_at(page, d->page_block_size), 320);
    assert_int_equal((uintptr_t)(block - pointer_at(page, d->page_start)) % 320, 0);
    const char *owner = pointer_at(page, d->page_owner);
    assert_ptr_equal(owner, pointer_at(d->thread_heaps, 0));
    assert_int_equal(number_at(owner, d->thread_heap_state), 0);
    assert_int_equal(number_at(owner, d->thread_heap_thread), mi__os_thread_id());
    assert_ptr_equal(pointer_at(owner, d->thread_heap_heap), (const char *)d->main_subproc + d->subproc_main);
    assert_ptr_equal(pointer_at(owner, d->thread_heap_main), owner);

    char *large = mi__alloc(1 << 20);
    page = descriptor_of(large);
    assert_true((word_at(page, d->page_owner) & d->owner_singleton) != 0);
    assert_ptr_equal(pointer_at(page, d->page_start), large);
    assert_int_equal(word_at(page, d->page_slices) << d->slice_shift, 1 << 20);

    char *medium = mi__alloc(40000);
    page = descriptor_of(medium + (1 << d->slice_shift));
    uintptr_t word = word_at(page, d->page_owner);
    assert_true((word & d->owner_redirect) != 0);
    assert_int_equal(number_at((const void *)(word & ~(uintptr_t)d->owner_flags), d->page_block_size), 40960);
}

// The note of the program that this test is.
static int
find_note(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const char *at = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        const char *end = at + info->dlpi_phdr[i].p_memsz;
        while (info->dlpi_phdr[i].p_type == PT_NOTE && at < end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note;
            at = name + (note->n_namesz + 3) / 4 * 4;
            if (note->n_namesz == sizeof MI_DESCRIPTOR_NOTE && strcmp(name, MI_DESCRIPTOR_NOTE) == 0) {
                assert_int_equal(note->n_type, MI_DESCRIPTOR_NOTE_TYPE);
                assert_int_equal(note->n_descsz, 4);
                *(const char **)arg = at + (int32_t)number_at(at, 0);
            }
            at += (note->n_descsz + 3) / 4 * 4;
        }
    }
    return 1; // the program is the first
}

static void
the_note_leads_to_it(void **state)
{
    (void)state;
    const char *found = NULL;
    dl_iterate_phdr(find_note, &found);
    assert_ptr_equal(found, &mi_descriptor);
    assert_memory_equal(found, "mimalloc", 8);
    assert_ptr_equal(d->self, found);
    assert_int_equal(d->bytes, sizeof *d);
    assert_int_equal(d->version, MI_DESCRIPTOR_VERSION);
    assert_int_equal(d->library_version, MI_MALLOC_VERSION);
}

// Tools read the structure as it stands: no gaps between the fields but the one of pointers.
static void
fields_have_no_gaps(void **state)
{
    (void)state;
    assert_int_equal(offsetof(mi_descriptor_t, self), 24);
    assert_int_equal(offsetof(mi_descriptor_t, slice_shift), 24 + 8 * sizeof(void *));
    assert_int_equal(offsetof(mi_descriptor_t, sites), offsetof(mi_descriptor_t, owner_sampled) + 4);
    assert_int_equal(offsetof(mi_descriptor_t, site_count),
                     offsetof(mi_descriptor_t, sites) + 3 * sizeof(void *));
    assert_true(sizeof *d - offsetof(mi_descriptor_t, sample_site) < 4 + sizeof(void *));
}

// A sample and its site are found as docs/outside.md says.
static void
a_sample_is_found(void **state)
{
    (void)state;
    assert_int_equal(word_at(d->profile_rate, 0), 0);
    assert_true(mi__profile_start(1)); // every allocation
    assert_int_equal(word_at(d->profile_rate, 0), 1);
    char *p = mi__alloc(5000);
    const char *sample = pointer_at(d->samples, 0);
    while (sample != NULL && pointer_at(sample, d->sample_block) != p) {
        sample = pointer_at(sample, d->sample_next);
    }
    assert_non_null(sample);
    const char *kept = pointer_at(sample, d->sample_stands_for);
    assert_true((word_at(descriptor_of(p), d->page_owner) & d->owner_sampled) != 0);
    assert_int_equal(word_at(descriptor_of(kept), d->page_owner) & d->owner_flags, 0);
    const char *wanted = pointer_at(sample, d->sample_site);
    bool found = false;
    for (uint32_t i = 0; i < d->site_count && !found; i++) {
        const char *site = pointer_at(d->sites, (uint32_t)(i * sizeof(void *)));
        while (site != NULL && site != wanted) {
            site = pointer_at(site, d->site_next);
        }
        found = site != NULL;
    }
    assert_true(found);
    uint64_t sums[4];
    memcpy(sums, wanted + d->site_allocated, sizeof sums);
    assert_int_equal(sums[0], 1);
    assert_int_equal(sums[1], 5120);
    assert_int_equal(sums[2] >> d->site_weight_shift, 1);
    assert_int_equal(sums[3], 5000);
    assert_in_range(number_at(wanted, d->site_depth), 0, 64);
    mi__free(p);
    memcpy(sums, wanted + d->site_freed, sizeof sums);
    assert_int_equal(sums[3], 5000);
    assert_null(pointer_at(sample, d->sample_block));
    mi__profile_stop();
    assert_int_equal(word_at(d->profile_rate, 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_found),
        cmocka_unit_test(the_note_leads_to_it),
        cmocka_unit_test(fields_have_no_gaps),
        cmocka_unit_test(a_sample_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
