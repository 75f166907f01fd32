// SPDX-License-Identifier: MIT
// dyld.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_MACH_O_DYLD_H
#define MACOS_MACH_O_DYLD_H

#include <stdint.h>
struct mach_header;
uint32_t _dyld_image_count(void);
const struct mach_header *_dyld_get_image_header(uint32_t);
intptr_t _dyld_get_image_vmaddr_slide(uint32_t);
const char *_dyld_get_image_name(uint32_t);

#endif
