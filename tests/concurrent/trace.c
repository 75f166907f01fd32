// SPDX-License-Identifier: MIT
// trace.c — what an execution has done so far, for people to read.
//
// Owns:        see trace.h
// Threads:     see trace.h
// Not here:    see trace.h
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"

enum { NAMES = 96, EVENTS = 1024 };

static struct {
    const char *start;
    size_t size;
    const char *name;
} names[NAMES];
static size_t names_used;
static event_t events[EVENTS];
static size_t events_used;

void
trace_reset(void)
{
    names_used = events_used = 0;
}

void
trace_add(const event_t *event)
{
    if (events_used < EVENTS) {
        events[events_used++] = *event;
    }
}

size_t
trace_length(void)
{
    return events_used;
}

void
trace_cut(size_t length)
{
    events_used = length;
}

void
explore_name(const void *p, size_t size, const char *name)
{
    if (names_used == NAMES) {
        fprintf(stderr, "explore: too many names\n");
        exit(2);
    }
    names[names_used].start = p;
    names[names_used].size = size;
    names[names_used].name = name;
    names_used++;
}

static bool
find_name(char *text, size_t size, const void *at)
{
    for (size_t i = 0; i < names_used; i++) {
        size_t offset = (size_t)((const char *)at - names[i].start);
        if (offset < names[i].size) {
            snprintf(text, size, offset == 0 ? "%s" : "%s, byte %zu", names[i].name, offset);
            return true;
        }
    }
    return false;
}

void
trace_place(char *text, size_t size, const void *at)
{
    if (!find_name(text, size, at)) {
        snprintf(text, size, "%p", at);
    }
}

static void
print_value(uint64_t value)
{
    char text[100];
    if (find_name(text, sizeof text, (const void *)(uintptr_t)value)) {
        printf("%s", text);
    } else {
        printf(value > 0xffff ? "%#lx" : "%lu", (unsigned long)value);
    }
}

// The name of the function that an event happened in, when addr2line is there to tell it.
static void
print_function(const void *pc)
{
    extern const char __executable_start;
    uintptr_t base = (uintptr_t)&__executable_start;
    uintptr_t at = (uintptr_t)pc - 1 - (base > 0x10000000 ? base : 0);
    char line[200];
    snprintf(line, sizeof line, "addr2line -f -i -e /proc/%d/exe %#lx 2>/dev/null", (int)getpid(),
             (unsigned long)at);
    FILE *pipe = popen(line, "r");
    if (pipe != NULL) {
        if (fgets(line, sizeof line, pipe) != NULL && line[0] != '?') {
            line[strcspn(line, "\n")] = 0;
            printf("  in %s", line);
        }
        while (fgets(line, sizeof line, pipe) != NULL) {
        }
        pclose(pipe);
    }
}

void
trace_print(void)
{
    for (size_t i = 0; i < events_used; i++) {
        const event_t *event = &events[i];
        printf("  %*sthread %u  %s ", (int)(event->thread - 1) * 4, "", event->thread, event->what);
        if (event->at != NULL) {
            print_value((uintptr_t)event->at);
        }
        if (event->reads) {
            printf("  reads ");
            print_value(event->read);
            if (event->stale != 0) {
                printf(" (%u behind)", event->stale);
            }
        }
        if (event->writes) {
            printf("  writes ");
            print_value(event->written);
        }
        print_function(event->pc);
        printf("\n");
    }
}
