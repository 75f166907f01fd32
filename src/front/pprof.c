// SPDX-License-Identifier: MIT
// pprof.c — protocol buffers, written as they come.
//
// A message's length goes before it, so the small ones are put together in memory first. Locations have
// their address for a number; the set of those that were written lies in memory from the system.
//
// Owns:        the set, while one profile is written
// Threads:     see pprof.h
// Not here:    see pprof.h
#include "front/pprof.h"

#include <mimalloc.h>

#include "base/bits.h"
#include "front/pprof_fields.h"
#include "os/os.h"

enum {
    VARINT_MAX = 10,
    // The largest message: a sample with all its frames, values and a label.
    MESSAGE_MAX = (STACK_FRAMES + 16) * VARINT_MAX,
    MODULES_MAX = 2048,
};

// The strings that every profile has, by number.
enum {
    TEXT_EMPTY,
    TEXT_COUNT,
    TEXT_BYTES,
    TEXT_MILLISECONDS,
    TEXT_SPACE,
    TEXT_TYPES, // the first sample type
    TEXT_ALLOC_OBJECTS = TEXT_TYPES,
    TEXT_ALLOC_SPACE,
    TEXT_INUSE_OBJECTS,
    TEXT_INUSE_SPACE,
    TEXT_GROWTH_SPACE,
    TEXT_PEAK_SPACE,
    TEXT_HOLES_SPACE,
    TEXT_LIFETIME,
    TEXT_COMMENT,
    TEXT_DROPPED,
    TEXT_MODULES, // from here on two for each module: its path and its build id
};
static const char *const texts[] = {
    "",
    "count",
    "bytes",
    "milliseconds",
    "space",
    "alloc_objects",
    "alloc_space",
    "inuse_objects",
    "inuse_space",
    "growth_space",
    "peak_space",
    "holes_space",
    "lifetime",
};
static const int units[] = {TEXT_COUNT, TEXT_BYTES, TEXT_COUNT, TEXT_BYTES,
                            TEXT_BYTES, TEXT_BYTES, TEXT_BYTES, TEXT_MILLISECONDS};
enum { TYPES = sizeof units / sizeof units[0] };

typedef struct message_t {
    size_t length;
    unsigned char bytes[MESSAGE_MAX];
} message_t;

typedef struct range_t {
    uintptr_t start;
    uintptr_t end;
} range_t;

typedef struct writer_t {
    sink_t *sink;
    const profile_view_t *view;
    size_t modules;
    size_t capacity; // of `seen`: a power of two
    size_t seen_count;
    uintptr_t *seen; // addresses with a location
    range_t *ranges; // of the modules
} writer_t;

// ---- protocol buffers

static size_t
encode(unsigned char *to, uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7) {
        to[length++] = (unsigned char)(value | 0x80);
    }
    to[length++] = (unsigned char)value;
    return length;
}

static void
add_varint(message_t *message, uint64_t value)
{
    message->length += encode(message->bytes + message->length, value);
}

static void
add_number(message_t *message, unsigned field, uint64_t value)
{
    add_varint(message, field << 3 | NUMBER);
    add_varint(message, value);
}

static void
add_message(message_t *message, unsigned field, const message_t *inner)
{
    add_varint(message, field << 3 | BYTES);
    add_varint(message, inner->length);
    __builtin_memcpy(message->bytes + message->length, inner->bytes, inner->length);
    message->length += inner->length;
}

static void
put_bytes(writer_t *to, unsigned field, const void *bytes, size_t length)
{
    unsigned char head[2 * VARINT_MAX];
    size_t used = encode(head, field << 3 | BYTES);
    used += encode(head + used, length);
    mi__sink_put(to->sink, head, used);
    mi__sink_put(to->sink, bytes, length);
}

static void
put_message(writer_t *to, unsigned field, const message_t *message)
{
    put_bytes(to, field, message->bytes, message->length);
}

static void
put_number(writer_t *to, unsigned field, uint64_t value)
{
    message_t message = {0};
    add_number(&message, field, value);
    mi__sink_put(to->sink, message.bytes, message.length);
}

static void
put_string(writer_t *to, const char *text)
{
    put_bytes(to, PROFILE_STRING, text, __builtin_strlen(text));
}

static void
put_type(writer_t *to, unsigned field, int type, int unit)
{
    message_t message = {0};
    add_number(&message, TYPE_NAME, (uint64_t)type);
    add_number(&message, TYPE_UNIT, (uint64_t)unit);
    put_message(to, field, &message);
}

// ---- modules and locations

static void
put_module(const os_module_t *module, void *arg)
{
    writer_t *to = (writer_t *)arg;
    if (to->modules == MODULES_MAX) {
        return;
    }
    uint64_t file = TEXT_MODULES + 2 * to->modules;
    to->ranges[to->modules++] = (range_t){module->start, module->end};
    message_t message = {0};
    add_number(&message, MAPPING_ID, to->modules);
    add_number(&message, MAPPING_START, module->start);
    add_number(&message, MAPPING_LIMIT, module->end);
    add_number(&message, MAPPING_OFFSET, module->file_offset);
    add_number(&message, MAPPING_FILE, file);
    add_number(&message, MAPPING_BUILD_ID, file + 1);
    put_message(to, PROFILE_MAPPING, &message);
    put_string(to, module->path);
    text_t id;
    text_init(&id);
    for (size_t i = 0; i < module->build_id_length; i++) {
        mi__format(&id, "%02x", module->build_id[i]);
    }
    put_string(to, id.chars);
}

static uint64_t
module_of(const writer_t *to, uintptr_t address)
{
    for (size_t i = 0; i < to->modules; i++) {
        if (address >= to->ranges[i].start && address < to->ranges[i].end) {
            return i + 1;
        }
    }
    return 0;
}

static void
put_location(writer_t *to, uintptr_t address)
{
    size_t at = (address * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (to->capacity - 1);
    for (; to->seen[at] != 0; at = (at + 1) & (to->capacity - 1)) {
        if (to->seen[at] == address) {
            return;
        }
    }
    to->seen[at] = address;
    to->seen_count++;
    message_t message = {0};
    add_number(&message, LOCATION_ID, address);
    add_number(&message, LOCATION_MAPPING, module_of(to, address));
    add_number(&message, LOCATION_ADDRESS, address);
    put_message(to, PROFILE_LOCATION, &message);
}

// ---- samples

static void
put_site(writer_t *to, const site_t *site)
{
    const profile_view_t *view = to->view;
    site_use_t use = mi__sites_use(site);
    site_use_t all = mi__sites_allocated(site);
    uint64_t freed = atomic_get_relaxed(&site->freed.samples);
    if (all.samples == 0 || to->seen_count + site->depth > to->capacity / 4 * 3) {
        return;
    }
    double lifetime = freed == 0 ? 0 : (double)atomic_get_relaxed(&site->lifetime_ms) / (double)freed;
    double marked = view_use(view, site, atomic_get_relaxed(&site->marked_space));
    const int64_t values[TYPES] = {
        view_count(view_allocated(view, site, all.weight)),
        (int64_t)view_allocated(view, site, all.space),
        view_count(view_use(view, site, use.weight)),
        (int64_t)view_use(view, site, use.space),
        (int64_t)(view_use(view, site, use.space) - marked),
        (int64_t)atomic_get_relaxed(&site->peak_space),
        (int64_t)atomic_get_relaxed(&site->holes),
        (int64_t)(lifetime * (double)view_count((double)atomic_get_relaxed(&site->freed.weight))),
    };
    message_t list = {0};
    for (uint32_t i = 0; i < site->depth; i++) {
        // The address of the call, or within it.
        put_location(to, site->frames[i] - 1);
        add_varint(&list, site->frames[i] - 1);
    }
    message_t message = {0};
    add_message(&message, SAMPLE_LOCATION, &list);
    list.length = 0;
    for (size_t i = 0; i < TYPES; i++) {
        add_varint(&list, (uint64_t)values[i]);
    }
    add_message(&message, SAMPLE_VALUE, &list);
    list.length = 0;
    add_number(&list, LABEL_KEY, TEXT_BYTES);
    uint64_t weight = all.weight == 0 ? 1 : all.weight;
    add_number(&list, LABEL_NUM, ((all.space << SITE_WEIGHT_SHIFT) + weight / 2) / weight);
    add_number(&list, LABEL_UNIT, TEXT_BYTES);
    add_message(&message, SAMPLE_LABEL, &list);
    put_message(to, PROFILE_SAMPLE, &message);
}

static void
put_texts(writer_t *to)
{
    text_t text;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_string(to, texts[i]);
    }
    text_init(&text);
    mi__format(&text, "mimalloc %d.%d.%d, %s (pid %ld)", MI_MALLOC_VERSION / 10000,
               MI_MALLOC_VERSION / 100 % 100, MI_MALLOC_VERSION % 100, mi__os_program_name(),
               mi__os_process_id());
    put_string(to, text.chars);
    text_init(&text);
    mi__format(&text, "%llu samples without a stack: too many stacks",
               (unsigned long long)mi__sites_dropped());
    put_string(to, text.chars);
}

static void
put_all(writer_t *to)
{
    put_texts(to);
    for (int i = 0; i < TYPES; i++) {
        put_type(to, PROFILE_SAMPLE_TYPE, TEXT_TYPES + i, units[i]);
    }
    mi__os_each_module(put_module, to);
    for (const site_t *site = mi__sites_first(); site != NULL; site = mi__sites_next(site)) {
        put_site(to, site);
    }
    put_type(to, PROFILE_PERIOD_TYPE, TEXT_SPACE, TEXT_BYTES);
    put_number(to, PROFILE_PERIOD, to->view->rate);
    put_number(to, PROFILE_TIME, (uint64_t)to->view->taken_ns);
    put_number(to, PROFILE_DURATION, (uint64_t)to->view->duration_ns);
    put_number(to, PROFILE_COMMENT, TEXT_COMMENT);
    if (mi__sites_dropped() > 0) {
        put_number(to, PROFILE_COMMENT, TEXT_DROPPED);
    }
    put_number(to, PROFILE_DEFAULT_TYPE, TEXT_INUSE_SPACE);
}

bool
mi__pprof_write(sink_t *sink, const profile_view_t *view)
{
    writer_t to = {.sink = sink, .view = view};
    to.capacity = (size_t)1 << (highest_bit(mi__sites_frames() + 1024) + 1);
    size_t bytes =
        align_up(to.capacity * sizeof(uintptr_t) + MODULES_MAX * sizeof(range_t), mi__os_page_size());
    void *memory = mi__os_reserve(bytes, mi__os_page_size());
    if (memory == NULL) {
        return false;
    }
    bool committed = mi__os_commit(memory, bytes);
    if (committed) {
        to.seen = (uintptr_t *)memory;
        to.ranges = (range_t *)(void *)(to.seen + to.capacity);
        put_all(&to);
    }
    mi__os_unreserve(memory, bytes);
    return committed;
}
