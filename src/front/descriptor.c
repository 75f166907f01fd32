// SPDX-License-Identifier: MIT
// descriptor.c — where everything is, for tools that read the process from outside.
//
// Owns:        mi_descriptor
// Threads:     it is constant
// Not here:    what the fields mean → mimalloc-descriptor.h, how to go on → docs/outside.md
#include "front/descriptor.h"

#include "front/live.h"
#include "front/sites.h"
#include "heap/held.h"
#include "heap/registry.h"
#include "heap/samples.h"

const mi_descriptor_t mi_descriptor = {
    .magic = {'m', 'i', 'm', 'a', 'l', 'l', 'o', 'c'},
    .version = MI_DESCRIPTOR_VERSION,
    .bytes = sizeof(mi_descriptor_t),
    .library_version = MI_MALLOC_VERSION,
    .pointer_bytes = sizeof(void *),

    .self = &mi_descriptor,
    .regions = mi__region_table,
    .region_count = &mi__region_taken,
    .thread_heaps = &mi__registry_all,
    .heaps = &mi__heap_all,
    .subprocs = &mi__heap_subprocs,
    .main_subproc = &mi__subproc_main,
    .live = &mi__live_page,

    .slice_shift = SLICE_SHIFT,
    .descriptor_shift = DESCRIPTOR_SHIFT,
    .class_count = CLASS_COUNT,
    .owner_redirect = OWNER_REDIRECT,
    .owner_full = OWNER_FULL,
    .owner_singleton = OWNER_SINGLETON,
    .owner_flags = OWNER_FLAGS,
    .remote_first = REMOTE_FIRST_SHIFT,
    .remote_count = REMOTE_COUNT_SHIFT,
    .granule_shift = GRANULE_SHIFT,
    .page_pinned = PAGE_PINNED,
    .holes_max = HOLES_MAX,

    .region_base = offsetof(region_t, base),
    .region_descriptors = offsetof(region_t, descriptors),
    .region_chunks = offsetof(region_t, chunks),
    .region_slices = offsetof(region_t, slices),
    .region_committed = offsetof(region_t, committed),
    .region_reserved = offsetof(region_t, reserved_bytes),
    .region_given = offsetof(region_t, given),

    .chunk_bytes = sizeof(chunk_bits_t),
    .chunk_used = offsetof(chunk_bits_t, used),
    .chunk_dirty = offsetof(chunk_bits_t, dirty),
    .chunk_aged = offsetof(chunk_bits_t, aged),
    .chunk_moved = offsetof(chunk_bits_t, moved),

    .page_owner = offsetof(page_t, owner),
    .page_free = offsetof(page_t, free),
    .page_local_free = offsetof(page_t, local_free),
    .page_thread_free = offsetof(page_t, thread_free),
    .page_used = offsetof(page_t, used),
    .page_capacity = offsetof(page_t, capacity),
    .page_reserved = offsetof(page_t, reserved),
    .page_holed = offsetof(page_t, holed),
    .page_block_size = offsetof(page_t, block_size),
    .page_class = offsetof(page_t, class),
    .page_flags = offsetof(page_t, flags),
    .page_start = offsetof(page_t, start),
    .page_slices = offsetof(page_t, slices),
    .page_holder = offsetof(page_t, holder),
    .page_holes = offsetof(page_t, holes),
    .block_next = offsetof(block_t, next),

    .thread_heap_state = offsetof(thread_heap_t, state),
    .thread_heap_thread = offsetof(thread_heap_t, thread_id),
    .thread_heap_heap = offsetof(thread_heap_t, heap),
    .thread_heap_main = offsetof(thread_heap_t, main),
    .thread_heap_next = offsetof(thread_heap_t, next_made),
    .thread_heap_granted = offsetof(thread_heap_t, granted),
    .thread_heap_pages_made = offsetof(thread_heap_t, pages_made),
    .thread_heap_singletons = offsetof(thread_heap_t, singletons),
    .thread_heap_singleton_bytes = offsetof(thread_heap_t, singleton_bytes),
    .thread_heap_held = offsetof(thread_heap_t, held),

    .held_lists = offsetof(held_t, lists),
    .held_list_step = sizeof(held_list_t),
    .held_first = offsetof(held_list_t, first),
    .held_stand_ins = offsetof(held_t, stand_ins),

    .heap_subproc = offsetof(heap_t, subproc),
    .heap_live = offsetof(heap_t, live),
    .heap_next = offsetof(heap_t, next_made),
    .heap_slot = offsetof(heap_t, slot),
    .subproc_main = offsetof(subproc_t, main),
    .subproc_live = offsetof(subproc_t, live),
    .subproc_next = offsetof(subproc_t, next_made),

    .owner_sampled = OWNER_SAMPLED,

    .sites = mi__sites_lists,
    .samples = &mi__samples_all,
    .profile_rate = &mi__sampling_rates[SAMPLER_PROFILE],
    .site_count = SITE_LISTS,

    .site_next = offsetof(site_t, next),
    .site_depth = offsetof(site_t, depth),
    .site_frames = offsetof(site_t, frames),
    .site_allocated = offsetof(site_t, allocated),
    .site_freed = offsetof(site_t, freed),
    .site_peak = offsetof(site_t, peak_space),
    .site_marked = offsetof(site_t, marked_space),
    .site_lifetime = offsetof(site_t, lifetime_ms),
    .site_weight_shift = SITE_WEIGHT_SHIFT,

    .sample_next = offsetof(sample_t, next_made),
    .sample_block = offsetof(sample_t, block),
    .sample_stands_for = offsetof(sample_t, stands_for),
    .sample_site = offsetof(sample_t, of_sampler) + SAMPLER_PROFILE * sizeof(void *),
};

_Static_assert(sizeof(((page_t *)0)->used) == 4 && sizeof(((page_t *)0)->thread_free) == 8 &&
                   sizeof(((page_t *)0)->class) == 2 && sizeof(((thread_heap_t *)0)->granted[0]) == 8 &&
                   sizeof(bool) == 1,
               "fields have the widths that mimalloc-descriptor.h tells");
_Static_assert(sizeof(site_sum_t) == 32 && offsetof(site_sum_t, weight) == 16,
               "sums of sites are the four numbers that mimalloc-descriptor.h tells");
_Static_assert(HEAP_LIVE == 0 && HEAP_ORPHAN == 1 && HEAP_CLAIMED == 2 && HEAP_DEAD == 3 && HEAP_VACANT == 4,
               "states have the numbers that mimalloc-descriptor.h tells");

#if defined(__ELF__)
// A note says how far from itself the descriptor is: program headers lead to it where no symbol is left. The
// second name is one that the linker resolves at once, as a note needs it.
extern const mi_descriptor_t mi__descriptor MI_HIDDEN MI_FOR_ASM __attribute__((alias("mi_descriptor")));
__asm__(".pushsection .note.mimalloc, \"a\", %note\n"
        ".balign 4\n"
        ".long 9\n" // bytes of the name, with its end
        ".long 4\n" // and of what follows it
        ".long 1\n" // MI_DESCRIPTOR_NOTE_TYPE
        ".asciz \"" MI_DESCRIPTOR_NOTE "\"\n"
        ".balign 4\n"
        ".long mi__descriptor - .\n"
        ".popsection\n");
_Static_assert(sizeof(MI_DESCRIPTOR_NOTE) == 9 && MI_DESCRIPTOR_NOTE_TYPE == 1, "what the note says");
#endif
