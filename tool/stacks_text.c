// SPDX-License-Identifier: MIT
// stacks_text.c — tables, stacks in the order of what they have, folded stacks, JSON.
#include "stacks_text.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { AMOUNT = 40 };

// "12.5 MiB" or "1234"; with a sign where that says something.
static const char *
amount_text(char text[AMOUNT], const value_type_t *type, int64_t value, bool with_sign)
{
    bytes_text_t bytes;
    const char *sign = value < 0 ? "-" : with_sign ? "+" : "";
    unsigned long long size = value < 0 ? -(unsigned long long)value : (unsigned long long)value;
    if (strcmp(type->unit, "bytes") == 0) {
        snprintf(text, AMOUNT, "%s%s", sign, bytes_text(&bytes, size));
    } else {
        snprintf(text, AMOUNT, "%s%llu%s", sign, size, strcmp(type->unit, "milliseconds") == 0 ? " ms" : "");
    }
    return text;
}

static double
percent(int64_t part, int64_t all)
{
    return all == 0 ? 0 : (double)part * 100 / (double)all;
}

// ---- functions

typedef struct function_sum_t {
    const frame_t *frame; // of the stack that has most
    int64_t most;
    int64_t self;
    int64_t total;
    size_t last; // the trace that was counted last, plus one
} function_sum_t;

static int
by_name(const void *a, const void *b)
{
    return strcmp((*(const frame_t *const *)a)->function, (*(const frame_t *const *)b)->function);
}

static int
by_self(const void *a, const void *b)
{
    const function_sum_t *left = a;
    const function_sum_t *right = b;
    return left->self != right->self     ? (llabs(left->self) < llabs(right->self) ? 1 : -1)
           : left->total != right->total ? (llabs(left->total) < llabs(right->total) ? 1 : -1)
                                         : 0;
}

// The number of each frame's function.
static size_t
number_functions(const stacks_t *stacks, size_t *numbers)
{
    const frame_t **sorted = get_memory(stacks->frame_count, sizeof(frame_t *));
    size_t count = 0;
    for (size_t i = 0; i < stacks->frame_count; i++) {
        sorted[i] = &stacks->frames[i];
    }
    qsort(sorted, stacks->frame_count, sizeof(frame_t *), by_name);
    for (size_t i = 0; i < stacks->frame_count; i++) {
        count += i == 0 || strcmp(sorted[i]->function, sorted[i - 1]->function) != 0;
        numbers[sorted[i] - stacks->frames] = count - 1;
    }
    free(sorted);
    return count;
}

void
stacks_print_functions(const stacks_t *stacks, unsigned rows, FILE *to)
{
    const value_type_t *type = &stacks->types[stacks->shown];
    size_t *numbers = get_memory(stacks->frame_count, sizeof *numbers);
    size_t count = number_functions(stacks, numbers);
    function_sum_t *sums = get_memory(count, sizeof *sums);
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const trace_t *trace = &stacks->traces[i];
        int64_t value = trace->values[stacks->shown];
        for (uint32_t k = 0; k < trace->depth; k++) {
            const frame_t *frame = &stacks->frames[stacks->ids[trace->first + k]];
            function_sum_t *sum = &sums[numbers[frame - stacks->frames]];
            sum->total += sum->last == i + 1 ? 0 : value; // once, however often it calls itself
            sum->last = i + 1;
            sum->self += k == 0 ? value : 0;
            if (sum->frame == NULL || value > sum->most) {
                sum->frame = frame;
                sum->most = value;
            }
        }
    }
    qsort(sums, count, sizeof *sums, by_self);
    char a[AMOUNT];
    char b[AMOUNT];
    int64_t all = stacks_total(stacks, stacks->shown);
    bytes_text_t period;
    fprintf(to, "%s: %s %s", stacks->subject, type->name, amount_text(a, type, all, false));
    if (stacks->period > 0) {
        fprintf(to, ", one sample in %s", bytes_text(&period, (uint64_t)stacks->period));
    }
    fprintf(to, "\n\n%12s%8s%12s%8s  function\n", "itself", "", "with callees", "");
    for (size_t i = 0; i < count && i < rows && (sums[i].self != 0 || sums[i].total != 0); i++) {
        char *text = stacks_frame_text(sums[i].frame);
        fprintf(to, "%12s%7.1f%%%12s%7.1f%%  %s\n", amount_text(a, type, sums[i].self, false),
                percent(sums[i].self, all), amount_text(b, type, sums[i].total, false),
                percent(sums[i].total, all), text);
        free(text);
    }
    free(sums);
    free(numbers);
}

// ---- stacks

typedef struct order_t {
    const trace_t *trace;
    int64_t key;
} order_t;

static int
by_key(const void *a, const void *b)
{
    int64_t left = llabs(((const order_t *)a)->key);
    int64_t right = llabs(((const order_t *)b)->key);
    return left < right ? 1 : left > right ? -1 : 0;
}

// Those that are not 0, the largest first.
static order_t *
sorted_traces(const stacks_t *stacks, bool is_diff, size_t *count)
{
    order_t *order = get_memory(stacks->trace_count, sizeof *order);
    *count = 0;
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const int64_t *values = stacks->traces[i].values;
        int64_t key = values[stacks->shown] - (is_diff ? values[stacks->shown - 1] : 0);
        if (key != 0) {
            order[(*count)++] = (order_t){&stacks->traces[i], key};
        }
    }
    qsort(order, *count, sizeof *order, by_key);
    return order;
}

void
stacks_print_traces(const stacks_t *stacks, bool is_diff, unsigned rows, FILE *to)
{
    const value_type_t *type = &stacks->types[stacks->shown];
    size_t count;
    order_t *order = sorted_traces(stacks, is_diff, &count);
    int objects =
        !is_diff && strcmp(type->name, "inuse_space") == 0 ? stacks_find_type(stacks, "inuse_objects") : -1;
    int64_t all = stacks_total(stacks, stacks->shown);
    char a[AMOUNT];
    char b[AMOUNT];
    if (is_diff) {
        int64_t before = stacks_total(stacks, stacks->shown - 1);
        fprintf(to, "%s: %s %s in all, from %s", stacks->subject, type->name,
                amount_text(a, type, all - before, true), amount_text(b, type, before, false));
        fprintf(to, " to %s\n", amount_text(a, type, all, false));
    } else {
        fprintf(to, "%s: %s %s in %zu stacks\n", stacks->subject, type->name,
                amount_text(a, type, all, false), count);
    }
    for (size_t i = 0; i < count && i < rows; i++) {
        const trace_t *trace = order[i].trace;
        fprintf(to, "\n%s", amount_text(a, type, order[i].key, is_diff));
        if (objects >= 0) {
            int64_t blocks = trace->values[objects] > 0 ? trace->values[objects] : 1;
            fprintf(to, " in about %lld blocks of %s", (long long)blocks,
                    amount_text(b, type, (trace->values[stacks->shown] + blocks / 2) / blocks, false));
        }
        if (!is_diff) {
            fprintf(to, ", %.1f%%", percent(order[i].key, all));
        }
        fputs(", allocated at\n", to);
        for (uint32_t k = 0; k < trace->depth; k++) {
            char *text = stacks_frame_text(&stacks->frames[stacks->ids[trace->first + k]]);
            fprintf(to, "    #%u %s\n", k, text);
            free(text);
        }
    }
    if (count > rows) {
        fprintf(to, "\nand %zu more\n", count - rows);
    }
    free(order);
}

void
stacks_print_folded(const stacks_t *stacks, FILE *to)
{
    size_t count;
    order_t *order = sorted_traces(stacks, false, &count);
    for (size_t i = 0; i < count; i++) {
        const trace_t *trace = order[i].trace;
        for (uint32_t k = trace->depth; k > 0; k--) {
            const frame_t *frame = &stacks->frames[stacks->ids[trace->first + k - 1]];
            for (const char *at = frame->function; *at != 0; at++) {
                // Both have a meaning there.
                fputc(*at == ';' ? ':' : *at == ' ' || *at == '\n' ? '_' : *at, to);
            }
            fputs(k > 1 ? ";" : " ", to);
        }
        fprintf(to, "%lld\n", (long long)order[i].key);
    }
    free(order);
}

void
stacks_print_json(const stacks_t *stacks, FILE *to)
{
    json_t json = {.to = to};
    json_begin(&json, NULL, '{');
    json_text(&json, "subject", stacks->subject);
    json_text(&json, "type", stacks->types[stacks->shown].name);
    json_signed(&json, "period", stacks->period);
    json_begin(&json, "totals", '{');
    for (unsigned i = 0; i < stacks->type_count; i++) {
        json_signed(&json, stacks->types[i].name, stacks_total(stacks, i));
    }
    json_end(&json, '}');
    timeline_print_json(stacks->timeline, &json);
    json_begin(&json, "stacks", '[');
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const trace_t *trace = &stacks->traces[i];
        json_begin(&json, NULL, '{');
        for (unsigned type = 0; type < stacks->type_count; type++) {
            json_signed(&json, stacks->types[type].name, trace->values[type]);
        }
        json_begin(&json, "frames", '[');
        for (uint32_t k = 0; k < trace->depth; k++) {
            const frame_t *frame = &stacks->frames[stacks->ids[trace->first + k]];
            json_begin(&json, NULL, '{');
            json_text(&json, "function", frame->function);
            json_text(&json, "file", frame->file);
            json_number(&json, "line", frame->line);
            json_text(&json, "module", frame->module);
            json_end(&json, '}');
        }
        json_end(&json, ']');
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
}
