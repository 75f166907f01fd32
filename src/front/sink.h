// SPDX-License-Identifier: MIT
// sink.h — bytes on their way out, gathered into pieces; gzipped, if wanted, without compression.
//
// Owns:        nothing
// Threads:     a sink_t belongs to its caller
// Invariants:  K1 nothing is written after a write has failed
// Not here:    what is written → front/pprof.h, front/profile_text.h
#ifndef MI_FRONT_SINK_H
#define MI_FRONT_SINK_H

#include "base/format.h"

enum { SINK_BYTES = 4096 };

// False: it could not be written, and the rest need not be tried.
typedef bool sink_write_t(const void *bytes, size_t length, void *arg);

typedef struct sink_t {
    sink_write_t *write;
    void *arg;
    bool gzip;
    bool failed;
    uint32_t crc;
    uint32_t total; // bytes put in
    size_t length;  // bytes waiting
    unsigned char bytes[SINK_BYTES];
} sink_t;

void mi__sink_start(sink_t *sink, sink_write_t *write, void *arg, bool gzip);
void mi__sink_put(sink_t *sink, const void *bytes, size_t length);
void mi__sink_text(sink_t *sink, const char *fmt, ...) MI_FORMAT(2, 3);

// Writes what is left. False when something could not be written.
bool mi__sink_end(sink_t *sink);

#endif
