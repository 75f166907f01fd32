// SPDX-License-Identifier: MIT
// test_os_files.c — os/os_posix.c, os/os_linux_files.c: files come into being whole, no links are followed.
#include "fresh.h"

#include <sys/stat.h>

#include "os/os.h"

static char folder[] = "/tmp/mimalloc-files-XXXXXX";
static char temporary[64];
static char path[64];

static void
in_a_folder(void)
{
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    check(mkdtemp(folder) != NULL);
    snprintf(temporary, sizeof temporary, "%s/file.new", folder);
    snprintf(path, sizeof path, "%s/file", folder);
    errno = ERRNO_MARK;
}

static void
is_left(bool file)
{
    check_equal(errno, ERRNO_MARK);
    check((unlink(path) == 0) == file);
    check(rmdir(folder) == 0);
}

static void
a_file_is_written_as_a_whole(void)
{
    in_a_folder();
    for (int i = 0; i < 2; i++) {
        int file = mi__os_create(temporary);
        check(file >= 0);
        check(mi__os_write(file, "some text", 9));
        check((access(path, F_OK) == 0) == (i > 0));
        errno = ERRNO_MARK;
        check(mi__os_publish(file, temporary, path, true));
    }
    struct stat about;
    check(stat(path, &about) == 0 && about.st_size == 9 && (about.st_mode & 0777) == 0644);
    is_left(true);
}

static void
what_is_not_whole_is_dropped(void)
{
    in_a_folder();
    int file = mi__os_create(temporary);
    check(!mi__os_publish(file, temporary, path, false));
    check(mi__os_create("/nowhere/at/all") < 0);
    check(!mi__os_write(-1, "x", 1));
    is_left(false);
}

static void
links_are_not_followed(void)
{
    in_a_folder();
    check(symlink(path, temporary) == 0);
    check(mi__os_create(temporary) < 0 && access(path, F_OK) != 0);
    errno = ERRNO_MARK;
    mi__os_unlink(temporary);
    check(mi__os_create(temporary) >= 0);
    mi__os_unlink(temporary);
    check(mkdir(path, 0700) == 0);
    check(mi__os_share(path, 4096) == NULL);
    check(rmdir(path) == 0);
    is_left(false);
}

static void
a_shared_file_is_the_user_s_own(void)
{
    in_a_folder();
    umask(0);
    char *p = mi__os_share(path, 4096);
    check(p != NULL && is_zero(p, 4096));
    struct stat about;
    check(stat(path, &about) == 0 && about.st_size == 4096 && (about.st_mode & 0777) == 0600);
    p[4095] = 1;
    char *again = mi__os_share(path, 4096);
    check(again != NULL && again != p && again[4095] == 0);
    mi__os_unlink(path);
    is_left(false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        fresh_test(a_file_is_written_as_a_whole),
        fresh_test(what_is_not_whole_is_dropped),
        fresh_test(links_are_not_followed),
        fresh_test(a_shared_file_is_the_user_s_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
