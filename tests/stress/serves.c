// SPDX-License-Identifier: MIT
// serves.c — a server's pattern: load, idle, load, idle. Later loads fault in less than half of what they do
// when memory is purged at once, and when idle the process holds as little.
// serial: yes
// timeout: 300
//
//   serves           runs itself with both delays, with one thread and with two
//   serves load N    one run, with N threads: the page faults of the later loads
#include "harness.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum {
    BLOCKS = 4000,
    ROUNDS = 20,
    LOADS = 3,
    IDLE_US = 1300000,
    ONE_LEFT_KIB = 40 * 1000,
    TWO_LEFT_KIB = 4000
};

static void *blocks[BLOCKS];

static long
faults_now(void)
{
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return usage.ru_minflt;
}

static void
serve(void)
{
    uint64_t random = random_seed(1);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            size_t size = 1000 + random_below(&random, 20000);
            blocks[i] = t_malloc(size);
            EXPECT(blocks[i] != NULL, "%zu bytes", size);
            memset(blocks[i], 1, size);
        }
        for (int i = 0; i < BLOCKS; i++) {
            t_free(blocks[i]);
        }
    }
}

static void *
sleep_on(void *arg)
{
    for (;;) {
        pause();
    }
    return arg;
}

static int
run_loads(int threads)
{
    if (threads > 1) {
        (void)thread_start(sleep_on, NULL);
    }
    long before = resident_kib();
    long faults = 0;
    for (int i = 0; i < LOADS; i++) {
        long start = faults_now();
        serve();
        faults += i > 0 ? faults_now() - start : 0;
        usleep(IDLE_US);
        long left = resident_kib() - before;
        EXPECT(left <= (threads > 1 ? TWO_LEFT_KIB : ONE_LEFT_KIB), "%ld KiB when idle", left);
    }
    printf("%ld\n", faults);
    return 0;
}

// The faults that a run of this program with another delay counts.
static long
faults_of(char *self, const char *delay, const char *threads)
{
    int ends[2];
    EXPECT(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("MIMALLOC_PURGE_DELAY", delay, 1);
        execl(self, self, "load", threads, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    char text[32] = "";
    ssize_t length = read(ends[0], text, sizeof text - 1);
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0 && length > 0, "status %x", (unsigned)status);
    close(ends[0]);
    return atol(text);
}

int
main(int argc, char **argv)
{
    if (argc > 2) {
        return run_loads(atoi(argv[2]));
    }
    for (int threads = 1; threads <= 2; threads++) {
        const char *text = threads == 1 ? "1" : "2";
        long decaying = faults_of(argv[0], "400", text);
        long at_once = faults_of(argv[0], "0", text);
        printf("serves: %d threads: %ld faults in later loads, %ld when purged at once\n", threads, decaying,
               at_once);
        fflush(stdout);
        EXPECT(decaying <= at_once / 2, "%ld faults", decaying);
    }
    return 0;
}
