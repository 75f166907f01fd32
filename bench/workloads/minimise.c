// SPDX-License-Identifier: MIT
// minimise.c — two-level logic made smaller: lists of cubes, each a small array of bits in its own block.
//
// After the description of espresso (Brayton and others, 1984): a function is a list of cubes; it is
// complemented by splitting on one variable after the other, each cube is expanded until it would touch
// the complement, cubes that others contain are dropped, and a cube whose part of the space the rest
// covers is dropped too. Splitting copies the cubes that remain, so lists of small blocks are made and
// freed at every step.
#include "workload.h"

enum { FUNCTIONS = 100, CUBES = 40, FEWEST_VARIABLES = 10, MOST_VARIABLES = 18 };

// Two bits for each variable: 01 its negation, 10 the variable, 11 either. 00 makes the cube empty.
typedef struct cube_s {
    uint32_t words; // of bits
    uint32_t bits[];
} cube_t;

typedef struct cover_s {
    size_t count, room;
    cube_t **cubes;
} cover_t;

static unsigned variables;

static inline size_t
cube_words(void)
{
    return (variables + 15) / 16;
}

static inline unsigned
cube_get(const cube_t *c, unsigned variable)
{
    return c->bits[variable / 16] >> (variable % 16 * 2) & 3;
}

static inline void
cube_set(cube_t *c, unsigned variable, unsigned value)
{
    unsigned shift = variable % 16 * 2;
    c->bits[variable / 16] = (c->bits[variable / 16] & ~(3u << shift)) | value << shift;
}

static cube_t *
cube_full(void)
{
    size_t words = cube_words();
    cube_t *c = (cube_t *)malloc(sizeof *c + words * sizeof c->bits[0]);
    c->words = (uint32_t)words;
    memset(c->bits, 0, words * sizeof c->bits[0]);
    for (unsigned v = 0; v < variables; v++) {
        cube_set(c, v, 3);
    }
    return c;
}

static cube_t *
cube_copy(const cube_t *c)
{
    size_t size = sizeof *c + c->words * sizeof c->bits[0];
    return (cube_t *)memcpy(malloc(size), c, size);
}

static bool
cubes_meet(const cube_t *a, const cube_t *b)
{
    for (size_t i = 0; i < a->words; i++) {
        uint32_t both = a->bits[i] & b->bits[i];
        uint32_t there = (both | both >> 1) & 0x55555555u;
        uint32_t wanted = (a->bits[i] | a->bits[i] >> 1) & 0x55555555u;
        if (there != wanted) {
            return false;
        }
    }
    return true;
}

static bool
cube_contains(const cube_t *outer, const cube_t *inner)
{
    for (size_t i = 0; i < outer->words; i++) {
        if ((inner->bits[i] & ~outer->bits[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool
cube_is_full(const cube_t *c)
{
    for (unsigned v = 0; v < variables; v++) {
        if (cube_get(c, v) != 3) {
            return false;
        }
    }
    return true;
}

// ---- covers ----

static cover_t *
cover_new(void)
{
    return (cover_t *)calloc(1, sizeof(cover_t));
}

// Takes the cube over.
static void
cover_add(cover_t *f, cube_t *c)
{
    if (f->count == f->room) {
        f->room = f->room == 0 ? 4 : 2 * f->room;
        f->cubes = (cube_t **)realloc(f->cubes, f->room * sizeof(cube_t *));
    }
    f->cubes[f->count++] = c;
}

static void
cover_remove(cover_t *f, size_t i)
{
    free(f->cubes[i]);
    f->cubes[i] = f->cubes[--f->count];
}

static void
cover_free(cover_t *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->cubes[i]);
    }
    free(f->cubes);
    free(f);
}

// What f is where the variable has the value (1 or 2).
static cover_t *
cover_cofactor(const cover_t *f, unsigned variable, unsigned value)
{
    cover_t *part = cover_new();
    for (size_t i = 0; i < f->count; i++) {
        if (cube_get(f->cubes[i], variable) & value) {
            cube_t *c = cube_copy(f->cubes[i]);
            cube_set(c, variable, 3);
            cover_add(part, c);
        }
    }
    return part;
}

// The variable that most cubes depend on; `variables` when none does.
static unsigned
cover_split_variable(const cover_t *f)
{
    unsigned best = variables;
    size_t most = 0;
    for (unsigned v = 0; v < variables; v++) {
        size_t count = 0;
        for (size_t i = 0; i < f->count; i++) {
            count += cube_get(f->cubes[i], v) != 3;
        }
        if (count > most) {
            most = count;
            best = v;
        }
    }
    return best;
}

static bool
cover_has_full_cube(const cover_t *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (cube_is_full(f->cubes[i])) {
            return true;
        }
    }
    return false;
}

// Whether f is true everywhere.
static bool
cover_is_tautology(const cover_t *f)
{
    if (cover_has_full_cube(f)) {
        return true;
    }
    unsigned v = cover_split_variable(f);
    if (v == variables) {
        return false;
    }
    bool always = true;
    for (unsigned value = 1; value <= 2 && always; value++) {
        cover_t *part = cover_cofactor(f, v, value);
        always = cover_is_tautology(part);
        cover_free(part);
    }
    return always;
}

// Drops the cubes that lie within another one.
static void
cover_drop_contained(cover_t *f)
{
    for (size_t i = 0; i < f->count;) {
        bool contained = false;
        for (size_t j = 0; j < f->count && !contained; j++) {
            contained = j != i && cube_contains(f->cubes[j], f->cubes[i]);
        }
        if (contained) {
            cover_remove(f, i);
        } else {
            i++;
        }
    }
}

static cover_t *
cover_complement(const cover_t *f)
{
    cover_t *result = cover_new();
    if (f->count == 0) {
        cover_add(result, cube_full());
        return result;
    }
    if (cover_has_full_cube(f)) {
        return result;
    }
    unsigned v = cover_split_variable(f);
    for (unsigned value = 1; value <= 2; value++) {
        cover_t *part = cover_cofactor(f, v, value);
        cover_t *rest = cover_complement(part);
        for (size_t i = 0; i < rest->count; i++) {
            cube_t *c = cube_copy(rest->cubes[i]);
            cube_set(c, v, value);
            cover_add(result, c);
        }
        cover_free(part);
        cover_free(rest);
    }
    // Two halves that differ in v only are one cube.
    for (size_t i = 0; i < result->count; i++) {
        cube_t *c = cube_copy(result->cubes[i]);
        cube_set(c, v, cube_get(c, v) ^ 3);
        for (size_t j = i + 1; j < result->count; j++) {
            if (memcmp(c->bits, result->cubes[j]->bits, c->words * sizeof c->bits[0]) == 0) {
                cube_set(result->cubes[i], v, 3);
                cover_remove(result, j);
                break;
            }
        }
        free(c);
    }
    return result;
}

// ---- minimising ----

// Makes each cube as large as it can be without touching `off`.
static void
expand(cover_t *f, const cover_t *off)
{
    for (size_t i = 0; i < f->count; i++) {
        for (unsigned v = 0; v < variables; v++) {
            if (cube_get(f->cubes[i], v) == 3) {
                continue;
            }
            cube_t *raised = cube_copy(f->cubes[i]);
            cube_set(raised, v, 3);
            bool touches = false;
            for (size_t j = 0; j < off->count && !touches; j++) {
                touches = cubes_meet(raised, off->cubes[j]);
            }
            if (touches) {
                free(raised);
            } else {
                free(f->cubes[i]);
                f->cubes[i] = raised;
            }
        }
    }
    cover_drop_contained(f);
}

// Whether the other cubes of f cover this one: whether they are a tautology within it.
static bool
is_redundant(const cover_t *f, size_t index)
{
    const cube_t *c = f->cubes[index];
    cover_t *within = cover_new();
    for (size_t i = 0; i < f->count; i++) {
        if (i != index && cubes_meet(f->cubes[i], c)) {
            cube_t *part = cube_copy(f->cubes[i]);
            for (unsigned v = 0; v < variables; v++) {
                if (cube_get(c, v) != 3) {
                    cube_set(part, v, 3);
                }
            }
            cover_add(within, part);
        }
    }
    bool redundant = cover_is_tautology(within);
    cover_free(within);
    return redundant;
}

static uint64_t
cover_literals(const cover_t *f)
{
    uint64_t literals = 0;
    for (size_t i = 0; i < f->count; i++) {
        for (unsigned v = 0; v < variables; v++) {
            literals += cube_get(f->cubes[i], v) != 3;
        }
    }
    return literals;
}

static uint64_t
minimise_one(uint64_t *random, size_t cubes)
{
    cover_t *f = cover_new();
    for (size_t i = 0; i < cubes; i++) {
        cube_t *c = cube_full();
        for (unsigned v = 0; v < variables; v++) {
            size_t chance = random_below(random, 10);
            if (chance < 4) {
                cube_set(c, v, chance < 2 ? 1 : 2);
            }
        }
        cover_add(f, c);
    }
    cover_t *off = cover_complement(f);
    expand(f, off);
    for (size_t i = 0; i < f->count;) {
        if (is_redundant(f, i)) {
            cover_remove(f, i);
        } else {
            i++;
        }
    }
    uint64_t sum = f->count * 1000000 + cover_literals(f) * 1000 + off->count;
    cover_free(f);
    cover_free(off);
    return sum;
}

uint64_t
workload(workload_t *w)
{
    uint64_t random = random_seed(0), sum = 0;
    long functions = scaled(w, FUNCTIONS);
    for (long i = 0; i < functions; i++) {
        variables = (unsigned)random_between(&random, FEWEST_VARIABLES, MOST_VARIABLES);
        sum += minimise_one(&random, CUBES);
    }
    return sum;
}
