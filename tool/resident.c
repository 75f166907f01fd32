// SPDX-License-Identifier: MIT
// resident.c — what the system tells of the memory of a process's heap: what is resident, and what is in huge
// pages.
#include "resident.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"

// Of each page of the heap, by the system's table: present, or in swap.
static void
read_pages(model_t *model, int file)
{
    size_t os_page = (size_t)sysconf(_SC_PAGESIZE);
    model->knows_resident = true;
    for (size_t i = 0; i < model->page_count && model->knows_resident; i++) {
        page_model_t *page = &model->pages[i];
        uint64_t entries[512];
        uint64_t count = ((uint64_t)page->slices << model->layout.slice_shift) / os_page;
        page->resident = 0;
        for (uint64_t done = 0; done < count;) {
            uint64_t part = count - done < 512 ? count - done : 512;
            off_t at = (off_t)((page->start / os_page + done) * sizeof entries[0]);
            if (pread(file, entries, part * sizeof entries[0], at) != (ssize_t)(part * sizeof entries[0])) {
                model->knows_resident = false;
                break;
            }
            for (uint64_t k = 0; k < part; k++) {
                page->resident += (entries[k] >> 63) * os_page;
            }
            done += part;
        }
    }
}

// ---- huge pages

// What the system's header has since Linux 6.7 (linux/fs.h): which ranges have pages of some kind.
typedef struct scan_range_t {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
} scan_range_t;
typedef struct scan_t {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t ranges;
    uint64_t range_count;
    uint64_t max_pages;
    uint64_t inverted;
    uint64_t all_of;
    uint64_t any_of;
    uint64_t told;
} scan_t;
#define SCAN _IOWR('f', 16, scan_t)
enum { SCAN_HUGE = 1 << 6, RANGES_AT_ONCE = 512 };

// The ranges of a region that are in huge pages; false where the system cannot tell.
static bool
scan_huge(model_t *model, region_model_t *region, int file)
{
    scan_range_t ranges[RANGES_AT_ONCE];
    uint64_t end = region->base + (region->committed << model->layout.slice_shift);
    for (uint64_t at = region->base; at < end;) {
        scan_t scan = {.size = sizeof scan,
                       .start = at,
                       .end = end,
                       .ranges = (uintptr_t)ranges,
                       .range_count = RANGES_AT_ONCE,
                       .all_of = SCAN_HUGE,
                       .told = SCAN_HUGE};
        int count = ioctl(file, SCAN, &scan);
        if (count < 0) {
            return false;
        }
        for (int i = 0; i < count; i++) {
            if ((region->huge_count & (region->huge_count + 1)) == 0) {
                region->huge = grow_memory(region->huge, 2 * region->huge_count + 2, sizeof *region->huge);
            }
            uint64_t from = ranges[i].start - region->base;
            uint64_t bytes = ranges[i].end - ranges[i].start;
            region->huge[region->huge_count++] =
                (slices_model_t){from >> model->layout.slice_shift, bytes >> model->layout.slice_shift};
            model->huge_bytes += bytes;
        }
        if (scan.walk_end <= at) {
            break;
        }
        at = scan.walk_end;
    }
    return true;
}

// Of the mappings that hold regions: what the system says of them in one sum.
static uint64_t
huge_bytes(const model_t *model)
{
    char path[64];
    char line[512];
    uint64_t sum = 0;
    bool ours = false;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)model->target->pid);
    FILE *file = model->target->pid == 0 ? NULL : fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t from = strtoull(line, &end, 16);
        if (*end == '-') {
            uint64_t to = strtoull(end + 1, NULL, 16);
            ours = false;
            for (size_t i = 0; i < model->region_count; i++) {
                const region_model_t *region = &model->regions[i];
                uint64_t last = region->base + (region->committed << model->layout.slice_shift);
                ours = ours || (from < last && to > region->base);
            }
        } else if (ours && strncmp(line, "AnonHugePages:", 14) == 0) {
            sum += strtoull(line + 14, NULL, 10) * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return sum;
}

uint64_t
resident_of_process(pid_t pid)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%*u %lu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
resident_read(model_t *model)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)model->target->pid);
    int file = model->target->pid == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    read_pages(model, file);
    model->knows_huge = true;
    for (size_t i = 0; i < model->region_count && model->knows_huge; i++) {
        model->knows_huge = scan_huge(model, &model->regions[i], file);
    }
    if (!model->knows_huge) {
        model->huge_bytes = huge_bytes(model);
    }
    close(file);
}
