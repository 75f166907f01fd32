// SPDX-License-Identifier: MIT
// rbtree.c — a red-black tree under insertions, look-ups and deletions.
//
// One node per key, in 64 sizes; the tree grows, stays for a while with as many insertions as deletions,
// and shrinks again. Most of the time goes into following pointers, so it matters how close together the
// nodes lie.
#include "workload.h"

enum { KEYS = 80000, CHURN = 220000 };

typedef struct node_s {
    struct node_s *child[2];
    struct node_s *parent;
    uint64_t key;
    bool red;
    unsigned char payload[]; // 7 to 70 bytes
} node_t;

static node_t *root;

static inline bool
is_red(const node_t *n)
{
    return n != NULL && n->red;
}

static inline int
side_of(const node_t *n)
{
    return n->parent->child[1] == n;
}

static void
replace_child(node_t *parent, node_t *old, node_t *new)
{
    if (parent == NULL) {
        root = new;
    } else {
        parent->child[parent->child[1] == old] = new;
    }
    if (new != NULL) {
        new->parent = parent;
    }
}

// n sinks to the given side, its other child takes its place.
static void
rotate(node_t *n, int side)
{
    node_t *up = n->child[!side], *middle = up->child[side];
    replace_child(n->parent, n, up);
    up->child[side] = n;
    n->parent = up;
    n->child[!side] = middle;
    if (middle != NULL) {
        middle->parent = n;
    }
}

static void
balance_after_insert(node_t *n)
{
    while (is_red(n->parent)) {
        node_t *parent = n->parent, *grandparent = parent->parent;
        int side = side_of(parent);
        node_t *uncle = grandparent->child[!side];
        if (is_red(uncle)) {
            parent->red = uncle->red = false;
            grandparent->red = true;
            n = grandparent;
            continue;
        }
        if (side_of(n) != side) {
            rotate(parent, side);
            n = parent;
            parent = n->parent;
        }
        parent->red = false;
        grandparent->red = true;
        rotate(grandparent, !side);
    }
    root->red = false;
}

static bool
insert(uint64_t key)
{
    node_t *parent = NULL, **link = &root;
    while (*link != NULL) {
        parent = *link;
        if (parent->key == key) {
            return false;
        }
        link = &parent->child[parent->key < key];
    }
    size_t payload = 7 + key % 64;
    node_t *n = (node_t *)malloc(sizeof *n + payload);
    *n = (node_t){.parent = parent, .key = key, .red = true};
    n->payload[payload - 1] = (unsigned char)key;
    *link = n;
    balance_after_insert(n);
    return true;
}

// The subtree on `side` of parent is one black node short.
static void
balance_after_remove(node_t *parent, int side)
{
    while (parent != NULL) {
        node_t *sibling = parent->child[!side];
        if (sibling->red) {
            sibling->red = false;
            parent->red = true;
            rotate(parent, side);
            sibling = parent->child[!side];
        }
        if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
            sibling->red = true;
            if (parent->red || parent->parent == NULL) {
                parent->red = false;
                return;
            }
            side = side_of(parent);
            parent = parent->parent;
            continue;
        }
        if (!is_red(sibling->child[!side])) {
            sibling->child[side]->red = false;
            sibling->red = true;
            rotate(sibling, !side);
            sibling = parent->child[!side];
        }
        sibling->red = parent->red;
        parent->red = false;
        sibling->child[!side]->red = false;
        rotate(parent, side);
        return;
    }
}

static void
unlink_node(node_t *n)
{
    if (n->child[0] != NULL && n->child[1] != NULL) {
        // Its successor, which has no left child, changes places with it.
        node_t *next = n->child[1];
        while (next->child[0] != NULL) {
            next = next->child[0];
        }
        unlink_node(next);
        next->red = n->red;
        replace_child(n->parent, n, next);
        for (int side = 0; side < 2; side++) {
            next->child[side] = n->child[side];
            if (next->child[side] != NULL) {
                next->child[side]->parent = next;
            }
        }
        return;
    }
    node_t *child = n->child[n->child[0] == NULL], *parent = n->parent;
    int side = parent != NULL && side_of(n);
    replace_child(parent, n, child);
    if (n->red) {
        return;
    }
    if (is_red(child)) {
        child->red = false;
    } else {
        balance_after_remove(parent, side);
    }
}

static node_t *
find(uint64_t key)
{
    node_t *n = root;
    while (n != NULL && n->key != key) {
        n = n->child[n->key < key];
    }
    return n;
}

// What the removed node carried, 0 when there was none.
static uint64_t
take(uint64_t key)
{
    node_t *n = find(key);
    if (n == NULL) {
        return 0;
    }
    uint64_t carried = n->payload[6 + key % 64] + key % 1000;
    unlink_node(n);
    free(n);
    return carried;
}

// The number of black nodes on the way down; ends the program when two ways differ.
static int
black_height(const node_t *n)
{
    if (n == NULL) {
        return 1;
    }
    int left = black_height(n->child[0]), right = black_height(n->child[1]);
    if (left != right || (n->red && (is_red(n->child[0]) || is_red(n->child[1])))) {
        fprintf(stderr, "rbtree: not balanced\n");
        exit(1);
    }
    return left + !n->red;
}

uint64_t
workload(workload_t *w)
{
    uint64_t random = random_seed(0), sum = 0;
    size_t keys = (size_t)scaled(w, KEYS);
    // A key out of twice as many: about half of them are in the tree at any time.
    for (size_t i = 0; i < keys; i++) {
        sum += insert(random_below(&random, 2 * keys));
    }
    long churn = scaled(w, CHURN);
    for (long i = 0; i < churn; i++) {
        sum += take(random_below(&random, 2 * keys));
        sum += insert(random_below(&random, 2 * keys));
        sum += find(random_below(&random, 2 * keys)) != NULL;
    }
    sum += (uint64_t)black_height(root);
    while (root != NULL) {
        sum += take(root->key);
    }
    return sum;
}
