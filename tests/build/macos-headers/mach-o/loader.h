// SPDX-License-Identifier: MIT
// loader.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_MACH_O_LOADER_H
#define MACOS_MACH_O_LOADER_H

#include <stdint.h>
#define MH_MAGIC_64 0xfeedfacfU
#define LC_SEGMENT_64 0x19
#define LC_UUID 0x1b
struct mach_header_64 {
    uint32_t magic;
    int cputype;
    int cpusubtype;
    uint32_t filetype;
    uint32_t ncmds;
    uint32_t sizeofcmds;
    uint32_t flags;
    uint32_t reserved;
};
struct load_command {
    uint32_t cmd;
    uint32_t cmdsize;
};
struct segment_command_64 {
    uint32_t cmd;
    uint32_t cmdsize;
    char segname[16];
    uint64_t vmaddr;
    uint64_t vmsize;
    uint64_t fileoff;
    uint64_t filesize;
    int maxprot;
    int initprot;
    uint32_t nsects;
    uint32_t flags;
};
struct uuid_command {
    uint32_t cmd;
    uint32_t cmdsize;
    uint8_t uuid[16];
};

#endif
