// SPDX-License-Identifier: MIT
// sink.c — pieces of a stream, and RFC 1952 around them.
//
// Owns:        see sink.h
// Threads:     see sink.h
// Invariants:  see sink.h
// Not here:    see sink.h
#include "front/sink.h"

#include "base/bits.h"

static void
write_out(sink_t *sink, const void *bytes, size_t length)
{
    sink->failed = sink->failed || !sink->write(bytes, length, sink->arg);
}

static void
store_le(unsigned char *to, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

// CRC-32 of RFC 1952, four bits at a time.
static uint32_t
crc_of(uint32_t crc, const unsigned char *bytes, size_t length)
{
    static const uint32_t steps[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return ~crc;
}

// A block of RFC 1951 that is stored as it is.
static void
flush(sink_t *sink, bool last)
{
    if (sink->gzip) {
        unsigned char head[5] = {last};
        store_le(head + 1, (uint32_t)sink->length, 2);
        store_le(head + 3, ~(uint32_t)sink->length, 2);
        write_out(sink, head, sizeof head);
        sink->crc = crc_of(sink->crc, sink->bytes, sink->length);
        sink->total += (uint32_t)sink->length;
    }
    if (sink->length > 0) {
        write_out(sink, sink->bytes, sink->length);
    }
    sink->length = 0;
}

void
mi__sink_start(sink_t *sink, sink_write_t *write, void *arg, bool gzip)
{
    static const unsigned char head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    sink->write = write;
    sink->arg = arg;
    sink->gzip = gzip;
    sink->failed = false;
    sink->crc = sink->total = 0;
    sink->length = 0;
    if (gzip) {
        write_out(sink, head, sizeof head);
    }
}

void
mi__sink_put(sink_t *sink, const void *bytes, size_t length)
{
    const char *from = (const char *)bytes;
    while (length > 0) {
        size_t part = size_min(length, SINK_BYTES - sink->length);
        __builtin_memcpy(sink->bytes + sink->length, from, part);
        sink->length += part;
        from += part;
        length -= part;
        if (sink->length == SINK_BYTES) {
            flush(sink, false);
        }
    }
}

void
mi__sink_text(sink_t *sink, const char *fmt, ...)
{
    text_t text;
    text_init(&text);
    va_list args;
    va_start(args, fmt);
    mi__format_va(&text, fmt, args);
    va_end(args);
    mi__sink_put(sink, text.chars, text.length);
}

bool
mi__sink_end(sink_t *sink)
{
    flush(sink, true);
    if (sink->gzip) {
        unsigned char tail[8];
        store_le(tail, sink->crc, 4);
        store_le(tail + 4, sink->total, 4);
        write_out(sink, tail, sizeof tail);
    }
    return !sink->failed;
}
