// SPDX-License-Identifier: MIT
// edges.c — used by edges.sh and cgroup.sh: processes near to a limit, or that do unusual things at
// unusual moments. Each mode is a process of its own: edges MODE [ARGUMENT]; exit status 0 is fine, 77
// can't be tried.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int errno_at_start = -1;
static int errno_in_constructor = -1;
static int failed_in_constructor;
static int at_exit_calls;
static bool is_starved; // on purpose: failures are right

#define EXPECT(cond, ...)                                                                                    \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "edges.c:%d: expected %s: ", __LINE__, #cond);                                   \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fprintf(stderr, " (errno %d)\n", errno);                                                         \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

// A block, or NULL with ENOMEM; its ends are written to.
static char *
get(size_t size)
{
    errno = 0;
    char *p = malloc(size);
    EXPECT(p != NULL || errno == ENOMEM, "%zu bytes", size);
    EXPECT(p == NULL || errno == 0, "errno of a malloc that succeeds");
    if (p != NULL && size > 0) {
        p[0] = 1;
        p[size - 1] = 1;
    }
    return p;
}

static void
give(void *p)
{
    errno = 4321;
    free(p);
    EXPECT(errno == 4321, "errno after free");
}

// Every kind of call; how many failed.
static int
use_all_sizes(void)
{
    static const size_t sizes[] = {1, 16, 100, 1000, 5000, 40000, 70000, 300000, 3 << 20, 20 << 20};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    char *blocks[COUNT];
    int failed = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            blocks[i] = get(sizes[i]);
            char *larger = blocks[i] == NULL ? NULL : realloc(blocks[i], sizes[i] * 2);
            EXPECT(larger == NULL || larger[0] == 1, "realloc of %zu", sizes[i]);
            blocks[i] = larger == NULL ? blocks[i] : larger;
            failed += larger == NULL;
            char *zeroed = calloc(1, sizes[i]);
            EXPECT(zeroed == NULL || (zeroed[0] == 0 && zeroed[sizes[i] - 1] == 0), "calloc of %zu",
                   sizes[i]);
            free(zeroed);
            char *aligned = aligned_alloc(4096, sizes[i]);
            EXPECT(((uintptr_t)aligned & 4095) == 0, "alignment");
            free(aligned);
        }
        for (int i = 0; i < COUNT; i++) {
            give(blocks[i]);
        }
    }
    (void)malloc_trim(0);
    return failed;
}

static void *
use_and_return(void *arg)
{
    (void)arg;
    EXPECT(use_all_sizes() == 0, "a thread has no memory");
    return NULL;
}

// ---- limits -----------------------------------------------------------------------------------

enum { MAX_MAPPINGS = 200000, OS_PAGE = 4096, KEPT = 3000 };

// All mappings but a few are the program's.
static int
mappings(void)
{
    static void *mapped[MAX_MAPPINGS];
    char *kept[KEPT];
    int count = 0;
    free(malloc(100));
    // Neighbours of different access don't join.
    while (count < MAX_MAPPINGS) {
        mapped[count] =
            mmap(NULL, OS_PAGE, count % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped[count] == MAP_FAILED) {
            break;
        }
        count++;
    }
    if (count == MAX_MAPPINGS) {
        return 77;
    }
    for (int round = 0; round < 3; round++) {
        size_t had = 0;
        for (int i = 0; i < KEPT; i++) {
            kept[i] = get((size_t)i * 100 + 1);
            had += kept[i] != NULL;
        }
        printf("mappings: %d used up, %zu of %d blocks then\n", count, had, KEPT);
        for (int i = 0; i < KEPT; i++) {
            give(kept[i]);
        }
        (void)use_all_sizes();
    }
    while (count-- > 0) {
        munmap(mapped[count], OS_PAGE);
    }
    EXPECT(use_all_sizes() == 0, "with mappings to spare again");
    return 0;
}

// The system calls `first` and `second` answer `error` from here on.
static void
forbid(int first, int second, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(77);
    }
}

static int
forbidden(const char *what)
{
    static const struct {
        const char *name;
        int first;
        int second;
        bool must_fail;
    } calls[] = {
        {"madvise", SYS_madvise, SYS_madvise, false},   {"mremap", SYS_mremap, SYS_mremap, false},
        {"mprotect", SYS_mprotect, SYS_mprotect, true}, {"mincore", SYS_mincore, SYS_mincore, false},
        {"mmap", SYS_mmap, SYS_munmap, true},
    };
    bool allocates_first = strchr(what, '+') != NULL;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strncmp(what, calls[i].name, strlen(calls[i].name)) != 0) {
            continue;
        }
        if (allocates_first) {
            EXPECT(use_all_sizes() == 0, "before");
        }
        is_starved = calls[i].must_fail;
        forbid(calls[i].first, calls[i].second, strstr(what, "ENOSYS") != NULL ? ENOSYS : EPERM);
        int failed = use_all_sizes();
        EXPECT(failed == 0 || calls[i].must_fail, "%d calls failed", failed);
        pthread_t thread;
        if (!calls[i].must_fail && pthread_create(&thread, NULL, use_and_return, NULL) == 0) {
            pthread_join(thread, NULL);
        }
        printf("without %s: %d of 30 calls for more memory failed\n", what, failed);
        return 0;
    }
    return 1;
}

// All memory that there is: some blocks fail, with ENOMEM, and the process goes on. Then a live set of
// `live_mib`, whose blocks come and go.
static int
fill_up(size_t live_mib)
{
    enum { BYTES = 100000, MAX_BLOCKS = 100000 };
    static char *blocks[MAX_BLOCKS];
    for (int round = 0; round < 3; round++) {
        size_t count = 0;
        while (count < MAX_BLOCKS && (blocks[count] = get(BYTES)) != NULL) {
            memset(blocks[count++], 1, BYTES);
        }
        EXPECT(count < MAX_BLOCKS, "there is an end");
        printf("filled up with %zu KiB\n", count * (BYTES / 1000));
        while (count > 0) {
            give(blocks[--count]);
            blocks[count] = NULL;
        }
    }
    size_t live = live_mib * 10;
    for (size_t i = 0; i < 100 * live; i++) {
        size_t size = i % 7 == 0 ? 3 * BYTES : BYTES / 2;
        char **slot = &blocks[i * 7919 % live];
        give(*slot);
        *slot = get(size);
        EXPECT(*slot != NULL, "a live set that fits");
        memset(*slot, 1, size);
    }
    return 0;
}

static long
locked_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmRSS: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static int
locked(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        return 77;
    }
    static char *blocks[20000];
    for (size_t i = 0; i < 20000; i++) {
        blocks[i] = get(i % 3000 + 1);
        EXPECT(blocks[i] != NULL, "block %zu", i);
    }
    printf("%ld\n", locked_kib());
    return 0;
}

// ---- threads ----------------------------------------------------------------------------------

static pthread_barrier_t barrier;

static void *
hold_one(void *arg)
{
    char *p = get(64);
    char *q = get(5000);
    EXPECT(p != NULL && q != NULL, "no memory for a thread");
    pthread_barrier_wait(&barrier);
    give(p);
    give(q);
    return arg;
}

static int
many_threads(int count)
{
    pthread_attr_t small;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN));
    for (int round = 0; round < 2; round++) {
        int started = 0;
        pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
        while (started < count && pthread_create(&threads[started], &small, hold_one, NULL) == 0) {
            started++;
        }
        if (started < count) {
            printf("only %d threads at once here\n", started);
            _exit(77);
        }
        long with_all = locked_kib();
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < count; i++) {
            pthread_join(threads[i], NULL);
        }
        printf("%d threads at once: %ld KiB resident\n", count, with_all);
    }
    free(threads);
    EXPECT(use_all_sizes() == 0, "afterwards");
    return 0;
}

static void *
allocate_once(void *arg)
{
    pthread_barrier_wait(&barrier);
    char *p = get(64);
    EXPECT(p != NULL, "no memory for a thread");
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    give(p);
    return arg;
}

// What a thread that has allocated once, and lives on, costs beside its stack.
static int
threads_once(int count)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        EXPECT(pthread_create(&threads[i], NULL, allocate_once, NULL) == 0, "thread %d", i);
    }
    // The stacks are touched when all have come to the first wait.
    pthread_barrier_wait(&barrier);
    long before = locked_kib();
    pthread_barrier_wait(&barrier);
    long each = (locked_kib() - before) * 1024 / count;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
    printf("%d threads that allocated once: %ld bytes each\n", count, each);
    EXPECT(each <= 12 * 1024, "%ld bytes for each thread", each);
    return 0;
}

static int
small_stacks(void)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    EXPECT(pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0, "stack size");
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, &small, use_and_return, NULL) == 0, "thread");
        EXPECT(pthread_join(thread, NULL) == 0, "join");
    }
    return 0;
}

static void
free_on_cancel(void *p)
{
    free(p);
}

static void *
until_cancelled(void *arg)
{
    for (;;) {
        char *p = get(300);
        char *q = get(100000);
        pthread_cleanup_push(free_on_cancel, p);
        pthread_cleanup_push(free_on_cancel, q);
        pthread_testcancel();
        p = NULL;
        pthread_cleanup_pop(1);
        pthread_cleanup_pop(1);
        (void)p;
    }
    return arg;
}

static int
cancelled(void)
{
    for (int round = 0; round < 300; round++) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            EXPECT(pthread_create(&threads[i], NULL, until_cancelled, NULL) == 0, "thread");
        }
        usleep((useconds_t)(round % 10) * 100);
        for (int i = 0; i < 4; i++) {
            void *result;
            pthread_cancel(threads[i]);
            EXPECT(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED, "cancelled");
        }
    }
    EXPECT(use_all_sizes() == 0, "afterwards");
    return 0;
}

static void *
outlive_main(void *arg)
{
    usleep(50000);
    for (int i = 0; i < 20; i++) {
        EXPECT(use_all_sizes() == 0, "after main");
    }
    give(arg);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, use_and_return, NULL) == 0, "a thread after main");
    pthread_join(thread, NULL);
    printf("main: gone, others: fine\n");
    exit(0);
}

static int
main_ends_first(void)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, outlive_main, get(1000)) == 0, "thread");
    pthread_exit(NULL);
}

// ---- start and end ----------------------------------------------------------------------------

__attribute__((constructor(102))) static void
early(void)
{
    errno_in_constructor = errno;
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        char *p = get(size);
        failed_in_constructor += p == NULL;
        give(p);
    }
    errno = errno_in_constructor;
}

__attribute__((destructor)) static void
late(void)
{
    EXPECT(use_all_sizes() == 0 || is_starved, "in a destructor");
}

static void
at_exit(void)
{
    EXPECT(use_all_sizes() == 0, "in atexit");
    at_exit_calls++;
}

static int
start_and_end(void)
{
    EXPECT(errno_at_start == 0, "errno %d when main starts", errno_at_start);
    EXPECT(errno_in_constructor == 0, "errno %d in a constructor", errno_in_constructor);
    EXPECT(failed_in_constructor == 0, "in a constructor");
    // glibc's table has room for 32; then atexit allocates.
    for (int i = 0; i < 200; i++) {
        EXPECT(atexit(at_exit) == 0, "atexit");
    }
    return 0;
}

// ---- children ---------------------------------------------------------------------------------

static int
spawns(void)
{
    extern char **environ;
    char *arguments[] = {"/bin/true", NULL};
    for (int i = 0; i < 50; i++) {
        pid_t child;
        int status;
        EXPECT(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0, "spawn");
        EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
        EXPECT(use_all_sizes() == 0, "after a spawn");
        child = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): what is tested
        if (child == 0) {
            execv(arguments[0], arguments);
            _exit(1);
        }
        EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
        FILE *pipe = popen("true", "r"); // NOLINT(cert-env33-c)
        EXPECT(pipe != NULL && pclose(pipe) == 0, "popen");
    }
    return 0;
}

static atomic_int forks;
static atomic_bool stop;

// What a handler may do: fork, and let the child end.
static void
fork_in_handler(int number)
{
    int saved = errno;
    (void)number;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(0);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        _exit(3);
    }
    atomic_fetch_add(&forks, 1);
    errno = saved;
}

static void *
keep_busy(void *arg)
{
    while (!atomic_load(&stop)) {
        EXPECT(use_all_sizes() == 0, "while others fork");
    }
    return arg;
}

static int
handlers_fork(int wanted)
{
    pthread_t busy;
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    EXPECT(pthread_create(&busy, NULL, keep_busy, NULL) == 0, "thread");
    timer_t timer;
    EXPECT(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0, "timer");
    struct itimerspec times = {.it_value = {.tv_nsec = 1000000}, .it_interval = {.tv_nsec = 3000000}};
    timer_settime(timer, 0, &times, NULL);
    while (atomic_load(&forks) < wanted) {
        EXPECT(use_all_sizes() == 0, "while a handler forks");
    }
    timer_delete(timer);
    atomic_store(&stop, true);
    pthread_join(busy, NULL);
    printf("%d forks by handlers\n", atomic_load(&forks));
    return 0;
}

// Others are inside of stdio, holding its locks, and of malloc.
static void *
keep_printing(void *arg)
{
    FILE *file = arg;
    while (!atomic_load(&stop)) {
        char *text = NULL;
        EXPECT(asprintf(&text, "%p %s", (void *)file, "a line that asprintf allocates") > 0, "asprintf");
        fputs(text, file);
        free(text);
        fflush(NULL);
    }
    return NULL;
}

static int
stdio_forks(int wanted)
{
    pthread_t threads[3];
    FILE *file = fopen("/dev/null", "w");
    EXPECT(file != NULL, "/dev/null");
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_create(&threads[i], NULL, keep_printing, file) == 0, "thread");
    }
    for (int i = 0; i < wanted; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            fprintf(file, "from a child\n");
            fflush(NULL);
            free(malloc(100));
            _exit(0);
        }
        int status = 1;
        EXPECT(waitpid(child, &status, 0) == child && status == 0, "child %d: status %d", i, status);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d forks against stdio\n", wanted);
    return 0;
}

// ---- sizes ------------------------------------------------------------------------------------

static int
huge_alignments(void)
{
    static const size_t sizes[] = {0,
                                   1,
                                   PTRDIFF_MAX,
                                   PTRDIFF_MAX - 1,
                                   PTRDIFF_MAX - 4096,
                                   PTRDIFF_MAX - 65536,
                                   SIZE_MAX,
                                   SIZE_MAX - 1,
                                   SIZE_MAX - 4096,
                                   SIZE_MAX - 65536};
    int tried = 0;
    for (unsigned shift = 46; shift < 64; shift++) {
        size_t align = (size_t)1 << shift;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (int by = -1; by <= 1; by++) {
                void *p = NULL;
                volatile size_t size = sizes[i];
                volatile size_t to = align + (size_t)by;
                int code = posix_memalign(&p, to, size);
                EXPECT(code != 0 || ((uintptr_t)p & (to - 1)) == 0, "alignment %zx, size %zx", to, size);
                EXPECT(code == 0 || ((code == ENOMEM || code == EINVAL) && p == NULL), "code %d", code);
                free(code == 0 ? p : NULL);
                p = aligned_alloc(to, size);
                EXPECT(p == NULL || ((uintptr_t)p & (to - 1)) == 0, "alignment %zx, size %zx", to, size);
                free(p);
                p = memalign(to, size);
                EXPECT(p == NULL || ((uintptr_t)p & (align - 1)) == 0 || by != 0, "alignment %zx", to);
                free(p);
                tried += 3;
            }
        }
    }
    errno = 0;
    volatile size_t most = SIZE_MAX;
    EXPECT(pvalloc(most) == NULL && errno == ENOMEM, "pvalloc(SIZE_MAX)");
    printf("%d sizes and alignments\n", tried);
    return 0;
}

int
main(int argc, char **argv)
{
    errno_at_start = errno;
    const char *mode = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    return strcmp(mode, "mappings") == 0     ? mappings()
           : strcmp(mode, "without") == 0    ? forbidden(argv[2])
           : strcmp(mode, "locked") == 0     ? locked()
           : strcmp(mode, "threads") == 0    ? many_threads(number)
           : strcmp(mode, "once") == 0       ? threads_once(number)
           : strcmp(mode, "stacks") == 0     ? small_stacks()
           : strcmp(mode, "cancelled") == 0  ? cancelled()
           : strcmp(mode, "main-ends") == 0  ? main_ends_first()
           : strcmp(mode, "start-end") == 0  ? start_and_end()
           : strcmp(mode, "spawns") == 0     ? spawns()
           : strcmp(mode, "handlers") == 0   ? handlers_fork(number)
           : strcmp(mode, "stdio") == 0      ? stdio_forks(number)
           : strcmp(mode, "alignments") == 0 ? huge_alignments()
           : strcmp(mode, "fill") == 0       ? fill_up((size_t)number)
           : strcmp(mode, "use") == 0        ? use_all_sizes()
                                             : 2;
}
