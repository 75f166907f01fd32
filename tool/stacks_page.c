// SPDX-License-Identifier: MIT
// stacks_page.c — stacks.html with the calls as a tree put in. What is less than a share of all is added up,
// so that a page has some thousand nodes at most.
#include "stacks_page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "html_page.h"
#include "text.h"

PAGE_FILE(stacks_html, "stacks.html");

enum { SHARE = 5000, NONE = -1 };

typedef struct node_t {
    uint32_t frame;
    int32_t parent;
    int32_t first;  // child
    int32_t next;   // sibling
    int32_t number; // in the page
    int64_t values[STACKS_TYPES_MAX];
} node_t;

typedef struct tree_t {
    const stacks_t *stacks;
    bool is_diff;
    node_t *nodes;
    size_t count;
    int64_t least[STACKS_TYPES_MAX];
} tree_t;

static int32_t
add_node(tree_t *tree, int32_t parent, uint32_t frame)
{
    if ((tree->count & (tree->count + 1)) == 0) {
        tree->nodes = grow_memory(tree->nodes, 2 * tree->count + 2, sizeof *tree->nodes);
    }
    int32_t number = (int32_t)tree->count++;
    tree->nodes[number] = (node_t){.frame = frame, .parent = parent, .first = NONE, .next = NONE};
    if (parent != NONE) {
        tree->nodes[number].next = tree->nodes[parent].first;
        tree->nodes[parent].first = number;
    }
    return number;
}

static int32_t
child_of(tree_t *tree, int32_t parent, uint32_t frame)
{
    int32_t child = tree->nodes[parent].first;
    while (child != NONE && tree->nodes[child].frame != frame) {
        child = tree->nodes[child].next;
    }
    return child != NONE ? child : add_node(tree, parent, frame);
}

static void
add_values(node_t *node, const trace_t *trace, unsigned types)
{
    for (unsigned i = 0; i < types; i++) {
        node->values[i] += trace->values[i];
    }
}

static void
grow_tree(tree_t *tree)
{
    const stacks_t *stacks = tree->stacks;
    (void)add_node(tree, NONE, 0);
    for (size_t i = 0; i < stacks->trace_count; i++) {
        const trace_t *trace = &stacks->traces[i];
        int32_t at = 0;
        add_values(&tree->nodes[0], trace, stacks->type_count);
        for (uint32_t k = trace->depth; k > 0; k--) {
            at = child_of(tree, at, stacks->ids[trace->first + k - 1]);
            add_values(&tree->nodes[at], trace, stacks->type_count);
        }
        for (unsigned type = 0; type < stacks->type_count; type++) {
            tree->least[type] += llabs(trace->values[type]);
        }
    }
    for (unsigned type = 0; type < stacks->type_count; type++) {
        tree->least[type] = tree->least[type] / SHARE + 1;
    }
}

static bool
is_small(const tree_t *tree, const node_t *node)
{
    for (unsigned i = 0; i < tree->stacks->type_count; i++) {
        if (llabs(node->values[i]) >= tree->least[i]) {
            return false;
        }
    }
    return true;
}

// Nodes are made behind their parents, and so are they told. Returns how many were left out.
static size_t
put_nodes(tree_t *tree, FILE *to, bool *used)
{
    size_t small = 0;
    int32_t count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        node_t *node = &tree->nodes[i];
        bool has_place = i == 0 || tree->nodes[node->parent].number != NONE;
        node->number = has_place && (i == 0 || !is_small(tree, node)) ? count++ : NONE;
        if (node->number == NONE) {
            small++;
            continue;
        }
        used[node->frame] = true;
        fprintf(to, "%s[%d,%u]", i > 0 ? "," : "", i == 0 ? 0 : tree->nodes[node->parent].number,
                node->frame);
    }
    return small;
}

static void
put_values(const tree_t *tree, unsigned type, FILE *to)
{
    fputs(type > 0 ? ",[" : "[", to);
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].number != NONE) {
            fprintf(to, "%s%lld", i > 0 ? "," : "", (long long)tree->nodes[i].values[type]);
        }
    }
    fputc(']', to);
}

// Of frames that no node has, nothing is told but their place.
static void
put_frames(const stacks_t *stacks, const bool *used, FILE *to)
{
    for (size_t i = 0; i < stacks->frame_count; i++) {
        const frame_t *frame = &stacks->frames[i];
        fputs(i > 0 ? "," : "", to);
        if (!used[i]) {
            fputc('0', to);
            continue;
        }
        char *source = frame->file == NULL ? strdup("")
                       : frame->line == 0  ? strdup(frame->file)
                                           : format_new("%s:%u", frame->file, frame->line);
        fputc('[', to);
        json_string(to, frame->function);
        fputc(',', to);
        json_string(to, source);
        fputc(',', to);
        json_string(to, frame->module == NULL ? "" : frame->module);
        fputc(']', to);
        free(source);
    }
}

static void
put_data(const void *arg, FILE *to)
{
    tree_t *tree = (tree_t *)(uintptr_t)arg;
    const stacks_t *stacks = tree->stacks;
    char when[64];
    time_t taken = stacks->taken_ns > 0 ? (time_t)(stacks->taken_ns / 1000000000) : time(NULL);
    struct tm local;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&taken, &local));
    bool *used = get_memory(stacks->frame_count, sizeof *used);
    json_t json = {.to = to};
    json_begin(&json, NULL, '{');
    json_text(&json, "subject", stacks->subject);
    json_text(&json, "when", when);
    json_bool(&json, "diff", tree->is_diff);
    json_number(&json, "type", stacks->shown);
    json_signed(&json, "period", stacks->period);
    json_begin(&json, "types", '[');
    for (unsigned i = 0; i < stacks->type_count; i++) {
        json_begin(&json, NULL, '[');
        json_text(&json, NULL, stacks->types[i].name);
        json_text(&json, NULL, stacks->types[i].unit);
        json_end(&json, ']');
    }
    json_end(&json, ']');
    timeline_print_json(stacks->timeline, &json);
    json_begin(&json, "nodes", '[');
    size_t small = put_nodes(tree, to, used);
    json_end(&json, ']');
    json_number(&json, "small", small);
    json_begin(&json, "values", '[');
    for (unsigned i = 0; i < stacks->type_count; i++) {
        put_values(tree, i, to);
    }
    json_end(&json, ']');
    json_begin(&json, "frames", '[');
    put_frames(stacks, used, to);
    json_end(&json, ']');
    json_end(&json, '}');
    free(used);
}

void
stacks_page(const stacks_t *stacks, bool is_diff, FILE *to)
{
    tree_t tree = {.stacks = stacks, .is_diff = is_diff};
    grow_tree(&tree);
    page_write(stacks_html, put_data, &tree, to);
    free(tree.nodes);
}
