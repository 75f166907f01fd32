// SPDX-License-Identifier: MIT
// html_page.h — pages for a browser, each complete in one file: a template, the shared look, and the data.
#ifndef MI_TOOL_HTML_PAGE_H
#define MI_TOOL_HTML_PAGE_H

#include <stdio.h>

// A file of tool/ as the constant text `name`.
#define PAGE_FILE(name, file)                                                                                \
    __asm__(".pushsection .rodata\n" #name ": .incbin \"" MI_TOOL_DIR "/" file "\"\n.byte 0\n"               \
            ".popsection\n");                                                                                \
    extern const char name[] __attribute__((visibility("hidden")))

// Writes the template; where it says so come the style, what scripts share, and what `put_data` writes.
typedef void page_data_t(const void *arg, FILE *to);
void page_write(const char *template, page_data_t *put_data, const void *arg, FILE *to);

#endif
