// SPDX-License-Identifier: MIT
// grows.c — a block that grows is not copied: the peak stays at its size, also with something behind it.
// serial: yes
// timeout: 600
//
//   grows [MiB]
//
// By doubling and by steps of an OS page, alone and with blocks behind it that are in its way; then with
// every mremap refused, as by a kernel without it. One byte of each OS page is written, and all are read
// in the end.
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { MAX_MORE_KIB = 64 * 1000, MAX_MAPPINGS = 200, OS_PAGE = 4096, BEHIND = 100000 };

static long
peak_kib(void)
{
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return usage.ru_maxrss;
}

static long
mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    long lines = 0;
    EXPECT(f != NULL, "no /proc/self/maps");
    for (int c = fgetc(f); c != EOF; c = fgetc(f)) {
        lines += c == '\n';
    }
    fclose(f);
    return lines;
}

// Grows a block to `bytes` and frees it. Where `others`, a block is put in its way from time to time.
static void
grow(size_t bytes, bool by_steps, bool others)
{
    unsigned char *p = NULL;
    void *in_the_way[64] = {NULL};
    size_t used = 0;
    int count = 0;
    for (size_t size = by_steps ? OS_PAGE : 16; size <= bytes; size = by_steps ? size + OS_PAGE : size * 2) {
        p = t_realloc(p, size);
        EXPECT(p != NULL, "%zu bytes", size);
        for (; used < size; used += OS_PAGE) {
            p[used] = (unsigned char)(used / OS_PAGE % 251 + 1);
        }
        if (others && size >= 1 << 20 && (size & (size - 1)) == 0) {
            in_the_way[count++] = t_malloc(BEHIND);
        }
    }
    for (size_t i = 0; i < used; i += OS_PAGE) {
        EXPECT(p[i] == i / OS_PAGE % 251 + 1, "byte %zu is %d", i, p[i]);
    }
    while (count > 0) {
        t_free(in_the_way[--count]);
    }
    t_free(p);
}

static void
grow_in_all_ways(size_t bytes)
{
    static const char *const names[] = {"by doubling", "by doubling, with blocks behind", "by steps",
                                        "by steps, with blocks behind"};
    long kib = (long)(bytes / 1024);
    for (int i = 0; i < 4; i++) {
        long before = mappings();
        grow(bytes, i >= 2, i % 2 == 1);
        printf("grows: %s: %ld KiB, %ld at the peak, %ld mappings, %ld before\n", names[i], kib, peak_kib(),
               mappings(), before);
        fflush(stdout);
        // The peak of the process, so the first of the four that copies fails.
        EXPECT(peak_kib() <= kib + MAX_MORE_KIB, "%ld KiB at the peak", peak_kib());
        collect_all();
        EXPECT(mappings() <= MAX_MAPPINGS, "%ld mappings", mappings());
    }
}

static bool
refuse_mremap(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int
main(int argc, char **argv)
{
    size_t bytes = (size_t)argument(argc, argv, 1, 256) << 20;
    grow_in_all_ways(bytes);
    if (!refuse_mremap()) {
        printf("grows: no seccomp here\n");
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        grow(bytes, i >= 2, i % 2 == 1);
        collect_all();
    }
    printf("grows: without mremap: fine\n");
    return 0;
}
