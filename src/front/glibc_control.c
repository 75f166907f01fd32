// SPDX-License-Identifier: MIT
// glibc_control.c — what glibc offers to look at its malloc and to tune it, served by ours.
//
// A JDK, psutil and databases call these. Blocks that have a page of their own take the place of
// those that glibc maps one by one; all others together are its one arena.
//
// Owns:        nothing
// Threads:     any
// Not here:    our own statistics → front/stats.c
#include "front/override.h"

#if OVERRIDE_GLIBC_CONTROL

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "base/format.h"
#include "front/stats.h"
#include "heap/census.h"

// Declared here, not by <malloc.h>, which lacks mallinfo2 before glibc 2.33. The order of fields is
// glibc's.
typedef struct mallinfo_t {
    int arena;
    int ordblks;
    int smblks;
    int hblks;
    int hblkhd;
    int usmblks;
    int fsmblks;
    int uordblks;
    int fordblks;
    int keepcost;
} mallinfo_t;

typedef struct mallinfo2_t {
    size_t arena;   // bytes, all but blocks with a page of their own
    size_t ordblks; // free blocks
    size_t smblks;  // always 0, like usmblks and fsmblks: there are no fastbins
    size_t hblks;   // blocks with a page of their own
    size_t hblkhd;  // and their bytes
    size_t usmblks;
    size_t fsmblks;
    size_t uordblks; // bytes of `arena` in live blocks
    size_t fordblks; // bytes of `arena` that are free
    size_t keepcost; // bytes that malloc_trim would give back
} mallinfo2_t;

MI_EXPORT mallinfo_t mallinfo(void);
MI_EXPORT mallinfo2_t mallinfo2(void);
MI_EXPORT int malloc_trim(size_t pad);
MI_EXPORT void malloc_stats(void);
MI_EXPORT int malloc_info(int options, FILE *file);
MI_EXPORT int mallopt(int param, int value);

static uint64_t
free_blocks(const census_class_t *class)
{
    return class->page_bytes <= class->live_bytes
               ? 0
               : (class->page_bytes - class->live_bytes) / class->block_size;
}

static mallinfo2_t
info_of(const census_t *census)
{
    const census_class_t *own_page = &census->classes[CLASS_COUNT];
    mallinfo2_t info = {
        .arena = census->committed_bytes - size_min(own_page->page_bytes, census->committed_bytes),
        .hblks = own_page->live,
        .hblkhd = own_page->live_bytes,
        .uordblks = census->total.live_bytes - own_page->live_bytes,
        .keepcost = census->purgeable_bytes,
    };
    info.fordblks = info.arena - size_min(info.uordblks, info.arena);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        info.ordblks += free_blocks(&census->classes[i]);
    }
    return info;
}

mallinfo2_t
mallinfo2(void)
{
    census_t census;
    mi__census_take(&census);
    return info_of(&census);
}

static int
int_of(size_t n)
{
    return n > INT_MAX ? INT_MAX : (int)n;
}

mallinfo_t
mallinfo(void)
{
    mallinfo2_t info = mallinfo2();
    return (mallinfo_t){
        .arena = int_of(info.arena),
        .ordblks = int_of(info.ordblks),
        .hblks = int_of(info.hblks),
        .hblkhd = int_of(info.hblkhd),
        .uordblks = int_of(info.uordblks),
        .fordblks = int_of(info.fordblks),
        .keepcost = int_of(info.keepcost),
    };
}

int
malloc_trim(size_t pad)
{
    // What glibc would keep at the top of its heap; there is no top here.
    (void)pad;
    return mi__collect(true) != 0;
}

void
malloc_stats(void)
{
    mi__stats_print(NULL, NULL);
}

// One row a size class that has pages, in the form that glibc uses for free chunks; `live` and
// `allocated` are ours.
static void
write_class(FILE *file, size_t from, const census_class_t *class)
{
    uint64_t count = free_blocks(class);
    uint64_t bytes = count * class->block_size;
    text_t text;
    text_init(&text);
    mi__format(
        &text,
        "  <size from=\"%zu\" to=\"%zu\" total=\"%llu\" count=\"%llu\" live=\"%llu\" allocated=\"%llu\"/>\n",
        from, class->block_size, (unsigned long long)bytes, (unsigned long long)count,
        (unsigned long long)class->live, (unsigned long long)class->allocated);
    fputs(text.chars, file);
}

static void
write_classes(FILE *file, const census_t *census)
{
    size_t from = 1;
    fputs("<sizes>\n", file);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        const census_class_t *class = &census->classes[i];
        if (class->pages != 0) {
            write_class(file, from, class);
        }
        from = class->block_size + 1;
    }
    fputs("</sizes>\n", file);
}

static void
write_totals(FILE *file, const census_t *census)
{
    mallinfo2_t info = info_of(census);
    text_t text;
    text_init(&text);
    mi__format(&text,
               "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
               "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
               "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n",
               info.ordblks, info.fordblks, info.hblks, info.hblkhd);
    mi__format(&text,
               "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n"
               "<aspace type=\"total\" size=\"%zu\"/>\n<aspace type=\"mprotect\" size=\"%zu\"/>\n",
               census->committed_bytes, census->committed_bytes, census->reserved_bytes,
               census->committed_bytes);
    fputs(text.chars, file);
}

int
malloc_info(int options, FILE *file)
{
    if (options != 0) {
        return EINVAL;
    }
    // The numbers come first: writing to `file` may allocate.
    census_t census;
    mi__census_take(&census);
    fputs("<malloc version=\"1\">\n<heap nr=\"0\">\n", file);
    write_classes(file, &census);
    write_totals(file, &census);
    fputs("</heap>\n", file);
    write_totals(file, &census);
    fputs("</malloc>\n", file);
    return 0;
}

int
mallopt(int param, int value)
{
    // M_ARENA_MAX is -8 and M_TRIM_THRESHOLD -1; M_MXFAST, M_NLBLKS, M_GRAIN and M_KEEP are 1 to 4.
    // None has a meaning here.
    (void)value;
    return (param >= -8 && param <= -1) || (param >= 1 && param <= 4);
}

#endif
