// SPDX-License-Identifier: MIT
// top.c — mimalloc top: heaps of processes as they change.
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "model.h"
#include "site_reader.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
    "Usage: mimalloc top [OPTIONS] [PID…]\n"
    "Shows what the heaps of processes hold and how fast they allocate; without PID, of all processes of "
    "this user\n"
    "that have the library. Of one process also by size class and by thread. The processes do not notice.\n\n"
    "  -d, --delay=SECONDS  between two looks (1)\n"
    "  -n, --times=N        looks; for ever on a terminal, else 1, unless given\n"
    "      --json           as JSON, one object a look\n"
    "  -h, --help\n\n"
    "Keys on a terminal: q ends, s sorts by live bytes, allocations or full, p asks the processes to give "
    "back what\n"
    "is free, r starts and stops to take samples: then the calls that hold most are shown, too.\n\n"
    "Exit status: 0 done; 1 there is no such process, no right to read it, or no libmimalloc in it; 2 wrong "
    "use.\n\n"
    "Examples:\n"
    "  mimalloc top $(pidof redis-server)\n"
    "  mimalloc top -n 60 --json 1234 >log\n";

enum { PROCESSES_MAX = 256, ROWS_WITHOUT_TERMINAL = 100, BAR = 24 };

typedef enum order_t { BY_LIVE, BY_RATE, BY_ROOM, ORDERS } order_t;

typedef struct process_t {
    char *name;
    model_t *now;
    uint64_t before[MODEL_CLASSES_MAX]; // blocks allocated at the last look
    uint64_t rates[MODEL_CLASSES_MAX];  // a second
    uint64_t rate;
    symbols_t *symbols; // once calls were shown
    bool seen;
} process_t;

typedef struct top_t {
    process_t processes[PROCESSES_MAX];
    unsigned count;
    double delay;
    order_t order;
    bool on_terminal;
    bool as_json;
    bool found; // by the tool itself
    unsigned rows;
} top_t;

static struct termios saved_terminal;

static void
restore_terminal(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
}

static void
end_by_signal(int number)
{
    (void)number;
    exit(EXIT_DONE);
}

static void
take_terminal(void)
{
    tcgetattr(STDIN_FILENO, &saved_terminal);
    atexit(restore_terminal);
    signal(SIGINT, end_by_signal);
    signal(SIGTERM, end_by_signal);
    struct termios raw = saved_terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stdout);
}

// ---- looking

static bool
has_library(const char *pid)
{
    char *path = format_new("/proc/%s/maps", pid);
    FILE *maps = fopen(path, "re");
    char line[512];
    bool found = false;
    free(path);
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
        found = strstr(line, "/libmimalloc") != NULL;
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return found;
}

static void
find_processes(top_t *top)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[strspn(entry->d_name, "0123456789")] == 0 && top->count < PROCESSES_MAX &&
            has_library(entry->d_name)) {
            top->processes[top->count++].name = strdup(entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static bool
look(process_t *process, double seconds, bool may_go)
{
    if (process->now != NULL) {
        target_close((target_t *)(uintptr_t)process->now->target);
        model_free(process->now);
    }
    const char *why;
    target_t *target = may_go ? target_try_process(process->name) : target_open(process->name);
    process->now = !may_go          ? model_read(target, false)
                   : target == NULL ? NULL
                                    : model_try(target, false, &why);
    if (process->now == NULL) {
        if (target != NULL) {
            target_close(target);
        }
        return false;
    }
    process->rate = 0;
    for (unsigned i = 0; i <= process->now->layout.class_count; i++) {
        uint64_t allocated = process->now->classes[i].allocated;
        uint64_t more = process->seen && allocated > process->before[i] ? allocated - process->before[i] : 0;
        process->rates[i] = (uint64_t)((double)more / seconds);
        process->rate += process->rates[i];
        process->before[i] = allocated;
    }
    process->seen = true;
    return true;
}

// Those that the tool has found by itself may go, or be of another version; those that were named must not.
static void
look_at_all(top_t *top)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < top->count; i++) {
        if (look(&top->processes[i], top->delay, top->found)) {
            top->processes[kept++] = top->processes[i];
        }
    }
    top->count = kept;
    if (kept == 0) {
        fail(EXIT_FAILED, "no process of this user has this libmimalloc: start one with `mimalloc run`");
    }
}

// ---- showing

static void
name_of(const char *pid, char name[32])
{
    char *path = format_new("/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    free(path);
    name[0] = 0;
    if (file != NULL) {
        if (fgets(name, 32, file) == NULL) {
            name[0] = 0;
        }
        fclose(file);
    }
    name[strcspn(name, "\n")] = 0;
}

static void
print_process(const process_t *process)
{
    char name[32];
    bytes_text_t texts[5];
    const model_t *model = process->now;
    name_of(process->name, name);
    uint64_t full =
        model->total.page_bytes == 0 ? 0 : model->total.live_bytes * 100 / model->total.page_bytes;
    printf("%8s %-16.16s%12s%12s%6llu%%%12s%12s%12s%9llu%12llu\n", process->name, name,
           bytes_text(&texts[0], model->total.live_bytes), bytes_text(&texts[1], model->total.page_bytes),
           (unsigned long long)full, bytes_text(&texts[2], model->resident_bytes),
           bytes_text(&texts[3], model->purgeable_bytes), bytes_text(&texts[4], model->committed_bytes),
           (unsigned long long)model->threads, (unsigned long long)process->rate);
}

static uint64_t
key_of(const process_t *process, unsigned class, order_t order)
{
    const class_model_t *row = &process->now->classes[class];
    return order == BY_LIVE   ? row->live_bytes
           : order == BY_RATE ? process->rates[class]
                              : row->page_bytes - row->live_bytes;
}

// The classes that matter most, with bars for what they hold.
static void
print_classes(const process_t *process, order_t order, unsigned rows)
{
    static const char *const names[ORDERS] = {"live bytes", "allocations", "room"};
    const model_t *model = process->now;
    bool done[MODEL_CLASSES_MAX] = {false};
    printf("\n%12s%12s%12s%12s%14s  by %s\n", "block size", "live", "live bytes", "page bytes", "allocated/s",
           names[order]);
    uint64_t most = 0;
    for (unsigned n = 0; n < rows; n++) {
        int best = -1;
        for (unsigned i = 0; i <= model->layout.class_count; i++) {
            bool shown = model->classes[i].pages != 0 || process->rates[i] != 0;
            if (!done[i] && shown &&
                (best < 0 || key_of(process, i, order) > key_of(process, (unsigned)best, order))) {
                best = (int)i;
            }
        }
        if (best < 0) {
            return;
        }
        const class_model_t *row = &model->classes[best];
        uint64_t key = key_of(process, (unsigned)best, order);
        bytes_text_t a;
        bytes_text_t b;
        char size[24] = "larger";
        done[best] = true;
        most = n == 0 ? key : most;
        if (row->block_size != 0) {
            snprintf(size, sizeof size, "%llu B", (unsigned long long)row->block_size);
        }
        printf("%12s%12llu%12s%12s%14llu  ", size, (unsigned long long)row->live,
               bytes_text(&a, row->live_bytes), bytes_text(&b, row->page_bytes),
               (unsigned long long)process->rates[best]);
        for (uint64_t i = 0; most > 0 && i < (key * BAR + most - 1) / most; i++) {
            putchar('#');
        }
        putchar('\n');
    }
}

static void
print_threads(const model_t *model, unsigned rows)
{
    bytes_text_t a;
    bytes_text_t b;
    printf("\n%12s%12s%12s\n", "thread", "live bytes", "page bytes");
    for (size_t i = 0; i < model->owner_count && rows > 0; i++) {
        const owner_model_t *owner = &model->owners[i];
        if (owner->pages > 0) {
            char name[16];
            snprintf(name, sizeof name, "%u", owner->thread);
            printf("%12s%12s%12s\n",
                   i == 0               ? "(large)"
                   : owner->thread == 0 ? "(ended)"
                                        : name,
                   bytes_text(&a, owner->live_bytes), bytes_text(&b, owner->page_bytes));
            rows--;
        }
    }
}

// Heaps that the program made, where there are some.
static void
print_heaps(const model_t *model, unsigned rows)
{
    bytes_text_t a;
    bytes_text_t b;
    if (model->heaps < 2) {
        return;
    }
    printf("\n%18s%12s%12s\n", "heap", "live bytes", "page bytes");
    for (size_t i = 1; i < model->owner_count && rows > 0; i++) {
        uint64_t heap = model->owners[i].heap;
        uint64_t live = 0;
        uint64_t all = 0;
        bool told = false;
        for (size_t k = 1; k < model->owner_count; k++) {
            const owner_model_t *owner = &model->owners[k];
            told = told || (owner->heap == heap && k < i);
            live += owner->heap == heap ? owner->live_bytes : 0;
            all += owner->heap == heap ? owner->page_bytes : 0;
        }
        if (!told && all > 0) {
            printf("%#18llx%12s%12s\n", (unsigned long long)heap, bytes_text(&a, live), bytes_text(&b, all));
            rows--;
        }
    }
}

// While samples are taken: the calls that hold most of what was allocated since.
static void
print_calls(process_t *process, unsigned rows)
{
    uint64_t rate = sites_rate(process->now);
    bytes_text_t text;
    if (rate == 0) {
        return;
    }
    if (process->symbols == NULL) {
        process->symbols = symbols_new();
        symbols_add_target(process->symbols, process->now->target);
    }
    printf("\n%12s  call, one sample in %s\n", "in use", bytes_text(&text, rate));
    stacks_t *stacks = sites_read(process->now, process->symbols, NULL);
    if (stacks == NULL) {
        return;
    }
    int64_t *sums = get_memory(stacks->frame_count, sizeof *sums);
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const frame_t *frame = stacks_own_frame(stacks, &stacks->traces[i]);
        sums[frame - stacks->frames] += stacks->traces[i].values[stacks->shown];
    }
    for (; rows > 0; rows--) {
        size_t best = 0;
        for (size_t i = 1; i < stacks->frame_count; i++) {
            best = sums[i] > sums[best] ? i : best;
        }
        if (sums[best] <= 0) {
            break;
        }
        char *name = stacks_frame_text(&stacks->frames[best]);
        printf("%12s  %s\n", bytes_text(&text, (uint64_t)sums[best]), name);
        free(name);
        sums[best] = 0;
    }
    free(sums);
    stacks_free(stacks);
}

static void
print_json(const top_t *top)
{
    json_t json = {.to = stdout};
    json_begin(&json, NULL, '{');
    json_begin(&json, "processes", '[');
    for (unsigned i = 0; i < top->count; i++) {
        const process_t *process = &top->processes[i];
        const model_t *model = process->now;
        json_begin(&json, NULL, '{');
        json_text(&json, "pid", process->name);
        json_number(&json, "live_bytes", model->total.live_bytes);
        json_number(&json, "page_bytes", model->total.page_bytes);
        json_number(&json, "resident_bytes", model->resident_bytes);
        json_number(&json, "purgeable_bytes", model->purgeable_bytes);
        json_number(&json, "committed_bytes", model->committed_bytes);
        json_number(&json, "threads", model->threads);
        json_number(&json, "allocations", model->total.allocated);
        json_number(&json, "allocations_per_second", process->rate);
        json_number(&json, "heaps", model->heaps);
        json_number(&json, "one_sample_in", sites_rate(model));
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
    fflush(stdout);
}

static void
show(top_t *top)
{
    if (top->as_json) {
        print_json(top);
        return;
    }
    if (top->on_terminal) {
        fputs("\033[H\033[2J", stdout);
    }
    printf("%8s %-16s%12s%12s%7s%12s%12s%12s%9s%12s\n", "pid", "program", "live", "in pages", "full",
           "resident", "purgeable", "committed", "threads", "allocs/s");
    for (unsigned i = 0; i < top->count; i++) {
        print_process(&top->processes[i]);
    }
    if (top->count == 1) {
        unsigned half = top->rows > 20 ? (top->rows - 10) / 2 : 5;
        bool samples = sites_rate(top->processes[0].now) != 0;
        half = samples && top->on_terminal ? half * 2 / 3 : half;
        print_classes(&top->processes[0], top->order, half);
        print_calls(&top->processes[0], half);
        print_heaps(top->processes[0].now, half);
        print_threads(top->processes[0].now, half);
    }
    fflush(stdout);
}

// ---- waiting

// An idle process does it when it allocates the next time.
static void
ask_all(const top_t *top, uint32_t request)
{
    mi_live_t live;
    for (unsigned i = 0; i < top->count; i++) {
        (void)model_ask(top->processes[i].now, request, &live);
    }
}

// True: go on.
static bool
wait_for_key(top_t *top)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (poll(&keys, top->on_terminal ? 1 : 0, (int)(top->delay * 1000)) > 0 &&
        read(STDIN_FILENO, &key, 1) == 1) {
        if (key == 's') {
            top->order = (top->order + 1) % ORDERS;
        } else if (key == 'p') {
            ask_all(top, MI_LIVE_PURGE);
        } else if (key == 'r') {
            bool on = sites_rate(top->processes[0].now) != 0;
            ask_all(top, on ? MI_LIVE_STOP_PROFILE : MI_LIVE_START_PROFILE);
        }
    }
    return key != 'q';
}

int
verb_top(int argc, char **argv)
{
    static top_t top = {.delay = 1, .rows = ROWS_WITHOUT_TERMINAL};
    unsigned times = 0;
    const argument_t table[] = {
        {"delay", 'd', required_argument, .number = &top.delay, .least = 0.01, .most = 86400},
        {"times", 'n', required_argument, .whole = &times, .least = 1},
        {"json", 0, no_argument, .flag = &top.as_json},
    };
    char **names = arguments_read(
        argc, argv, &(arguments_t){help, table, 3, "no more processes", 0, PROCESSES_MAX, NULL});
    for (; *names != NULL; names++) {
        top.processes[top.count++].name = *names;
    }
    if (top.count == 0) {
        top.found = true;
        find_processes(&top);
    }
    struct winsize size;
    top.on_terminal = !top.as_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (top.on_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
        top.rows = size.ws_row;
    }
    bool for_ever = times == 0 && top.on_terminal;
    look_at_all(&top);
    if (top.on_terminal) {
        take_terminal();
    }
    // Rates need a second look.
    for (unsigned n = 0; for_ever || n < (times == 0 ? 1 : times); n++) {
        if (!wait_for_key(&top)) {
            break;
        }
        look_at_all(&top);
        show(&top);
    }
    return EXIT_DONE;
}
