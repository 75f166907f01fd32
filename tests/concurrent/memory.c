// SPDX-License-Identifier: MIT
// memory.c — the memory model: histories of atomic words, views of threads, races.
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

#include "explore.h"
#include "fiber.h"
#include "race.h"
#include "trace.h"
#include "undo.h"

enum {
    MESSAGES = 64,
    WORDS = 512,
    ORDERED = 32,
    BUSY = 64,
};

typedef struct view_t {
    uint8_t at[WORDS_SHARED_MAX];
} view_t;

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
    // By the plain write of this author: the history starts anew at the next access. Else 0.
    uint64_t rewritten;
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

typedef struct thread_t {
    view_t view;
    view_t acquired; // what an acquire fence would take over
    view_t released; // what a relaxed store passes on: the view at the last release fence
    vector_t acquired_vector;
    vector_t released_vector;
    word_t *pending_load;
    const void *pending_pc;
    word_t *last_load;
    unsigned last_message; // that it read there
    bool waits;
    uint64_t steps;
    uint64_t seen; // a hash of what it did and read so far
} thread_t;

static thread_t threads[FIBERS];
static const void *busy[BUSY]; // loads whose steps also write
static size_t busy_used;
static view_t fences;
static uint64_t fence_order; // hashes of who did it
static uint64_t alloc_order;
static word_t words[WORDS];
static unsigned words_used;
static word_t *shared[WORDS_SHARED_MAX];
static unsigned shared_used;
static bool sequential;

typedef struct range_t {
    const char *start;
    size_t size;
} range_t;
static range_t ordered[ORDERED];
static size_t ordered_used;

static void
overflow(const char *what)
{
    fprintf(stderr, "explore: too many %s\n", what);
    exit(2);
}

// ---- views and clocks -------------------------------------------------------------------------------------

static void
join_view(view_t *into, const view_t *from)
{
    for (unsigned i = 0; i < WORDS_SHARED_MAX; i++) {
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

// ---- words ------------------------------------------------------------------------------------------------

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
    for (size_t i = 0; i < ordered_used; i++) {
        if ((size_t)(at - ordered[i].start) < ordered[i].size) {
            return true;
        }
    }
    return false;
}

static word_t *
word_of(void *at, size_t size)
{
    void **slot = race_slot(at);
    for (word_t *word = *slot; word != NULL; word = word->next) {
        if (word->at == at && word->size == size) {
            return word;
        }
    }
    if (words_used == WORDS) {
        overflow("atomic words");
    }
    word_t *word = &words[words_used++];
    *word = (word_t){.at = at, .size = size, .next = *slot, .ordered = is_ordered(at)};
    word->writers = race_writers(at, size);
    *slot = word;
    return word;
}

static uint64_t
bit_of(const word_t *word)
{
    return word->shared ? UINT64_C(1) << word->id : 0;
}

// A plain write over words that are used as atomics elsewhere.
static void
overwrite_words(char *at, size_t size)
{
    for (char *p = at; p < at + size; p += 8 - (uintptr_t)p % 8) {
        for (word_t *word = *race_slot(p); word != NULL; word = word->next) {
            if (word->at < at + size && at < word->at + word->size) {
                word->history.rewritten = threads[fiber_running()].steps << 8 | fiber_running() | 0x80;
                run_touch((footprint_t){.writes = bit_of(word)});
                note_user(word, fiber_running(), true);
            }
        }
    }
}

void
memory_touch_range(const void *p, size_t size)
{
    for (unsigned i = 0; i < shared_used; i++) {
        if ((size_t)(shared[i]->at - (const char *)p) < size) {
            run_touch((footprint_t){.writes = bit_of(shared[i])});
        }
    }
}

void
memory_read(const void *at, size_t size)
{
    if (!fiber_is_stack(at) && !fiber_is_private(at)) {
        race_check(at, size, PLAIN_READ);
    }
}

void
memory_write(void *at, size_t size)
{
    if (fiber_is_stack(at) || fiber_is_private(at)) {
        return;
    }
    undo_note(at, size);
    race_check(at, size, PLAIN_WRITE);
    if (fiber_running() != 0) {
        overwrite_words(at, size);
    }
}

// ---- atomic operations ------------------------------------------------------------------------------------

static const char *const action_names[] = {"load", "store", "exchange", "add",  "sub",
                                           "and",  "or",    "xor",      "nand", "compare-exchange"};

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
    event_t event = {.thread = fiber_running(), .what = action_names[op->action], .at = op->at, .pc = op->pc};
    event.reads = reads;
    event.read = read;
    event.stale = stale;
    event.writes = writes;
    memcpy(&event.written, word->at, word->size);
    trace_add(&event);
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
    unsigned me = fiber_running();
    thread_t *thread = &threads[me];
    const message_t *message = &word->messages[index];
    mix(&thread->seen, message->author);
    thread->view.at[word->id] = (uint8_t)index;
    join_view(&thread->acquired, &message->view);
    race_join(&thread->acquired_vector, &message->vector);
    if (is_acquire(order)) {
        join_view(&thread->view, &message->view);
        race_join(race_vector(me), &message->vector);
    }
    return message->value;
}

// Appends a message; `from` is the one that a read-modify-write has read: it passes on what that
// one passed on.
static void
write_message(word_t *word, uint64_t value, int order, const message_t *from)
{
    unsigned me = fiber_running();
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
    message->vector = is_release(order) ? *race_vector(me) : thread->released_vector;
    if (from != NULL) {
        join_view(&message->view, &from->view);
        race_join(&message->vector, &from->vector);
    }
    if (is_release(order)) {
        race_vector(me)->at[me]++;
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
    thread_t *thread = &threads[fiber_running()];
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
    undo_note(word->at, word->size);
    memcpy(word->at, &value, word->size);
}

static uint64_t
act_shared(operation_t *op, word_t *word)
{
    refresh(word);
    thread_t *thread = &threads[fiber_running()];
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

uint64_t
memory_act(operation_t *op)
{
    word_t outside = {.at = op->at, .size = op->size};
    unsigned me = fiber_running();
    if (fiber_is_stack(op->at)) {
        return act_alone(op, &outside);
    }
    if (me == 0) {
        race_check(op->at, op->size, ATOMIC_READ);
        return act_alone(op, &outside);
    }
    word_t *word = word_of(op->at, op->size);
    note_user(word, me, op->action != LOAD);
    if (word->shared) {
        threads[me].pending_load = op->action == LOAD && !is_busy(op->pc) ? word : NULL;
        threads[me].pending_pc = op->pc;
        race_at_point();
        fiber_leave();
    }
    bool writes = op->action != LOAD;
    access_t access =
        word->ordered ? (writes ? PLAIN_WRITE : PLAIN_READ) : (writes ? ATOMIC_WRITE : ATOMIC_READ);
    // A relaxed load may look at a plain field: it takes what it finds for a hint.
    bool hint = access == ATOMIC_READ && !is_acquire(op->order);
    race_check(op->at, hint ? 0 : op->size, access);
    return word->shared ? act_shared(op, word) : act_alone(op, word);
}

void
memory_fence(int order, const void *pc)
{
    unsigned me = fiber_running();
    if (me == 0) {
        return;
    }
    thread_t *thread = &threads[me];
    if (order == __ATOMIC_SEQ_CST) {
        thread->pending_load = NULL;
        race_at_point();
        fiber_leave();
        run_touch((footprint_t){.reads = FOOTPRINT_FENCE, .writes = FOOTPRINT_FENCE});
        trace_add(&(event_t){.thread = me, .what = "fence", .pc = pc});
    }
    if (is_acquire(order)) {
        join_view(&thread->view, &thread->acquired);
        race_join(race_vector(me), &thread->acquired_vector);
    }
    if (order == __ATOMIC_SEQ_CST) {
        mix(&fence_order, ++thread->steps << 8 | me);
        join_view(&thread->view, &fences);
        fences = thread->view;
    }
    if (is_release(order)) {
        thread->released = thread->view;
        thread->released_vector = *race_vector(me);
        race_vector(me)->at[me]++;
    }
}

void
explore_wait(void)
{
    unsigned me = fiber_running();
    thread_t *thread = &threads[me];
    if (me == 0 || thread->last_load == NULL) {
        run_fail("waits for nobody");
        return;
    }
    thread->waits = true;
    thread->pending_load = NULL;
    race_at_point();
    fiber_leave();
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
    words_used = shared_used = 0;
    ordered_used = busy_used = 0;
    race_reset();
    trace_reset();
    memset(threads, 0, sizeof threads);
}

void
memory_start(void)
{
    race_start();
    trace_cut(0);
    memset(threads, 0, sizeof threads);
    memset(&fences, 0, sizeof fences);
    fence_order = alloc_order = 0;
    for (unsigned i = 0; i < shared_used; i++) {
        start_history(shared[i]);
    }
}

uint64_t
memory_signature(void)
{
    uint64_t hash = fence_order;
    mix(&hash, alloc_order);
    for (unsigned i = 1; i < FIBERS; i++) {
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
    mix(&alloc_order, fiber_running());
}

// What changes in the course of an execution, the undo log apart.
typedef struct saved_t {
    thread_t threads[FIBERS];
    view_t fences;
    uint64_t fence_order;
    uint64_t alloc_order;
    race_saved_t races;
    size_t trace_length;
    size_t undo_mark;
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
    race_save(&saved->races);
    saved->trace_length = trace_length();
    saved->undo_mark = undo_mark();
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
    race_restore(&saved->races);
    trace_cut(saved->trace_length);
    undo_to(saved->undo_mark);
    for (unsigned i = 0; i < shared_used; i++) {
        shared[i]->history = saved->histories[i];
    }
}

void
memory_sequential(void)
{
    sequential = true;
}

void
explore_ordered(const void *p, size_t size)
{
    if (ordered_used == ORDERED) {
        overflow("ordered fields");
    }
    ordered[ordered_used++] = (range_t){.start = p, .size = size};
}
