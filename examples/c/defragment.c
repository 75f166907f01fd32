// SPDX-License-Identifier: MIT
// defragment.c — active defragmentation, as redis does it: values move from sparse pages to full ones.
//
// A store of values of all sizes loses four in five of them at random. What remains keeps nearly every
// page in use, until it moves.
#include <mimalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 300000, LEAST = 24, SPREAD = 600 };

static char *values[VALUES];

static size_t
length_of(size_t i)
{
    return LEAST + i * 2654435761U % SPREAD;
}

static size_t
resident_mib(void)
{
    size_t resident = 0;
    mi_collect(true);
    mi_process_info(NULL, NULL, NULL, &resident, NULL, NULL, NULL, NULL);
    return resident >> 20;
}

// redis' rule: a page that does not serve and is emptier than all of its size together (an eighth is let go).
static size_t
defragment(void)
{
    static struct {
        size_t used, capacity;
    } sizes[4096];
    mi_page_info_t info;
    size_t moved = 0;
    // Each value counts for its share of the page, so that a page counts once.
    for (size_t i = 0; i < VALUES; i++) {
        if (values[i] != NULL && mi_unsafe_page_info(values[i], &info)) {
            sizes[info.block_size / 16].used += 1000;
            sizes[info.block_size / 16].capacity += 1000 * info.capacity / info.used;
        }
    }
    for (size_t i = 0; i < VALUES; i++) {
        if (values[i] == NULL || !mi_unsafe_page_info(values[i], &info) || info.serving) {
            continue;
        }
        size_t used = sizes[info.block_size / 16].used, capacity = sizes[info.block_size / 16].capacity;
        if (info.used < info.capacity && info.used * capacity * 8 <= used * info.capacity * 9) {
            char *moved_to = mi_malloc(length_of(i));
            if (moved_to == NULL) {
                return moved;
            }
            memcpy(moved_to, values[i], length_of(i));
            mi_free(values[i]);
            values[i] = moved_to;
            moved++;
        }
    }
    return moved;
}

int
main(void)
{
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = mi_malloc(length_of(i));
        if (values[i] == NULL) {
            return 1;
        }
        memset(values[i], (int)(i % 255), length_of(i));
    }
    size_t full = resident_mib();
    uint32_t random = 1;
    for (size_t i = 0; i < VALUES; i++) {
        random = random * 1664525 + 1013904223;
        if (random >> 16 > 0x3333) {
            mi_free(values[i]);
            values[i] = NULL;
        }
    }
    size_t sparse = resident_mib();
    printf("%zu MiB with all values, %zu with one in five\n", full, sparse);
    size_t after = sparse;
    for (int round = 1; round <= 6; round++) {
        size_t moved = defragment();
        after = resident_mib();
        printf("round %d: %zu values moved, %zu MiB\n", round, moved, after);
        if (moved == 0) {
            break;
        }
    }
    for (size_t i = 0; i < VALUES; i++) {
        if (values[i] != NULL &&
            (values[i][0] != (char)(i % 255) || values[i][length_of(i) - 1] != (char)(i % 255))) {
            return 1;
        }
    }
    return after * 2 < sparse ? 0 : 1;
}
