// SPDX-License-Identifier: MIT
// test_live.c — front/live.c: what is counted when, what tools ask, and the files, each case in a process
// of its own.
#include "fresh.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "alloc/alloc.h"
#include "base/hooks.h"
#include "front/live.h"
#include "os/os.h"

enum { KEPT = 1000 };

static void
wait_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void
poll_now(void)
{
    mi__hooks.deferred_free(false);
}

static void
nothing_is_counted_unasked(void)
{
    check(mi__alloc(100) != NULL);
    mi__live_start();
    mi_live_t *page = mi__live_page;
    poll_now();
    check_equal(page->updates, 0);
    check(memcmp(page->magic, "mi-live", 8) == 0);
    check_equal(page->bytes, sizeof *page);
}

static void
requests_are_answered(void)
{
    mi__live_start();
    mi_live_t *page = mi__live_page;
    static void *blocks[KEPT];
    for (int i = 0; i < KEPT; i++) {
        blocks[i] = mi__alloc(1000);
    }
    errno = ERRNO_MARK;
    page->request = MI_LIVE_REFRESH;
    poll_now();
    check_equal(errno, ERRNO_MARK);
    check_equal(page->request, 0);
    check_equal(page->answers, 1);
    check_equal(page->updates, 2);
    check_equal(page->pid, getpid());
    check_equal(page->interval_ms, 0);
    mi_figures_t before = page->figures;
    check(before.allocated_blocks >= KEPT && before.allocated_bytes >= KEPT * 1000);
    check(before.active_bytes >= before.allocated_bytes);
    check(before.committed_bytes >= before.active_bytes && before.retained_bytes > before.committed_bytes);
    check_equal(before.allocation_count, before.allocated_blocks + before.free_count);
    check(before.allocation_bytes >= before.allocated_bytes);
    check(before.resident_bytes > KEPT * 1000 && before.metadata_bytes > 0);
    check_equal(before.threads, 1);
    check_equal(before.heaps, 1);
    poll_now();
    check_equal(page->updates, 2);

    for (int i = 0; i < KEPT; i++) {
        mi__free(blocks[i]);
    }
    page->request = MI_LIVE_PURGE;
    poll_now();
    check_equal(page->answers, 2);
    check(page->figures.free_count >= before.free_count + KEPT);
    check(page->figures.purged_bytes > before.purged_bytes);
    check_equal(page->figures.purgeable_bytes, 0);
    check_equal(page->figures.peak_allocated_bytes, before.peak_allocated_bytes);
    page->request = MI_LIVE_RESET_PEAKS;
    poll_now();
    check_equal(page->figures.peak_allocated_bytes, page->figures.allocated_bytes);
    // What grows is not taken back.
    check(page->figures.allocation_count >= before.allocation_count);
}

static void
errors_are_counted(void)
{
    mi__live_start();
    check(mi__alloc(10) != NULL);
    mi__conf.errors = ERRORS_IGNORE;
    mi__hooks.misuse(MISUSE_DOUBLE_FREE, "free", NULL);
    mi__hooks.misuse(MISUSE_FREE_FOREIGN, "free", NULL);
    mi__hooks.misuse(MISUSE_FREE_NO_BLOCK, "free", NULL);
    mi__hooks.misuse(MISUSE_SIZE_MISMATCH, "free_sized", NULL);
    mi__hooks.alloc_failed(10, ENOMEM);
    census_t census;
    mi_figures_t figures;
    mi__live_figures(&figures, &census);
    check_equal(figures.double_free_count, 1);
    check_equal(figures.invalid_free_count, 2);
    check_equal(figures.other_misuse_count, 1);
    check_equal(figures.failed_allocation_count, 1);
}

// A tool of the same user maps the file; a child of a fork has one of its own.
static mi_live_t *
map_of(pid_t pid)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/dev/shm/mimalloc.%d", (int)pid);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    check(fstat(file, &about) == 0);
    check_equal(about.st_mode & 0777, 0600);
    void *start = mmap(NULL, sizeof(mi_live_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check(start != MAP_FAILED);
    close(file);
    return start;
}

static void
the_page_is_shared_when_asked_for(void)
{
    mi__conf.live = true;
    mi__live_start();
    check(mi__alloc(100) != NULL);
    poll_now();
    mi_live_t *seen = map_of(getpid());
    check(seen != NULL && seen != mi__live_page);
    check_equal(seen->pid, getpid());
    check_equal(seen->interval_ms, 1000);
    uint64_t updates = seen->updates;
    check(updates >= 2 && updates % 2 == 0);
    uint64_t blocks = seen->figures.allocated_blocks;
    check(mi__alloc(100) != NULL);
    poll_now();
    check_equal(seen->updates, updates); // not due
    wait_ms(1100);
    poll_now();
    check_equal(seen->updates, updates + 2);
    check_equal(seen->figures.allocated_blocks, blocks + 1);
    seen->request = MI_LIVE_REFRESH;
    poll_now();
    check_equal(seen->answers, 1);

    pid_t child = fork();
    if (child == 0) {
        mi__live_after_fork();
        poll_now();
        mi_live_t *own = map_of(getpid());
        bool apart = own != NULL && own->pid == (uint64_t)getpid() && seen->pid == (uint64_t)getppid();
        mi__live_end();
        _exit(apart && map_of(getpid()) == NULL ? 0 : 1);
    }
    int status;
    check(waitpid(child, &status, 0) == child && status == 0);
    check(map_of(getpid()) != NULL);
    mi__live_end();
    check(map_of(getpid()) == NULL);
}

static void
a_stale_file_gives_way(void)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mimalloc.%d", (int)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(file >= 0 && close(file) == 0);
    mi__conf.live = true;
    mi__live_start();
    poll_now();
    check_equal(map_of(getpid())->pid, getpid());
    mi__live_end();
}

static size_t
file_length(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (size_t)about.st_size : 0;
}

static void
metrics_are_written(void)
{
    char folder[] = "/tmp/mimalloc-live-XXXXXX";
    char value[64];
    char path[64];
    check(mkdtemp(folder) != NULL);
    snprintf(value, sizeof value, "%s/%%p.prom", folder);
    snprintf(path, sizeof path, "%s/%d.prom", folder, (int)getpid());
    setenv("MIMALLOC_METRICS", value, 1);
    mi__conf.metrics_interval = 1;
    mi__live_start();
    poll_now();
    size_t length = file_length(path);
    check(length > 2000);
    unlink(path);
    poll_now();
    check_equal(file_length(path), 0);
    wait_ms(1100);
    poll_now();
    check(file_length(path) > 2000);
    mi__conf.metrics_classes = true;
    check(mi__alloc(100) != NULL);
    mi__live_end();
    check(file_length(path) > length + 100);
    unlink(path);
    check(rmdir(folder) == 0); // nothing else is left
    poll_now();
}

static void
a_folder_that_is_not_there_is_no_harm(void)
{
    setenv("MIMALLOC_METRICS", "/nowhere/at/all", 1);
    mi__live_start();
    errno = ERRNO_MARK;
    poll_now();
    mi__live_end();
    check_equal(errno, ERRNO_MARK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(nothing_is_counted_unasked),
        fresh_test(requests_are_answered),
        fresh_test(errors_are_counted),
        fresh_test(the_page_is_shared_when_asked_for),
        fresh_test(a_stale_file_gives_way),
        fresh_test(metrics_are_written),
        fresh_test(a_folder_that_is_not_there_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
