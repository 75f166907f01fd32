// SPDX-License-Identifier: MIT
// options.c — the environment of a process: variables with the names of options, or nearly so, and values
// of any bytes. The library reads it once, so that each input is tried in a child.
// args: --random 200
#include <mimalloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "front/options.h"
#include "front/report.h"
#include "fuzz.h"

enum { ENTRY_MAX = 200, ENTRIES = 8 };

static size_t said;

static void
count_text(const char *text, void *arg)
{
    (void)arg;
    // Whole lines, in characters that a terminal shows.
    size_t length = strlen(text);
    EXPECT(length > 0 && text[length - 1] == '\n');
    for (size_t i = 0; i < length; i++) {
        EXPECT(text[i] == '\n' || (unsigned char)text[i] >= ' ');
    }
    said += length;
}

static size_t
append(char *entry, size_t at, const char *text)
{
    for (; *text != 0 && at < ENTRY_MAX - 1; text++) {
        entry[at++] = *text;
    }
    return at;
}

// One variable: the name of an option, perhaps with a letter changed or in another case, and its value.
static void
make_entry(char *entry, input_t *input)
{
    static const char *const values[] = {
        "0", "1", "-1", "on", "no", "TRUE", "64K", "1gib", "9999999999999999999", ""};
    size_t at = append(entry, 0, "MIMALLOC_");
    const option_t *option = &mi__options[take(input, 1) % mi__options_count];
    size_t name = at;
    at = append(entry, at, option->name);
    unsigned twist = (unsigned)take(input, 1);
    for (size_t i = name; i < at && twist % 4 != 0; i++) {
        entry[i] = (char)(entry[i] >= 'a' && entry[i] <= 'z' ? entry[i] - 'a' + 'A' : entry[i]);
    }
    if (twist % 8 == 7) {
        entry[name + twist / 8 % (at - name)] = (char)(take(input, 1) % 255 + 1);
    }
    at = append(entry, at, twist % 16 == 5 ? "" : "=");
    if (twist % 3 != 0) {
        at = append(entry, at, values[take(input, 1) % (sizeof values / sizeof *values)]);
    }
    for (size_t more = twist % 3 == 1 ? 0 : (size_t)take(input, 1) % 80; more > 0 && at < ENTRY_MAX - 1;
         more--) {
        entry[at++] = (char)(take(input, 1) % 255 + 1);
    }
    entry[at] = 0;
}

static void
try_environment(const uint8_t *data, size_t size)
{
    static char entries[ENTRIES][ENTRY_MAX];
    input_t input = {data, size};
    clearenv();
    for (int i = 0; i < ENTRIES && input.left > 0; i++) {
        make_entry(entries[i], &input);
        (void)putenv(entries[i]);
    }
    mi_register_output(count_text, NULL);
    mi__options_load();
    for (size_t i = 0; i < mi__options_count; i++) {
        const option_t *option = &mi__options[i];
        long value = mi__options_get(option);
        EXPECT(value >= option->min && value <= option->max);
    }
    // And the library works with what it was told, or says that there is no memory.
    for (size_t bytes = 1; bytes < 1 << 22; bytes *= 3) {
        void *p = mi_zalloc(bytes);
        EXPECT(p != NULL || errno == ENOMEM);
        mi_free(p);
    }
    EXPECT(said < 64 * 1024);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        alarm(60);
        try_environment(data, size);
        _exit(0);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    return 0;
}
