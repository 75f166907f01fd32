// SPDX-License-Identifier: MIT
// html_page.c — what all pages share, and putting one together.
#include "html_page.h"

#include <string.h>

PAGE_FILE(page_css, "html_page.css");
PAGE_FILE(page_js, "html_page.js");

void
page_write(const char *template, page_data_t *put_data, const void *arg, FILE *to)
{
    static const char *const marks[] = {"/*STYLE*/", "/*SHARED*/", "/*DATA*/"};
    const char *const texts[] = {page_css, page_js, NULL};
    for (unsigned i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = strstr(template, marks[i]);
        fwrite(template, 1, (size_t)(at - template), to);
        if (texts[i] != NULL) {
            fputs(texts[i], to);
        } else {
            put_data(arg, to);
        }
        template = at + strlen(marks[i]);
    }
    fputs(template, to);
}
