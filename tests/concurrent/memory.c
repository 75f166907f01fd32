// SPDX-License-Identifier: MIT
// memory.c — the memory model, in place of the runtime of ThreadSanitizer.
//
// An atomic word that threads share has a history of messages. Each thread has a view: the oldest
// message of each word that it may still read. A release passes the view on with the message, an
// acquire takes it over, a sequentially consistent fence exchanges it with a view that all such
// fences share. Stores go to the end of the history, and a read-modify-write reads the end. Plain
// accesses are checked with vector clocks: two that conflict must be ordered by releases and
// acquires.
//
// Owns:        see memory.h
// Threads:     see memory.h
// Not here:    see memory.h
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"

enum {
    THREADS = EXPLORE_THREADS + 1,
    MESSAGES = 64,
    CELLS_LOG2 = 13,
    CELLS = 1 << CELLS_LOG2,
    PARTS = 4, // of a cell of 8 bytes
    WORDS = 512,
    LOG = 1 << 17,
    LOGGED_BYTES = 24,
    RETIRED = 32,
    RETIRE_CHECKED = 256, // the first bytes of what is retired are checked for races with earlier accesses
    NAMES = 96,
    BUSY = 64,
    TRACE = 1024,
    ACCESSES_MAX = 100000, // by one thread between two points; more are taken for an endless loop
};

typedef struct view_t {
    uint8_t at[WORDS_SHARED_MAX];
} view_t;

typedef struct vector_t {
    uint16_t at[THREADS];
} vector_t;

typedef struct message_t {
    uint64_t value;
    view_t view;
    vector_t vector;
    uint64_t author; // thread and number of its step; 0: setup
} message_t;

typedef struct history_t {
    unsigned oldest;
    unsigned count;
    uint64_t order; // a hash of the authors
    uint64_t
        rewritten; // by the plain write of this author: the history starts anew at the next access; else 0
} history_t;

// An atomic word of 1, 2, 4 or 8 bytes.
typedef struct word_t {
    char *at;
    size_t size;
    struct word_t *next; // in the same cell
    unsigned readers;    // a bit for each thread, over all executions of the scenario
    unsigned writers;
    bool shared;
    bool ordered;
    // The history in this execution, when shared.
    unsigned id;
    history_t history;
    message_t messages[MESSAGES];
} word_t;

typedef struct part_t {
    uint16_t write_time;
    uint8_t writer;
    uint16_t read_times[THREADS];
    uint16_t atomic_write_times[THREADS];
} part_t;

typedef struct cell_t {
    uintptr_t key; // address / 8; 0: unused
    word_t *words;
    unsigned long execution; // the one that `parts` are of
    part_t parts[PARTS];
} cell_t;

typedef struct thread_t {
    view_t view;
    view_t acquired; // what an acquire fence would take over
    view_t released; // what a relaxed store passes on: the view at the last release fence
    vector_t vector;
    vector_t acquired_vector;
    vector_t released_vector;
    word_t *pending_load;
    const void *pending_pc;
    word_t *last_load;
    unsigned last_message; // that it read there
    bool waits;
    unsigned accesses;
    uint64_t steps;
    uint64_t seen; // a hash of what it did and read so far
} thread_t;

static thread_t threads[THREADS];
static const void *busy[BUSY]; // loads whose steps also write
static size_t busy_used;
static view_t fences;
static uint64_t fence_order; // hashes of who did it
static uint64_t alloc_order;
static cell_t cells[CELLS];
static unsigned cells_used;
static word_t words[WORDS];
static unsigned words_used;
static word_t *shared[WORDS_SHARED_MAX];
static unsigned shared_used;
static unsigned long execution;
static bool sequential;

static struct {
    void *at;
    size_t size;
    char old[LOGGED_BYTES];
} undo_log[LOG];
static size_t logged;

typedef struct range_t {
    const char *start;
    size_t size;
    const char *name; // NULL: promised to be ordered
} range_t;
static range_t names[NAMES];
static size_t names_used;
static range_t retired[RETIRED];
static size_t retired_used;

typedef struct event_t {
    unsigned thread;
    const char *what;
    const void *at;
    uint64_t read;
    uint64_t written;
    unsigned stale; // messages that are newer than what was read
    bool reads;
    bool writes;
    const void *pc;
} event_t;
static event_t trace[TRACE];
static size_t trace_used;

static void
overflow(const char *what)
{
    fprintf(stderr, "explore: too many %s\n", what);
    exit(2);
}

static void
fail_at(const char *text, const void *at)
{
    static char message[200];
    snprintf(message, sizeof message, "%s (%p)", text, at);
    for (size_t i = 0; i < names_used; i++) {
        size_t offset = (size_t)((const char *)at - names[i].start);
        if (names[i].name != NULL && offset < names[i].size) {
            snprintf(message, sizeof message, "%s (%s, byte %zu)", text, names[i].name, offset);
        }
    }
    run_fail(message);
}

static void
log_write(void *p, size_t size)
{
    char *at = p;
    for (size_t done = 0; done < size; done += LOGGED_BYTES) {
        if (logged == LOG) {
            overflow("writes");
        }
        size_t part = size - done < LOGGED_BYTES ? size - done : LOGGED_BYTES;
        undo_log[logged].at = at + done;
        undo_log[logged].size = part;
        memcpy(undo_log[logged].old, at + done, part);
        logged++;
    }
}

// ---- views and clocks -------------------------------------------------------------------------------------

static void
join_view(view_t *into, const view_t *from)
{
    for (unsigned i = 0; i < WORDS_SHARED_MAX; i++) {
        into->at[i] = into->at[i] > from->at[i] ? into->at[i] : from->at[i];
    }
}

static void
join_vector(vector_t *into, const vector_t *from)
{
    for (unsigned i = 0; i < THREADS; i++) {
        into->at[i] = into->at[i] > from->at[i] ? into->at[i] : from->at[i];
    }
}

static bool
is_acquire(int order)
{
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static bool
is_release(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

// ---- cells and words --------------------------------------------------------------------------------------

static cell_t *
cell_of(const void *at)
{
    uintptr_t key = (uintptr_t)at / 8;
    size_t slot = (size_t)((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - CELLS_LOG2));
    while (cells[slot].key != key) {
        if (cells[slot].key == 0) {
            if (++cells_used > CELLS * 3 / 4) {
                overflow("words of memory");
            }
            cells[slot].key = key;
            break;
        }
        slot = (slot + 1) % CELLS;
    }
    cell_t *cell = &cells[slot];
    if (cell->execution != execution) {
        cell->execution = execution;
        memset(cell->parts, 0, sizeof cell->parts);
    }
    return cell;
}

static void
start_history(word_t *word)
{
    word->history = (history_t){.count = 1};
    memset(&word->messages[0], 0, sizeof word->messages[0]);
    memcpy(&word->messages[0].value, word->at, word->size);
}

// Who else touches the word is known only after a while: the search then starts again with more
// points.
static void
note_user(word_t *word, unsigned thread, bool writes)
{
    if (writes) {
        word->writers |= 1U << thread;
    } else {
        word->readers |= 1U << thread;
    }
    unsigned users = word->readers | word->writers;
    if (!word->shared && word->writers != 0 && (users & (users - 1)) != 0) {
        if (shared_used == WORDS_SHARED_MAX) {
            overflow("shared words");
        }
        word->shared = true;
        word->id = shared_used;
        shared[shared_used++] = word;
        run_again();
    }
}

static bool
is_ordered(const char *at)
{
    for (size_t i = 0; i < names_used; i++) {
        if (names[i].name == NULL && (size_t)(at - names[i].start) < names[i].size) {
            return true;
        }
    }
    return false;
}

static word_t *
word_of(void *at, size_t size)
{
    cell_t *cell = cell_of(at);
    for (word_t *word = cell->words; word != NULL; word = word->next) {
        if (word->at == at && word->size == size) {
            return word;
        }
    }
    if (words_used == WORDS) {
        overflow("atomic words");
    }
    word_t *word = &words[words_used++];
    *word = (word_t){.at = at, .size = size, .next = cell->words, .ordered = is_ordered(at)};
    cell->words = word;
    for (size_t i = 0; i < size; i += 2) {
        const part_t *part = &cell->parts[((uintptr_t)at % 8 + i) / 2];
        word->writers |= part->write_time != 0 ? 1U << part->writer : 0;
    }
    return word;
}

static uint64_t
bit_of(const word_t *word)
{
    return word->shared ? UINT64_C(1) << word->id : 0;
}

// ---- races ------------------------------------------------------------------------------------------------

typedef enum access_t { PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE } access_t;

static bool
unordered(const uint16_t *times, unsigned thread)
{
    for (unsigned i = 1; i < THREADS; i++) {
        if (i != thread && times[i] > threads[thread].vector.at[i]) {
            return true;
        }
    }
    return false;
}

static void
check_part(part_t *part, unsigned thread, access_t access, const char *at)
{
    const vector_t *vector = &threads[thread].vector;
    bool race = part->writer != thread && part->write_time > vector->at[part->writer];
    if (access == PLAIN_READ || access == PLAIN_WRITE) {
        race = race || unordered(part->atomic_write_times, thread);
    }
    if (access == PLAIN_WRITE || access == ATOMIC_WRITE) {
        race = race || unordered(part->read_times, thread);
    }
    if (race) {
        fail_at("data race", at);
    }
    uint16_t now = vector->at[thread];
    if (access == PLAIN_READ && part->read_times[thread] != now) {
        log_write(part, sizeof *part);
        part->read_times[thread] = now;
    } else if (access == PLAIN_WRITE && (part->write_time != now || part->writer != thread)) {
        log_write(part, sizeof *part);
        part->write_time = now;
        part->writer = (uint8_t)thread;
    } else if (access == ATOMIC_WRITE && part->atomic_write_times[thread] != now) {
        log_write(part, sizeof *part);
        part->atomic_write_times[thread] = now;
    }
}

static void
check_access(const char *at, size_t size, access_t access)
{
    unsigned thread = run_current();
    for (size_t i = 0; i < retired_used; i++) {
        if (at + size > retired[i].start && at < retired[i].start + retired[i].size) {
            fail_at("touched after its release", at);
        }
    }
    if (++threads[thread].accesses > ACCESSES_MAX) {
        run_fail("an endless loop");
    }
    if (thread == 0) {
        return;
    }
    const char *end = at + size;
    for (const char *p = at; p < end; p += 2 - (uintptr_t)p % 2) {
        cell_t *cell = cell_of(p);
        check_part(&cell->parts[(uintptr_t)p % 8 / 2], thread, access, p);
    }
}

// A plain write over words that are used as atomics elsewhere.
static void
overwrite_words(char *at, size_t size)
{
    for (char *p = at; p < at + size; p += 8 - (uintptr_t)p % 8) {
        for (word_t *word = cell_of(p)->words; word != NULL; word = word->next) {
            if (word->at < at + size && at < word->at + word->size) {
                word->history.rewritten = threads[run_current()].steps << 8 | run_current() | 0x80;
                run_touch((footprint_t){.writes = bit_of(word)});
                note_user(word, run_current(), true);
            }
        }
    }
}

static void
plain_read(const void *at, size_t size)
{
    if (!run_is_stack(at) && !run_is_private(at)) {
        check_access(at, size, PLAIN_READ);
    }
}

static void
plain_write(void *at, size_t size)
{
    if (run_is_stack(at) || run_is_private(at)) {
        return;
    }
    log_write(at, size);
    check_access(at, size, PLAIN_WRITE);
    if (run_current() != 0) {
        overwrite_words(at, size);
    }
}

void
explore_retire(const void *p, size_t size)
{
    const char *at = p;
    if (retired_used == RETIRED) {
        overflow("releases");
    }
    unsigned thread = run_current();
    for (size_t i = 0; thread != 0 && i < size && i < RETIRE_CHECKED; i += 2) {
        check_part(&cell_of(at + i)->parts[(uintptr_t)(at + i) % 8 / 2], thread, PLAIN_WRITE, at + i);
    }
    for (unsigned i = 0; i < shared_used; i++) {
        if ((size_t)(shared[i]->at - at) < size) {
            run_touch((footprint_t){.writes = bit_of(shared[i])});
        }
    }
    retired[retired_used++] = (range_t){.start = at, .size = size};
}

// ---- atomic operations ------------------------------------------------------------------------------------

typedef enum action_t { LOAD, STORE, EXCHANGE, ADD, SUB, AND, OR, XOR, NAND, CAS } action_t;
static const char *const action_names[] = {"load", "store", "exchange", "add",  "sub",
                                           "and",  "or",    "xor",      "nand", "compare-exchange"};

typedef struct operation_t {
    action_t action;
    int order;
    int order_failed;
    char *at;
    size_t size;
    uint64_t operand;
    uint64_t expected;
    bool done; // CAS: the comparison held
    const void *pc;
} operation_t;

static uint64_t
result_of(const operation_t *op, uint64_t old)
{
    switch (op->action) {
    case ADD:
        return old + op->operand;
    case SUB:
        return old - op->operand;
    case AND:
        return old & op->operand;
    case OR:
        return old | op->operand;
    case XOR:
        return old ^ op->operand;
    case NAND:
        return ~(old & op->operand);
    default:
        return op->operand;
    }
}

static void
add_event(const operation_t *op, const word_t *word, uint64_t read, unsigned stale, bool reads, bool writes)
{
    if (trace_used < TRACE) {
        trace[trace_used++] =
            (event_t){run_current(), action_names[op->action], op->at, read, 0, stale, reads, writes, op->pc};
        if (writes) {
            memcpy(&trace[trace_used - 1].written, word->at, word->size);
        }
    }
}

static void
mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    *hash ^= *hash >> 29;
}

static uint64_t
read_message(word_t *word, unsigned index, int order)
{
    thread_t *thread = &threads[run_current()];
    const message_t *message = &word->messages[index];
    mix(&thread->seen, message->author);
    thread->view.at[word->id] = (uint8_t)index;
    join_view(&thread->acquired, &message->view);
    join_vector(&thread->acquired_vector, &message->vector);
    if (is_acquire(order)) {
        join_view(&thread->view, &message->view);
        join_vector(&thread->vector, &message->vector);
    }
    return message->value;
}

// Appends a message; `from` is the one that a read-modify-write has read: it passes on what that
// one passed on.
static void
write_message(word_t *word, uint64_t value, int order, const message_t *from)
{
    unsigned me = run_current();
    thread_t *thread = &threads[me];
    if (word->history.count == MESSAGES) {
        overflow("messages");
    }
    unsigned index = word->history.count++;
    thread->view.at[word->id] = (uint8_t)index;
    message_t *message = &word->messages[index];
    message->value = value;
    message->author = thread->steps << 8 | me;
    mix(&word->history.order, message->author);
    message->view = is_release(order) ? thread->view : thread->released;
    message->view.at[word->id] = (uint8_t)index;
    message->vector = is_release(order) ? thread->vector : thread->released_vector;
    if (from != NULL) {
        join_view(&message->view, &from->view);
        join_vector(&message->vector, &from->vector);
    }
    if (is_release(order)) {
        thread->vector.at[me]++;
    }
}

static void
refresh(word_t *word)
{
    if (word->history.rewritten != 0) {
        if (word->history.count == MESSAGES) {
            overflow("messages");
        }
        word->history.oldest = word->history.count++;
        memset(&word->messages[word->history.oldest], 0, sizeof word->messages[0]);
        memcpy(&word->messages[word->history.oldest].value, word->at, word->size);
        word->messages[word->history.oldest].author = word->history.rewritten;
        mix(&word->history.order, word->history.rewritten);
        word->history.rewritten = 0;
    }
}

static uint64_t
load_shared(operation_t *op, word_t *word)
{
    thread_t *thread = &threads[run_current()];
    unsigned newest = word->history.count - 1;
    unsigned oldest = thread->view.at[word->id];
    oldest = oldest < word->history.oldest ? word->history.oldest : oldest;
    oldest = oldest < run_least() ? run_least() : oldest;
    unsigned back = sequential ? 0 : run_choose(newest - oldest + 1);
    uint64_t value = read_message(word, newest - back, op->order);
    thread->last_load = word;
    thread->last_message = newest - back;
    add_event(op, word, value, back, true, false);
    return value;
}

static void
set_memory(word_t *word, uint64_t value)
{
    log_write(word->at, word->size);
    memcpy(word->at, &value, word->size);
}

static uint64_t
act_shared(operation_t *op, word_t *word)
{
    refresh(word);
    thread_t *thread = &threads[run_current()];
    thread->steps++;
    mix(&thread->seen, (uint64_t)(uintptr_t)op->pc);
    mix(&thread->seen, (uint64_t)(uintptr_t)word->at);
    run_touch((footprint_t){.reads = bit_of(word), .writes = op->action == LOAD ? 0 : bit_of(word)});
    if (op->action == LOAD) {
        return load_shared(op, word);
    }
    if (op->action == STORE) {
        write_message(word, op->operand, op->order, NULL);
        set_memory(word, op->operand);
        add_event(op, word, 0, 0, false, true);
        return 0;
    }
    unsigned newest = word->history.count - 1;
    uint64_t old = word->messages[newest].value;
    op->done = op->action != CAS || old == op->expected;
    read_message(word, newest, op->done ? op->order : op->order_failed);
    if (op->done) {
        set_memory(word, result_of(op, old));
        uint64_t value = 0;
        memcpy(&value, word->at, word->size);
        write_message(word, value, op->order, &word->messages[newest]);
    }
    add_event(op, word, old, 0, true, op->done);
    return old;
}

static bool
is_busy(const void *pc)
{
    for (size_t i = 0; i < busy_used; i++) {
        if (busy[i] == pc) {
            return true;
        }
    }
    return false;
}

void
memory_note_busy(const void *pc)
{
    if (busy_used == BUSY) {
        overflow("loads that write");
    }
    busy[busy_used++] = pc;
}

const void *
memory_pending_pc(unsigned index)
{
    return threads[index].pending_pc;
}

// Nobody else uses the word at the same time, or only one thread runs.
static uint64_t
act_alone(operation_t *op, word_t *word)
{
    uint64_t old = 0;
    memcpy(&old, word->at, word->size);
    op->done = op->action != CAS || old == op->expected;
    if (op->action != LOAD && op->done) {
        set_memory(word, result_of(op, old));
    }
    return old;
}

static uint64_t
act(operation_t *op)
{
    word_t outside = {.at = op->at, .size = op->size};
    unsigned me = run_current();
    if (run_is_stack(op->at)) {
        return act_alone(op, &outside);
    }
    if (me == 0) {
        check_access(op->at, op->size, ATOMIC_READ);
        return act_alone(op, &outside);
    }
    word_t *word = word_of(op->at, op->size);
    note_user(word, me, op->action != LOAD);
    if (word->shared) {
        threads[me].pending_load = op->action == LOAD && !is_busy(op->pc) ? word : NULL;
        threads[me].pending_pc = op->pc;
        threads[me].accesses = 0;
        run_point();
    }
    bool writes = op->action != LOAD;
    access_t access =
        word->ordered ? (writes ? PLAIN_WRITE : PLAIN_READ) : (writes ? ATOMIC_WRITE : ATOMIC_READ);
    // A relaxed load may look at a plain field: it takes what it finds for a hint.
    bool hint = access == ATOMIC_READ && !is_acquire(op->order);
    check_access(op->at, hint ? 0 : op->size, access);
    return word->shared ? act_shared(op, word) : act_alone(op, word);
}

static void
act_fence(int order, const void *pc)
{
    unsigned me = run_current();
    if (me == 0) {
        return;
    }
    thread_t *thread = &threads[me];
    if (order == __ATOMIC_SEQ_CST) {
        thread->pending_load = NULL;
        thread->accesses = 0;
        run_point();
        run_touch((footprint_t){.reads = FOOTPRINT_FENCE, .writes = FOOTPRINT_FENCE});
        if (trace_used < TRACE) {
            trace[trace_used++] = (event_t){.thread = me, .what = "fence", .pc = pc};
        }
    }
    if (is_acquire(order)) {
        join_view(&thread->view, &thread->acquired);
        join_vector(&thread->vector, &thread->acquired_vector);
    }
    if (order == __ATOMIC_SEQ_CST) {
        mix(&fence_order, ++thread->steps << 8 | me);
        join_view(&thread->view, &fences);
        fences = thread->view;
    }
    if (is_release(order)) {
        thread->released = thread->view;
        thread->released_vector = thread->vector;
        thread->vector.at[me]++;
    }
}

void
explore_wait(void)
{
    unsigned me = run_current();
    thread_t *thread = &threads[me];
    if (me == 0 || thread->last_load == NULL) {
        run_fail("waits for nobody");
        return;
    }
    thread->waits = true;
    thread->pending_load = NULL;
    thread->accesses = 0;
    run_point();
    thread->waits = false;
    word_t *word = thread->last_load;
    mix(&thread->seen, word->history.count);
    run_touch((footprint_t){.reads = bit_of(word)});
    // What has been written is seen in the end.
    thread->view.at[word->id] = (uint8_t)(word->history.count - 1);
}

bool
memory_is_ready(unsigned index)
{
    const thread_t *thread = &threads[index];
    return !thread->waits || thread->last_load->history.count - 1 > thread->last_message;
}

uint64_t
memory_pending_load(unsigned index)
{
    return threads[index].pending_load == NULL ? 0 : bit_of(threads[index].pending_load);
}

unsigned
memory_fresh_message(unsigned index)
{
    const word_t *word = threads[index].pending_load;
    return word == NULL || word->history.rewritten != 0 ? 0 : word->history.count - 1;
}

// ---- executions -------------------------------------------------------------------------------------------

void
memory_reset(void)
{
    memset(cells, 0, sizeof cells);
    cells_used = words_used = shared_used = 0;
    names_used = retired_used = trace_used = busy_used = 0;
    memset(threads, 0, sizeof threads);
    execution++;
}

void
memory_start(void)
{
    execution++;
    retired_used = trace_used = 0;
    memset(threads, 0, sizeof threads);
    memset(&fences, 0, sizeof fences);
    fence_order = alloc_order = 0;
    for (unsigned i = 1; i < THREADS; i++) {
        threads[i].vector.at[i] = 1;
    }
    for (unsigned i = 0; i < shared_used; i++) {
        start_history(shared[i]);
    }
}

uint64_t
memory_signature(void)
{
    uint64_t hash = fence_order;
    mix(&hash, alloc_order);
    for (unsigned i = 1; i < THREADS; i++) {
        mix(&hash, threads[i].seen);
    }
    for (unsigned i = 0; i < shared_used; i++) {
        mix(&hash, shared[i]->history.order);
        mix(&hash, shared[i]->history.rewritten);
    }
    return hash;
}

void
memory_note_alloc(void)
{
    mix(&alloc_order, run_current());
}

// What changes in the course of an execution, the undo log apart.
typedef struct saved_t {
    thread_t threads[THREADS];
    view_t fences;
    uint64_t fence_order;
    uint64_t alloc_order;
    size_t retired_used;
    size_t trace_used;
    size_t logged;
    history_t histories[];
} saved_t;

size_t
memory_save_size(void)
{
    return sizeof(saved_t) + shared_used * sizeof(history_t);
}

void
memory_save(void *p)
{
    saved_t *saved = p;
    memcpy(saved->threads, threads, sizeof threads);
    saved->fences = fences;
    saved->fence_order = fence_order;
    saved->alloc_order = alloc_order;
    saved->retired_used = retired_used;
    saved->trace_used = trace_used;
    saved->logged = logged;
    for (unsigned i = 0; i < shared_used; i++) {
        saved->histories[i] = shared[i]->history;
    }
}

void
memory_restore(const void *p)
{
    const saved_t *saved = p;
    memcpy(threads, saved->threads, sizeof threads);
    fences = saved->fences;
    fence_order = saved->fence_order;
    alloc_order = saved->alloc_order;
    retired_used = saved->retired_used;
    trace_used = saved->trace_used;
    memory_undo(saved->logged);
    for (unsigned i = 0; i < shared_used; i++) {
        shared[i]->history = saved->histories[i];
    }
}

void
memory_sequential(void)
{
    sequential = true;
}

size_t
memory_mark(void)
{
    return logged;
}

void
memory_undo(size_t mark)
{
    while (logged > mark) {
        logged--;
        memcpy(undo_log[logged].at, undo_log[logged].old, undo_log[logged].size);
    }
}

static void
add_range(const void *p, size_t size, const char *name)
{
    if (names_used == NAMES) {
        overflow("names");
    }
    names[names_used++] = (range_t){.start = p, .size = size, .name = name};
}

void
explore_name(const void *p, size_t size, const char *name)
{
    add_range(p, size, name);
}

void
explore_ordered(const void *p, size_t size)
{
    add_range(p, size, NULL);
}

static void
print_place(uint64_t value, bool brackets)
{
    for (size_t i = 0; i < names_used; i++) {
        size_t offset = (size_t)((const char *)(uintptr_t)value - names[i].start);
        if (names[i].name != NULL && offset < names[i].size) {
            printf(offset == 0 ? "%s" : "%s+%zu", names[i].name, offset);
            return;
        }
    }
    printf(brackets || value > 0xffff ? "%#lx" : "%lu", (unsigned long)value);
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
memory_print_trace(void)
{
    for (size_t i = 0; i < trace_used; i++) {
        const event_t *event = &trace[i];
        printf("  %*sthread %u  %s ", (int)(event->thread - 1) * 4, "", event->thread, event->what);
        if (event->at != NULL) {
            print_place((uintptr_t)event->at, true);
        }
        if (event->reads) {
            printf("  reads ");
            print_place(event->read, false);
            if (event->stale != 0) {
                printf(" (%u behind)", event->stale);
            }
        }
        if (event->writes) {
            printf("  writes ");
            print_place(event->written, false);
        }
        print_function(event->pc);
        printf("\n");
    }
}

// ---- what the compiler calls ------------------------------------------------------------------------------

void *explore_memset(void *p, int c, size_t size);

void *
explore_memset(void *p, int c, size_t size)
{
    plain_write(p, size);
    return memset(p, c, size);
}

#define PLAIN(size)                                                                                          \
    void __tsan_read##size(void *p);                                                                         \
    void __tsan_write##size(void *p);                                                                        \
    void __tsan_unaligned_read##size(void *p);                                                               \
    void __tsan_unaligned_write##size(void *p);                                                              \
    void __tsan_read##size(void *p)                                                                          \
    {                                                                                                        \
        plain_read(p, size);                                                                                 \
    }                                                                                                        \
    void __tsan_write##size(void *p)                                                                         \
    {                                                                                                        \
        plain_write(p, size);                                                                                \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void *p)                                                                \
    {                                                                                                        \
        plain_read(p, size);                                                                                 \
    }                                                                                                        \
    void __tsan_unaligned_write##size(void *p)                                                               \
    {                                                                                                        \
        plain_write(p, size);                                                                                \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

#define RETURN_ADDRESS __builtin_return_address(0)

#define RMW(type, bits, name, kind)                                                                          \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);                              \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order)                               \
    {                                                                                                        \
        operation_t op = {.action = (kind),                                                                  \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)value,                                                        \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)act(&op);                                                                               \
    }

#define COMPARE(type, bits, name)                                                                            \
    int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type desired, int order, int failed); \
    int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type desired, int order, int failed)  \
    {                                                                                                        \
        operation_t op = {.action = CAS,                                                                     \
                          .order = order,                                                                    \
                          .order_failed = failed,                                                            \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)desired,                                                      \
                          .expected = (uint64_t)*expected,                                                   \
                          .pc = RETURN_ADDRESS};                                                             \
        *expected = (type)act(&op);                                                                          \
        return op.done;                                                                                      \
    }

#define ATOMICS(type, bits)                                                                                  \
    type __tsan_atomic##bits##_load(const volatile type *p, int order);                                      \
    type __tsan_atomic##bits##_load(const volatile type *p, int order)                                       \
    {                                                                                                        \
        operation_t op = {.action = LOAD,                                                                    \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)act(&op);                                                                               \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order);                               \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order)                                \
    {                                                                                                        \
        operation_t op = {.action = STORE,                                                                   \
                          .order = order,                                                                    \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)value,                                                        \
                          .pc = RETURN_ADDRESS};                                                             \
        (void)act(&op);                                                                                      \
    }                                                                                                        \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type desired,           \
                                                    int order, int failed);                                  \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type desired,           \
                                                    int order, int failed)                                   \
    {                                                                                                        \
        operation_t op = {.action = CAS,                                                                     \
                          .order = order,                                                                    \
                          .order_failed = failed,                                                            \
                          .at = (char *)(uintptr_t)p,                                                        \
                          .size = sizeof(type),                                                              \
                          .operand = (uint64_t)desired,                                                      \
                          .expected = (uint64_t)expected,                                                    \
                          .pc = RETURN_ADDRESS};                                                             \
        return (type)act(&op);                                                                               \
    }                                                                                                        \
    COMPARE(type, bits, compare_exchange_strong)                                                             \
    COMPARE(type, bits, compare_exchange_weak)                                                               \
    RMW(type, bits, exchange, EXCHANGE)                                                                      \
    RMW(type, bits, fetch_add, ADD)                                                                          \
    RMW(type, bits, fetch_sub, SUB)                                                                          \
    RMW(type, bits, fetch_and, AND)                                                                          \
    RMW(type, bits, fetch_or, OR)                                                                            \
    RMW(type, bits, fetch_xor, XOR)                                                                          \
    RMW(type, bits, fetch_nand, NAND)

ATOMICS(uint8_t, 8)
ATOMICS(uint16_t, 16)
ATOMICS(uint32_t, 32)
ATOMICS(uint64_t, 64)

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_read_range(void *p, size_t size);
void __tsan_write_range(void *p, size_t size);
void __tsan_atomic_thread_fence(int order);

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *pc)
{
    (void)pc;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_read_range(void *p, size_t size)
{
    plain_read(p, size);
}

void
__tsan_write_range(void *p, size_t size)
{
    plain_write(p, size);
}

void
__tsan_atomic_thread_fence(int order)
{
    act_fence(order, RETURN_ADDRESS);
}
