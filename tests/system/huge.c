// SPDX-License-Identifier: MIT
// huge.c — used by huge.sh: how much of the library's memory the system backs by huge pages.
//
//   huge MIB      keeps so many MiB in blocks, then frees them, then calls malloc_trim; says each time what
//                 is resident (KiB), what lies in huge pages, transparent and of the pool, and how many
//                 mappings have the marks of MADV_HUGEPAGE and of its opposite
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 3000, MAX_BLOCKS = 400000 };

static char *blocks[MAX_BLOCKS];

typedef struct smaps_t {
    long resident;
    long transparent;
    long pool;
    int wanted;   // mappings marked hg …
    int unwanted; // … and nh
} smaps_t;

static smaps_t
look(void)
{
    smaps_t sum = {0};
    char line[512];
    FILE *file = fopen("/proc/self/smaps", "r");
    if (file == NULL) {
        exit(77);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        long kib = 0;
        if (sscanf(line, "Rss: %ld", &kib) == 1) {
            sum.resident += kib;
        } else if (sscanf(line, "AnonHugePages: %ld", &kib) == 1) {
            sum.transparent += kib;
        } else if (sscanf(line, "Private_Hugetlb: %ld", &kib) == 1) {
            sum.pool += kib;
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            sum.wanted += strstr(line, " hg") != NULL;
            sum.unwanted += strstr(line, " nh") != NULL;
        }
    }
    fclose(file);
    return sum;
}

static void
say(const char *when)
{
    smaps_t now = look();
    printf("%s resident %ld transparent %ld pool %ld wanted %d unwanted %d\n", when, now.resident,
           now.transparent, now.pool, now.wanted, now.unwanted);
}

int
main(int argc, char **argv)
{
    size_t count = (size_t)atoi(argc > 1 ? argv[1] : "64") * 1024 * 1024 / BLOCK;
    say("start");
    for (size_t i = 0; i < count && i < MAX_BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        if (blocks[i] == NULL) {
            return 1;
        }
        memset(blocks[i], 1, BLOCK);
    }
    say("full");
    for (size_t i = 0; i < count; i += 2) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    for (size_t i = 1; i < count; i += 2) {
        if (blocks[i][BLOCK - 1] != 1) {
            return 1;
        }
        free(blocks[i]);
    }
    say("freed");
    malloc_trim(0);
    say("trimmed");
    return 0;
}
