// SPDX-License-Identifier: MIT
// test_port.c — the port to Windows: each function of os/os.h against the system's own answers.
#include "os/os.h"

#include <windows.h>

#include <time.h>

#include "api_test.h"

#define GIB ((size_t)1 << 30)

static DWORD
access_of(const void *p)
{
    MEMORY_BASIC_INFORMATION at;
    EXPECT(VirtualQuery(p, &at, sizeof at) != 0);
    return at.State == MEM_FREE ? 0 : at.State == MEM_RESERVE ? 1 : at.Protect;
}

static void
test_facts(void)
{
    mi__os_init();
    EXPECT(mi__os_page_size() == 4096);
    EXPECT(mi__os_cheap_reserve() >= 16 * GIB);
    EXPECT(strcmp(mi__os_program_name(), "test_port.exe") == 0);
    EXPECT(mi__os_process_id() == (long)GetCurrentProcessId());
    EXPECT(mi__os_thread_id() == (long)GetCurrentThreadId());
    EXPECT(mi__os_is_main_thread() && mi__os_thread_self() != 0);
    EXPECT(mi__os_is_single_threaded());
    EXPECT(mi__os_numa_nodes() == 1 && mi__os_numa_node() == 0);
    EXPECT(mi__os_random() != mi__os_random());
    int64_t before = mi__os_clock_ms();
    mi__os_sleep_ms(50);
    int64_t slept = mi__os_clock_ms() - before;
    EXPECT(slept >= 30 && slept < 60000);
    EXPECT(mi__os_wall_ns() / 1000000000 - (int64_t)time(NULL) <= 1);
    EXPECT((int64_t)time(NULL) - mi__os_wall_ns() / 1000000000 <= 1);
    os_usage_t usage;
    mi__os_usage(&usage);
    EXPECT(usage.resident_bytes > 100000 && usage.peak_resident_bytes >= usage.resident_bytes / 2);
    EXPECT(usage.elapsed_ms >= slept);
}

static void
test_memory(void)
{
    static const size_t aligns[] = {4096, 65536, 1 << 22, 1 << 30};
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        size_t size = (size_t)8 << 20;
        char *p = (char *)mi__os_reserve(size, aligns[i]);
        EXPECT(p != NULL && is_aligned(p, aligns[i]));
        EXPECT(access_of(p) == 1 && access_of(p + size - 1) == 1);
        EXPECT(!mi__os_is_readable(p));
        EXPECT(mi__os_commit(p, 1 << 20));
        EXPECT(access_of(p) == PAGE_READWRITE && access_of(p + (1 << 20)) == 1);
        EXPECT(p[0] == 0 && p[(1 << 20) - 1] == 0 && mi__os_is_readable(p));
        memset(p, 1, 1 << 20);
        EXPECT(mi__os_commit(p, 2 << 20) && p[5000] == 1 && p[(2 << 20) - 1] == 0);
        EXPECT(mi__os_purge(p + 4096, 8192));
        EXPECT(p[4095] == 1 && p[4096] == 0 && p[4096 + 8191] == 0 && p[4096 + 8192] == 1);
        p[4096] = 2;
        EXPECT(mi__os_renew(p + 4096, 4096) && p[4096] == 0);
        EXPECT(mi__os_protect(p, 4096) && access_of(p) == PAGE_NOACCESS && !mi__os_is_readable(p));
        EXPECT(mi__os_unprotect(p, 4096) && p[0] == 1);
        EXPECT(!mi__os_move(p, p + 65536, 65536) && p[0] == 1);
        EXPECT(mi__os_is_private(p, 2 << 20));
        mi__os_populate(p, 4096);
        mi__os_advise_huge(p, 1 << 20, true);
        // A part only loses its memory, the whole goes.
        mi__os_unreserve(p, 65536);
        EXPECT(access_of(p) == 1 && p[65536] == 1);
        mi__os_unreserve(p, size);
        EXPECT(access_of(p) == 0 && access_of(p + size - 1) == 0);
    }
    EXPECT(mi__os_reserve(opaque(SIZE_MAX / 2), 65536) == NULL);
    EXPECT(mi__os_reserve(opaque(SIZE_MAX - 65535), 1 << 22) == NULL);
    EXPECT(mi__os_reserve(opaque(0), 1 << 22) == NULL);
    EXPECT(mi__os_map_huge(1 << 21, 21, -1) == NULL);
    os_calls_t calls;
    mi__os_calls(&calls);
    EXPECT(calls.reserve >= 4 && calls.commit == 8 && calls.purge == 8);
}

static void
count_entry(const char *entry, void *arg)
{
    *(int *)arg += strcmp(entry, "MIMALLOC_TEST_ONE=first") == 0;
}

static void
test_environment(void)
{
    // The copy is made at the first question.
    EXPECT(_putenv("MIMALLOC_TEST_ONE=first") == 0 && _putenv("NOT_MIMALLOC_TEST=third") == 0);
    int found = 0;
    EXPECT(mi__os_env_ready());
    mi__os_each_env("mimalloc_TEST_", count_entry, &found);
    EXPECT(found == 1);
    const char *value = mi__os_getenv("mimalloc_test_ONE");
    EXPECT(value != NULL && strcmp(value, "first") == 0);
    EXPECT(_putenv("MIMALLOC_TEST_ONE=later") == 0);
    value = mi__os_getenv("MIMALLOC_TEST_ONE");
    EXPECT(value != NULL && strcmp(value, "later") == 0);
    EXPECT(mi__os_getenv("MIMALLOC_TEST") == NULL && mi__os_getenv("MIMALLOC_TEST_THREE") == NULL);
}

static void
test_places(void)
{
    char name[300];
    int on_stack = 0;
    EXPECT(mi__os_place(&on_stack, name, sizeof name) == OS_PLACE_STACK);
    EXPECT(mi__os_place((const void *)(uintptr_t)test_places, name, sizeof name) == OS_PLACE_FILE);
    EXPECT(strstr(name, "test_port.exe") != NULL);
    EXPECT(!mi__os_is_private((const void *)(uintptr_t)test_places, 1));
    EXPECT(mi__os_place((const void *)(uintptr_t)16, name, sizeof name) == OS_PLACE_NOTHING && name[0] == 0);
    void *p = mi__os_reserve(65536, 65536);
    EXPECT(mi__os_place(p, name, sizeof name) == OS_PLACE_ANONYMOUS);
    mi__os_unreserve(p, 65536);
    uintptr_t offset = 0;
    EXPECT(mi__os_module((uintptr_t)test_places, name, sizeof name, &offset));
    EXPECT((uintptr_t)test_places - offset == (uintptr_t)GetModuleHandleA(NULL));
    EXPECT(!mi__os_module((uintptr_t)&on_stack, name, sizeof name, &offset) && name[0] == 0);
    EXPECT(mi__os_is_readable(&on_stack) && !mi__os_is_readable(NULL));
    uintptr_t low = 0;
    uintptr_t high = 0;
    EXPECT(mi__os_stack_widen((uintptr_t)&on_stack, &low, &high));
    EXPECT(low <= (uintptr_t)&on_stack && high > (uintptr_t)&on_stack);
    EXPECT(!mi__os_stack_widen((uintptr_t)test_places, &low, &high));
}

static int own_modules;

static void
take_module(const os_module_t *module, void *arg)
{
    own_modules += (uintptr_t)arg >= module->start && (uintptr_t)arg < module->end;
}

static char *guard;
static const char *fault_access;

static bool
take_fault(const os_fault_t *fault)
{
    if ((const char *)fault->address != guard + 100) {
        return false;
    }
    fault_access = fault->access;
    EXPECT(fault->pc != 0);
    return mi__os_unprotect(guard, 4096);
}

static void
test_faults(void)
{
    mi__os_each_module(take_module, (void *)(uintptr_t)test_faults);
    EXPECT(own_modules == 1);
    guard = (char *)mi__os_reserve(65536, 65536);
    EXPECT(mi__os_commit(guard, 4096) && mi__os_protect(guard, 4096));
    mi__os_on_fault(take_fault);
    *(volatile char *)(guard + 100) = 7;
    EXPECT(fault_access != NULL); // some machines that wine runs on can't tell a write
    EXPECT(mi__os_protect(guard, 4096));
    EXPECT(*(volatile char *)(guard + 100) == 7);
    EXPECT(strcmp(fault_access, "read") == 0);
    mi__os_unreserve(guard, 65536);
}

static void
test_files(void)
{
    char folder[MAX_PATH];
    char first[MAX_PATH + 20];
    char second[MAX_PATH + 20];
    EXPECT(GetTempPathA(sizeof folder, folder) > 0);
    sprintf(first, "%smimalloc-port-%ld.tmp", folder, mi__os_process_id());
    sprintf(second, "%smimalloc-port-%ld.txt", folder, mi__os_process_id());
    EXPECT_SILENT(mi__os_unlink(first));
    int fd = mi__os_create(first);
    EXPECT(fd >= 0 && mi__os_create(first) == -EEXIST);
    EXPECT_SILENT(EXPECT(mi__os_write(fd, "one\ntwo\n", 8)));
    EXPECT(mi__os_publish(fd, first, second, true));
    char text[20] = "";
    FILE *file = fopen(second, "rb");
    EXPECT(file != NULL && fread(text, 1, sizeof text, file) == 8 && strcmp(text, "one\ntwo\n") == 0);
    fclose(file);
    fd = mi__os_create(first);
    EXPECT(fd >= 0 && !mi__os_publish(fd, first, second, false));
    EXPECT(GetFileAttributesA(first) == INVALID_FILE_ATTRIBUTES);
    mi__os_unlink(second);
    EXPECT(GetFileAttributesA(second) == INVALID_FILE_ATTRIBUTES);
    EXPECT(mi__os_share(first, 4096) == NULL);
}

// ---- threads

static _Atomic(uint32_t) word;
static void *ended_with;

static void
at_exit(void *arg)
{
    ended_with = arg;
}

static DWORD WINAPI
run_thread(void *arg)
{
    EXPECT(!mi__os_is_main_thread());
    mi__os_thread_on_exit(&word);
    mi__os_thread_on_exit(arg);
    while (word == 1) {
        mi__os_wait(&word, 1, 60000);
    }
    return 0;
}

static void
raise_word(void)
{
    word = 3;
    mi__os_wake(&word);
}

static void
test_threads(void)
{
    int mark;
    EXPECT(mi__os_thread_exit_init(at_exit));
    word = 1;
    HANDLE thread = CreateThread(NULL, 0, run_thread, &mark, 0, NULL);
    EXPECT(thread != NULL);
    mi__os_sleep_ms(50);
    EXPECT(ended_with == NULL);
    word = 2;
    mi__os_wake(&word);
    EXPECT(WaitForSingleObject(thread, 60000) == WAIT_OBJECT_0);
    EXPECT(ended_with == &mark);
    CloseHandle(thread);
    EXPECT(!mi__os_is_single_threaded());
    int64_t before = mi__os_clock_ms();
    mi__os_wait(&word, 2, 50);
    EXPECT(mi__os_clock_ms() - before >= 30);
    mi__os_wait(&word, 1, 60000); // another value: no wait
    EXPECT(mi__os_start_helper(raise_word));
    while (word == 2) {
        mi__os_wait(&word, 2, 1000);
        mi__os_yield();
    }
    EXPECT(word == 3);
}

int
main(void)
{
    test_facts();
    test_memory();
    test_environment();
    test_places();
    test_faults();
    test_files();
    test_threads();
    mi__os_write_error("", 0);
    return API_DONE();
}
