// SPDX-License-Identifier: MIT
// test_api_profile.c — the profile: on and off, samples told, files written, what is in use and what was.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "api_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RATE = 4096, BLOCKS = 2000, SIZE = 1000 };

static void *blocks[BLOCKS];
static long told_alloc;
static long told_free;
static size_t told_weight;
static void *last_told;

static void
tell(bool freed, void *p, size_t size, size_t weight_bytes, void *arg)
{
    EXPECT(arg == &told_alloc);
    EXPECT(p != NULL);
    EXPECT(weight_bytes >= size);
    told_alloc += !freed;
    told_free += freed;
    if (!freed) {
        EXPECT(mi_usable_size(p) >= size);
        told_weight += weight_bytes;
        last_told = p;
    }
    // What happens here is not sampled.
    long before = told_alloc;
    mi_free(mi_malloc(10 * RATE));
    EXPECT(told_alloc == before);
}

// The profile's text, from one of its forms.
static char text[1 << 20];
static size_t text_length;
static int pieces_left;

static bool
keep(const void *bytes, size_t size, void *arg)
{
    EXPECT(arg == text);
    if (pieces_left-- == 0) {
        return false;
    }
    if (text_length + size < sizeof text) {
        memcpy(text + text_length, bytes, size);
        text_length += size;
        text[text_length] = 0;
    }
    return true;
}

static const char *
profile_text(mi_profile_form_t form)
{
    text_length = 0;
    pieces_left = -1;
    EXPECT(mi_profile_write(form, keep, text));
    return text;
}

// The four sums of the first line.
static void
sums(long long *use, long long *use_bytes, long long *all, long long *all_bytes)
{
    long long rate = 0;
    int found = sscanf(profile_text(MI_PROFILE_TEXT), "heap profile: %lld: %lld [%lld: %lld] @ heap_v2/%lld",
                       use, use_bytes, all, all_bytes, &rate);
    EXPECT(found == 5);
    EXPECT(rate == RATE);
}

static void
allocate(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(SIZE);
    }
}

static void
free_all(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        mi_free(blocks[i]);
    }
}

static void
test_on_and_off(void)
{
    long long use, use_bytes, all, all_bytes;
    EXPECT(!mi_profile_is_active());
    mi_register_sample(tell, &told_alloc);
    allocate();
    free_all();
    EXPECT(told_alloc == 0);
    EXPECT(mi_profile_start(RATE));
    EXPECT(mi_profile_is_active());
    allocate();
    // 2 MB at 4 KiB: 440 of these samples, in the mean.
    EXPECT(told_alloc > 300 && told_alloc < 600);
    EXPECT(told_weight > BLOCKS * SIZE / 100 * 75 && told_weight < BLOCKS * SIZE / 100 * 125);
    EXPECT(told_free == 0);
    sums(&use, &use_bytes, &all, &all_bytes);
    EXPECT(use == told_alloc && all == told_alloc);
    EXPECT(use_bytes == all_bytes && use_bytes >= use * SIZE);
    mi_free(NULL);
    free_all();
    EXPECT(told_free == told_alloc);
    sums(&use, &use_bytes, &all, &all_bytes);
    EXPECT(use == 0 && use_bytes == 0 && all == told_alloc);

    // Off: nothing new, but what there is goes.
    allocate();
    long were = told_alloc;
    mi_profile_stop();
    EXPECT(!mi_profile_is_active());
    void *more = mi_malloc(100 * RATE);
    EXPECT(told_alloc == were);
    free_all();
    mi_free(more);
    EXPECT(told_free == were);
    mi_register_sample(NULL, NULL);
    mi_profile_start(RATE);
    allocate();
    EXPECT(told_alloc == were);
    free_all();
}

static void
test_large_and_resized(void)
{
    mi_register_sample(tell, &told_alloc);
    long alloc = told_alloc;
    long freed = told_free;
    void *p = mi_malloc(300 * 1000); // far above the rate: each is a sample
    EXPECT(told_alloc == alloc + 1 && last_told == p);
    p = mi_realloc(p, 500 * 1000);
    EXPECT(told_alloc == alloc + 2 && told_free == freed + 1 && last_told == p);
    p = mi_realloc(p, 100);
    EXPECT(told_free == freed + 2);
    mi_free(p);
    p = mi_malloc_aligned(300 * 1000, 4096);
    EXPECT(last_told == p && ((uintptr_t)p & 4095) == 0);
    mi_free(p);
    void *zeroed = mi_calloc(1000, 1000);
    EXPECT(last_told == zeroed);
    for (int i = 0; i < 1000 * 1000; i += 4096) {
        EXPECT(((char *)zeroed)[i] == 0);
    }
    mi_free(zeroed);
    mi_heap_t *heap = mi_heap_new();
    p = mi_heap_malloc(heap, 200 * 1000);
    EXPECT(last_told == p);
    freed = told_free;
    mi_heap_destroy(heap);
    EXPECT(told_free > freed);
    mi_register_sample(NULL, NULL);
}

static void
test_reset_and_forms(void)
{
    long long use, use_bytes, all, all_bytes;
    allocate();
    mi_profile_reset();
    sums(&use, &use_bytes, &all, &all_bytes);
    EXPECT(use > 0 && use == all && use_bytes == all_bytes);
    mi_profile_mark();
    free_all();
    sums(&use, &use_bytes, &all, &all_bytes);
    EXPECT(use < all);
    EXPECT(strstr(text, "\nMAPPED_LIBRARIES:\n") != NULL && strstr(text, "test_api_profile") != NULL);

    for (volatile int i = 0; i < 2; i++) {
        allocate(); // from the same place, as long as the loop stays one
        if (i == 0) {
            free_all();
        }
    }
    EXPECT(strstr(profile_text(MI_PROFILE_FOLDED), ";") != NULL);
    EXPECT(strncmp(profile_text(MI_PROFILE_REPORT), "about ", 6) == 0);
    EXPECT(strstr(text, "  freed after 1 ms: ") != NULL && strstr(text, " samples), allocated at\n") != NULL);
    EXPECT(memcmp(profile_text(MI_PROFILE_PPROF), "\x1f\x8b\x08", 3) == 0);
    EXPECT(!mi_profile_write((mi_profile_form_t)7, keep, text));
    pieces_left = 0;
    EXPECT(!mi_profile_write(MI_PROFILE_TEXT, keep, text));
    free_all();
}

static void
test_files(void)
{
    char folder[] = "/tmp/mi-profile-XXXXXX";
    char path[100];
    char link_path[100];
    struct stat about;
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/one", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    errno = 7;
    EXPECT(mi_profile_dump(path, MI_PROFILE_TEXT) == 0);
    EXPECT(stat(path, &about) == 0 && about.st_size > 100 && (about.st_mode & 0777) == 0600);
    EXPECT(mi_profile_dump(path, MI_PROFILE_TEXT) == EEXIST);
    EXPECT(symlink("/tmp/mi-profile-nothing", link_path) == 0);
    EXPECT(mi_profile_dump(link_path, MI_PROFILE_TEXT) != 0);
    EXPECT(access("/tmp/mi-profile-nothing", F_OK) != 0);
    EXPECT(mi_profile_dump("/nowhere/x", MI_PROFILE_TEXT) == ENOENT);
    EXPECT(mi_profile_dump(NULL, MI_PROFILE_TEXT) == EINVAL); // no base
    EXPECT(mi_profile_dump(path, (mi_profile_form_t)-1) == EINVAL);
    unlink(path);
    unlink(link_path);
    rmdir(folder);
}

// A child has what is in use, and a past of its own.
static void
test_fork(void)
{
    long long use, use_bytes, all, all_bytes;
    allocate();
    free_all();
    allocate();
    pid_t child = fork();
    if (child == 0) {
        sums(&use, &use_bytes, &all, &all_bytes);
        bool fine = mi_profile_is_active() && use > 200 && use == all;
        free_all();
        sums(&use, &use_bytes, &all, &all_bytes);
        _exit(fine && use < 200 ? 0 : 1);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    free_all();
}

int
main(void)
{
    test_on_and_off();
    test_large_and_resized();
    test_reset_and_forms();
    test_files();
    test_fork();
    mi_profile_stop();
    return API_DONE();
}
