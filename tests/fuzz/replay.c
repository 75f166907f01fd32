// SPDX-License-Identifier: MIT
// replay.c — runs a fuzz target without a fuzzer: on the files and folders named, and on COUNT inputs that a
// generator makes from SEED.
//
//   fuzz-operations [--random COUNT [SEED]] [FILE|FOLDER]…
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 4096 };

static uint64_t
next_random(uint64_t *state)
{
    // splitmix64, Steele, Lea and Flood 2014
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void
run_random(uint64_t count, uint64_t seed)
{
    static uint8_t bytes[INPUT_MAX];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t state = seed * 1000003 + i;
        size_t size = next_random(&state) % INPUT_MAX;
        for (size_t at = 0; at < size; at++) {
            bytes[at] = (uint8_t)next_random(&state);
        }
        FILE *last = fopen("fuzz-last-input", "wb");
        EXPECT(last != NULL && fwrite(bytes, 1, size, last) == size && fclose(last) == 0);
        (void)LLVMFuzzerTestOneInput(bytes, size);
    }
    printf("%llu random inputs, seed %llu\n", (unsigned long long)count, (unsigned long long)seed);
    remove("fuzz-last-input");
}

static size_t
run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        exit(2);
    }
    static uint8_t bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    return 1;
}

static size_t
run_path(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode)) {
        return run_file(path);
    }
    size_t count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count += entry->d_name[0] == '.' ? 0 : run_file(name);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

int
main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--random") == 0 && i + 1 < argc) {
            uint64_t count = strtoull(argv[++i], NULL, 10);
            bool seeded = i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
            run_random(count, seeded ? strtoull(argv[++i], NULL, 10) : 1);
        } else {
            files += run_path(argv[i]);
        }
    }
    printf("%zu files\n", files);
    return 0;
}
