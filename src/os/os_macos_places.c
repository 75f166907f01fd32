// SPDX-License-Identifier: MIT
// os_macos_places.c — the part of the port to macOS about what lies at an address, and calls for files.
//
// Owns:        nothing
// Threads:     any; mi__os_each_module and mi__os_symbol take locks of the loader's
// Invariants:  as in os_macos.c
// Not here:    faults → os_posix_faults.c, files → os_posix.c
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libproc.h>
#include <mach-o/dyld.h>
#include <mach-o/loader.h>
#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/raw_calls.h"

enum { FILE_REGIONS_MAX = 256 }; // of one file, one behind the other

// ---- addresses -----------------------------------------------------------------------------

typedef struct place_t {
    uintptr_t start;
    uintptr_t end;
    bool of_file;
    bool shared;
} place_t;

// What is mapped at `p`; false: nothing.
static bool
ask(uintptr_t p, place_t *place)
{
    mach_vm_address_t start = p;
    mach_vm_size_t size = 0;
    vm_region_extended_info_data_t info;
    mach_msg_type_number_t count = VM_REGION_EXTENDED_INFO_COUNT;
    mach_port_t object = MACH_PORT_NULL;
    // The first region that does not end before `p`.
    if (mach_vm_region(mach_task_self(), &start, &size, VM_REGION_EXTENDED_INFO, (vm_region_info_t)&info,
                       &count, &object) != KERN_SUCCESS ||
        start > p) {
        return false;
    }
    *place = (place_t){.start = start, .end = start + size, .of_file = info.external_pager != 0};
    place->shared = info.share_mode == SM_SHARED || info.share_mode == SM_TRUESHARED;
    return true;
}

static bool
file_at(uintptr_t p, char *name, size_t size)
{
    int length = proc_regionfilename(getpid(), p, name, (uint32_t)size - 1);
    name[length > 0 ? length : 0] = 0;
    return length > 0;
}

os_place_t
mi__os_place(const void *p, char *name, size_t size)
{
    int saved = errno;
    place_t place;
    uintptr_t low = 0;
    uintptr_t high = 0;
    name[0] = 0;
    os_place_t kind = OS_PLACE_NOTHING;
    if (mi__os_stack_widen((uintptr_t)p, &low, &high)) {
        kind = OS_PLACE_STACK;
    } else if (ask((uintptr_t)p, &place)) {
        kind = file_at((uintptr_t)p, name, size) ? OS_PLACE_FILE : OS_PLACE_ANONYMOUS;
    }
    errno = saved;
    return kind;
}

bool
mi__os_is_private(const void *start, size_t size)
{
    uintptr_t end = (uintptr_t)start + size;
    place_t place;
    for (uintptr_t at = (uintptr_t)start; at < end; at = place.end) {
        if (!ask(at, &place) || place.of_file || place.shared) {
            return false;
        }
    }
    return true;
}

bool
mi__os_is_readable(const void *p)
{
    uintptr_t word;
    mach_vm_size_t got = 0;
    return mach_vm_read_overwrite(mach_task_self(), (uintptr_t)p, sizeof word, (uintptr_t)&word, &got) ==
           KERN_SUCCESS;
}

bool
mi__os_stack_widen(uintptr_t here, uintptr_t *low, uintptr_t *high)
{
    uintptr_t end = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
    uintptr_t from = end - pthread_get_stacksize_np(pthread_self());
    if (here < from || here >= end) {
        return false;
    }
    *low = from;
    *high = end;
    return true;
}

// A file's regions lie side by side; the loader's own list would take its lock.
bool
mi__os_module(uintptr_t address, char *name, size_t size, uintptr_t *offset)
{
    int saved = errno;
    place_t place;
    char before[2];
    *offset = 0;
    bool found = ask(address, &place) && file_at(address, name, size);
    if (found) {
        uintptr_t first = place.start;
        for (int i = 0; i < FILE_REGIONS_MAX && ask(first - 1, &place) && place.end == first &&
                        file_at(place.start, before, sizeof before);
             i++) {
            first = place.start;
        }
        *offset = address - first;
    } else {
        name[0] = 0;
    }
    errno = saved;
    return found;
}

// ---- modules -------------------------------------------------------------------------------

// The next command of an image behind `command`, or the first; NULL: there is none.
static const struct load_command *
next_command(const struct mach_header_64 *image, const struct load_command *command)
{
    const char *first = (const char *)(image + 1);
    const char *next = command == NULL ? first : (const char *)command + command->cmdsize;
    return next < first + image->sizeofcmds ? (const struct load_command *)(uintptr_t)next : NULL;
}

static const unsigned char *
id_of(const struct mach_header_64 *image, size_t *length)
{
    const struct load_command *command = next_command(image, NULL);
    while (command != NULL && command->cmd != LC_UUID) {
        command = next_command(image, command);
    }
    const struct uuid_command *id = (const struct uuid_command *)command;
    *length = id == NULL ? 0 : sizeof id->uuid;
    return id == NULL ? NULL : id->uuid;
}

const unsigned char *
mi__os_build_id(uintptr_t base, size_t *length)
{
    const struct mach_header_64 *image = (const struct mach_header_64 *)base; // NOLINT
    return mi__os_is_readable(image) && image->magic == MH_MAGIC_64 ? id_of(image, length) : NULL;
}

void
mi__os_each_module(void (*each)(const os_module_t *module, void *arg), void *arg)
{
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        const struct mach_header_64 *image = (const struct mach_header_64 *)_dyld_get_image_header(i);
        if (image == NULL || image->magic != MH_MAGIC_64) {
            continue; // another thread has just closed it
        }
        os_module_t module = {.base = (uintptr_t)_dyld_get_image_vmaddr_slide(i)};
        module.path = _dyld_get_image_name(i);
        module.build_id = id_of(image, &module.build_id_length);
        for (const struct load_command *command = next_command(image, NULL); command != NULL;
             command = next_command(image, command)) {
            const struct segment_command_64 *segment = (const struct segment_command_64 *)command;
            if (command->cmd == LC_SEGMENT_64 && (segment->initprot & VM_PROT_EXECUTE) != 0) {
                module.start = module.base + segment->vmaddr;
                module.end = module.start + segment->vmsize;
                module.file_offset = segment->fileoff;
                each(&module, arg);
            }
        }
    }
}

// ---- for os_posix.c ------------------------------------------------------------------------

static int
cancel_off(void)
{
    int before = PTHREAD_CANCEL_DISABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

long
mi__os_raw_open(const char *path, int flags, unsigned mode)
{
    int cancel = cancel_off();
    int fd = open(path, flags, mode);
    (void)pthread_setcancelstate(cancel, NULL);
    return fd;
}

long
mi__os_raw_write(int fd, const void *bytes, size_t length)
{
    int cancel = cancel_off();
    ssize_t done = write(fd, bytes, length);
    (void)pthread_setcancelstate(cancel, NULL);
    return done;
}

long
mi__os_raw_close(int fd)
{
    int cancel = cancel_off();
    int failed = close(fd);
    (void)pthread_setcancelstate(cancel, NULL);
    return failed;
}

long
mi__os_raw_unlink(const char *path)
{
    return unlink(path);
}

long
mi__os_raw_rename(const char *from, const char *to)
{
    return rename(from, to);
}
