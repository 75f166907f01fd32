// SPDX-License-Identifier: MIT
// test_api_process.c — hooks, text output, process figures, threads that come and go.
#include <pthread.h>

#include "api_test.h"

// ---- Deferred frees

static int deferred_calls;
static int deferred_forced;
static unsigned long long deferred_beat;
static int deferred_depth;

static void
free_deferred(bool force, unsigned long long heartbeat, void *arg)
{
    EXPECT(arg == &deferred_calls);
    EXPECT(deferred_depth == 0);
    EXPECT(deferred_calls == 0 || heartbeat > deferred_beat);
    deferred_depth++;
    deferred_calls++;
    deferred_forced += force ? 1 : 0;
    deferred_beat = heartbeat;
    // It may use the allocator, also so much that the slow path comes again.
    void *blocks[300];
    for (int i = 0; i < 300; i++) {
        blocks[i] = mi_malloc(3000);
    }
    for (int i = 0; i < 300; i++) {
        mi_free(blocks[i]);
    }
    deferred_depth--;
}

static void
test_deferred_free(void)
{
    mi_register_deferred_free(free_deferred, &deferred_calls);
    mi_collect(true);
    EXPECT(deferred_calls >= 1 && deferred_forced >= 1);
    int before = deferred_calls;
    mi_collect(false);
    EXPECT(deferred_calls > before && deferred_forced < deferred_calls);
    // Allocation alone brings it about, too.
    before = deferred_calls;
    static void *kept[200000];
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        kept[i] = mi_malloc(100);
    }
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        mi_free(kept[i]);
    }
    EXPECT(deferred_calls > before);
    mi_register_deferred_free(NULL, NULL);
    before = deferred_calls;
    mi_collect(true);
    EXPECT(deferred_calls == before);
}

// ---- Errors

static int error_calls;
static int last_error;

static void
count_error(int err, void *arg)
{
    EXPECT(arg == &error_calls);
    error_calls++;
    last_error = err;
}

static void
test_error(void)
{
    mi_register_error(count_error, &error_calls);
    EXPECT_FAILS(mi_malloc(opaque(SIZE_MAX)), ENOMEM);
    EXPECT(error_calls == 1 && last_error == EOVERFLOW);
    EXPECT_FAILS(mi_calloc(opaque(SIZE_MAX / 2), 4), ENOMEM);
    EXPECT(error_calls == 2 && last_error == EOVERFLOW);
    EXPECT_FAILS(mi_malloc(opaque(PTRDIFF_SIZE)), ENOMEM);
    EXPECT(error_calls == 3 && last_error == ENOMEM);
    EXPECT_FAILS(mi_malloc_aligned(opaque(PTRDIFF_SIZE), 64), ENOMEM);
    EXPECT(error_calls == 4);
    void *p = mi_malloc(100);
    EXPECT_FAILS(mi_realloc(p, opaque(SIZE_MAX - 1)), ENOMEM);
    EXPECT(error_calls == 5);
    mi_free(p);
    mi_free(mi_malloc(100));
    EXPECT(error_calls == 5);
    mi_register_error(NULL, NULL);
    EXPECT_FAILS(mi_malloc(opaque(SIZE_MAX)), ENOMEM);
    EXPECT(error_calls == 5);
}

// ---- Text

typedef struct gathered_t {
    size_t length;
    char text[65536];
} gathered_t;

static void
gather(const char *msg, void *arg)
{
    gathered_t *to = (gathered_t *)arg;
    size_t length = strlen(msg);
    if (to->length + length < sizeof to->text) {
        memcpy(to->text + to->length, msg, length + 1);
        to->length += length;
    }
}

static gathered_t all;
static gathered_t some;

static void
test_output(void)
{
    mi_register_output(gather, &all);
    all.length = 0;
    all.text[0] = 0;

    mi_process_info_print_out(gather, &some);
    EXPECT(strstr(some.text, "resident") != NULL && some.text[some.length - 1] == '\n');
    EXPECT(all.length == 0);

    some.length = 0;
    mi_stats_print_out(gather, &some);
    EXPECT(some.length > 100 && some.text[some.length - 1] == '\n');
    EXPECT(all.length == 0);

    mi_process_info_print();
    EXPECT(strstr(all.text, "resident") != NULL);
    all.length = 0;
    mi_stats_print(NULL);
    EXPECT(all.length > 100);
    all.length = 0;
    mi_stats_print_out(NULL, NULL);
    EXPECT(all.length > 100);

    mi_register_output(NULL, NULL);
}

// ---- Figures

static void
test_process_info(void)
{
    size_t elapsed = 0, user = 0, system = 0, rss = 0, peak_rss = 0, commit = 0, peak_commit = 0, faults = 0;
    mi_process_info(&elapsed, &user, &system, &rss, &peak_rss, &commit, &peak_commit, &faults);
    EXPECT(rss > 100000 && peak_rss >= rss / 2 && commit > 0 && peak_commit >= commit);
    EXPECT(faults > 0 || API_WINDOWS); // which wine does not count
    EXPECT(elapsed < 3600000 && user < 3600000 && system < 3600000);
    mi_process_info(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

    // Resident memory is what is in use, not what was made accessible.
    size_t size = (size_t)64 << 20;
    char *p = (char *)mi_malloc(size);
    size_t rss_before = 0, rss_after = 0, commit_after = 0;
    mi_process_info(NULL, NULL, NULL, &rss_before, NULL, &commit_after, NULL, NULL);
    EXPECT(commit_after >= size && rss_before < rss + size / 2);
    memset(p, 1, size);
    mi_process_info(NULL, NULL, NULL, &rss_after, NULL, NULL, NULL, NULL);
    EXPECT(rss_after >= rss_before + size * 3 / 4);
    mi_free(p);
    mi_collect(true);
    mi_process_info(NULL, NULL, NULL, &rss_after, &peak_rss, NULL, NULL, NULL);
    EXPECT(peak_rss >= size && (API_SANITIZED || rss_after < rss_before + size / 4));
}

// ---- Threads

static void *
come_and_go(void *arg)
{
    mi_thread_init();
    mi_thread_init();
    for (size_t size = 1; size < 200000; size *= 3) {
        void *p = mi_malloc(size);
        memset(p, 1, size);
        mi_free(p);
    }
    void *kept = mi_malloc(100);
    mi_thread_done();
    mi_thread_done();
    // The next allocation starts anew.
    char *text = mi_strdup("after");
    EXPECT(text != NULL && strcmp(text, "after") == 0);
    mi_free(kept);
    if (arg != NULL) {
        mi_thread_done();
    }
    return text;
}

static void
test_threads(void)
{
    mi_thread_init();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *text = NULL;
        EXPECT(pthread_create(&thread, NULL, come_and_go, i % 2 == 0 ? NULL : &thread) == 0);
        EXPECT(pthread_join(thread, &text) == 0);
        EXPECT(text != NULL && strcmp((char *)text, "after") == 0);
        mi_free(text);
    }
    mi_thread_done();
    void *p = mi_malloc(10);
    EXPECT(p != NULL);
    mi_free(p);
}

static void
test_process(void)
{
    mi_process_init();
    mi_process_init();
    void *p = mi_malloc(1000);
    mi_process_done();
    mi_process_done();
    // The library goes on to work.
    memset(p, 1, 1000);
    mi_free(p);
    p = mi_malloc(1000);
    EXPECT(p != NULL);
    mi_free(p);
}

int
main(void)
{
    test_deferred_free();
    test_error();
    test_output();
    test_process_info();
    test_threads();
    test_process();
    return API_DONE();
}
