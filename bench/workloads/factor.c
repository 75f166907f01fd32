// SPDX-License-Identifier: MIT
// factor.c — integers factored by continued fractions: very many tiny blocks that live very shortly.
//
// After the descriptions of cfrac and of the method (Morrison and Brillhart, 1975): the continued
// fraction of sqrt(N) gives squares that are congruent to small numbers modulo N. Those that split into
// small primes are combined, by elimination over two elements, into x² ≡ y² (mod N); then gcd(x - y, N)
// may be a factor. Every result of an operation on big numbers is a block of its own, most of them 8 to
// 40 bytes.
#include "workload.h"

// ---- big numbers: never changed once made, each in its own block ----

typedef struct number_s {
    uint32_t length; // of limbs, without leading zeros; 0 is no limbs
    uint32_t limbs[];
} number_t;

static number_t *
number_new(size_t length)
{
    number_t *n = (number_t *)malloc(sizeof *n + length * sizeof n->limbs[0]);
    n->length = (uint32_t)length;
    return n;
}

static number_t *
number_trim(number_t *n)
{
    while (n->length > 0 && n->limbs[n->length - 1] == 0) {
        n->length--;
    }
    return n;
}

static number_t *
number_from(uint64_t value)
{
    number_t *n = number_new(2);
    n->limbs[0] = (uint32_t)value;
    n->limbs[1] = (uint32_t)(value >> 32);
    return number_trim(n);
}

static number_t *
number_copy(const number_t *a)
{
    number_t *n = number_new(a->length);
    memcpy(n->limbs, a->limbs, a->length * sizeof a->limbs[0]);
    return n;
}

static int
number_compare(const number_t *a, const number_t *b)
{
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    for (size_t i = a->length; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
        }
    }
    return 0;
}

static number_t *
number_add(const number_t *a, const number_t *b)
{
    if (a->length < b->length) {
        const number_t *other = a;
        a = b;
        b = other;
    }
    number_t *sum = number_new((size_t)a->length + 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < a->length; i++) {
        carry += (uint64_t)a->limbs[i] + (i < b->length ? b->limbs[i] : 0);
        sum->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->limbs[a->length] = (uint32_t)carry;
    return number_trim(sum);
}

// a - b, where a >= b.
static number_t *
number_subtract(const number_t *a, const number_t *b)
{
    number_t *difference = number_new(a->length);
    int64_t borrow = 0;
    for (size_t i = 0; i < a->length; i++) {
        borrow += (int64_t)a->limbs[i] - (i < b->length ? b->limbs[i] : 0);
        difference->limbs[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    return number_trim(difference);
}

static number_t *
number_multiply(const number_t *a, const number_t *b)
{
    number_t *product = number_new((size_t)a->length + b->length);
    memset(product->limbs, 0, product->length * sizeof product->limbs[0]);
    for (size_t i = 0; i < a->length; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b->length; j++) {
            carry += (uint64_t)a->limbs[i] * b->limbs[j] + product->limbs[i + j];
            product->limbs[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->limbs[i + b->length] = (uint32_t)carry;
    }
    return number_trim(product);
}

static number_t *
number_divide_small(const number_t *a, uint32_t by, uint32_t *rest)
{
    number_t *quotient = number_new(a->length);
    uint64_t carry = 0;
    for (size_t i = a->length; i-- > 0;) {
        carry = carry << 32 | a->limbs[i];
        quotient->limbs[i] = (uint32_t)(carry / by);
        carry %= by;
    }
    *rest = (uint32_t)carry;
    return number_trim(quotient);
}

static number_t *
number_shift_left(const number_t *a, unsigned bits)
{
    number_t *shifted = number_new((size_t)a->length + 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < a->length; i++) {
        carry |= (uint64_t)a->limbs[i] << bits;
        shifted->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    shifted->limbs[a->length] = (uint32_t)carry;
    return shifted;
}

// Schoolbook division, a limb of the quotient at a time: subtracts digit * by from the limbs of rest from
// `at` up, and gives the digit.
static uint32_t
divide_step(number_t *rest, const number_t *by, size_t at)
{
    size_t n = by->length;
    uint32_t *top = &rest->limbs[at];
    uint64_t high = (uint64_t)top[n] << 32 | top[n - 1];
    uint64_t digit = high / by->limbs[n - 1], remainder = high % by->limbs[n - 1];
    while (digit >> 32 != 0 || digit * by->limbs[n - 2] > (remainder << 32 | top[n - 2])) {
        digit--;
        remainder += by->limbs[n - 1];
        if (remainder >> 32 != 0) {
            break;
        }
    }
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (size_t i = 0; i < n; i++) {
        carry += digit * by->limbs[i];
        borrow += (int64_t)top[i] - (uint32_t)carry;
        top[i] = (uint32_t)borrow;
        carry >>= 32;
        borrow >>= 32;
    }
    borrow += (int64_t)top[n] - (int64_t)carry;
    top[n] = (uint32_t)borrow;
    if (borrow >= 0) {
        return (uint32_t)digit;
    }
    // The estimate was one too large.
    carry = 0;
    for (size_t i = 0; i < n; i++) {
        carry += (uint64_t)top[i] + by->limbs[i];
        top[i] = (uint32_t)carry;
        carry >>= 32;
    }
    top[n] += (uint32_t)carry;
    return (uint32_t)digit - 1;
}

// The quotient; what is left goes to *rest unless that is NULL.
static number_t *
number_divide(const number_t *a, const number_t *by, number_t **rest)
{
    number_t *quotient, *left;
    if (number_compare(a, by) < 0) {
        quotient = number_new(0);
        left = number_copy(a);
    } else if (by->length == 1) {
        uint32_t small;
        quotient = number_divide_small(a, by->limbs[0], &small);
        left = number_from(small);
    } else {
        unsigned shift = (unsigned)__builtin_clz(by->limbs[by->length - 1]);
        number_t *divisor = number_trim(number_shift_left(by, shift));
        left = number_shift_left(a, shift);
        quotient = number_new((size_t)a->length - by->length + 1);
        for (size_t i = quotient->length; i-- > 0;) {
            quotient->limbs[i] = divide_step(left, divisor, i);
        }
        free(divisor);
        number_trim(quotient);
        number_trim(left);
        for (size_t i = 0; shift > 0 && i < left->length; i++) {
            uint32_t above = i + 1 < left->length ? left->limbs[i + 1] : 0;
            left->limbs[i] = left->limbs[i] >> shift | above << (32 - shift);
        }
        number_trim(left);
    }
    if (rest != NULL) {
        *rest = left;
    } else {
        free(left);
    }
    return quotient;
}

// a modulo n, a's block is given up.
static number_t *
number_reduce(number_t *a, const number_t *n)
{
    number_t *rest;
    free(number_divide(a, n, &rest));
    free(a);
    return rest;
}

static number_t *
number_multiply_modulo(const number_t *a, const number_t *b, const number_t *n)
{
    return number_reduce(number_multiply(a, b), n);
}

// By Newton's method, from above.
static number_t *
number_root(const number_t *n)
{
    number_t *root = number_new((size_t)n->length / 2 + 2);
    memset(root->limbs, 0, root->length * sizeof root->limbs[0]);
    root->limbs[root->length - 1] = 1;
    for (;;) {
        uint32_t odd;
        number_t *quotient = number_divide(n, root, NULL);
        number_t *sum = number_add(root, quotient);
        number_t *next = number_divide_small(sum, 2, &odd);
        free(quotient);
        free(sum);
        if (number_compare(next, root) >= 0) {
            free(next);
            return root;
        }
        free(root);
        root = next;
    }
}

static number_t *
number_gcd(const number_t *a, const number_t *b)
{
    number_t *x = number_copy(a), *y = number_copy(b);
    while (y->length > 0) {
        number_t *rest = number_reduce(x, y);
        x = y;
        y = rest;
    }
    free(y);
    return x;
}

static number_t *
number_read(const char *text)
{
    number_t *n = number_new(0), *ten = number_from(10);
    for (; *text != '\0'; text++) {
        number_t *digit = number_from((uint64_t)(*text - '0')), *shifted = number_multiply(n, ten);
        free(n);
        n = number_add(shifted, digit);
        free(shifted);
        free(digit);
    }
    free(ten);
    return n;
}

// ---- factoring ----

enum { PRIMES = 72, RELATIONS = PRIMES + 12, WORDS = 2 };

// A square that is congruent to a product: root² ≡ (-1)^exponents[0] · Π primes[i]^exponents[i].
typedef struct relation_s {
    number_t *root;
    uint8_t exponents[PRIMES];
    uint64_t odd[WORDS];      // which exponents are odd; changed by the elimination
    uint64_t combined[WORDS]; // which relations were multiplied to get there
} relation_t;

typedef struct factoring_s {
    const number_t *n;
    uint32_t primes[PRIMES]; // the first stands for -1
    relation_t *relations[RELATIONS];
    size_t count;
} factoring_t;

static uint32_t
power_modulo(uint64_t base, uint32_t exponent, uint32_t modulus)
{
    uint64_t result = 1;
    for (base %= modulus; exponent > 0; exponent >>= 1) {
        result = exponent & 1 ? result * base % modulus : result;
        base = base * base % modulus;
    }
    return (uint32_t)result;
}

static uint32_t
small_rest(const number_t *n, uint32_t by)
{
    uint32_t rest;
    free(number_divide_small(n, by, &rest));
    return rest;
}

// The primes that can divide what comes: those modulo which n is a square.
static void
choose_primes(factoring_t *f)
{
    size_t count = 0;
    f->primes[count++] = 1;
    f->primes[count++] = 2;
    for (uint32_t p = 3; count < PRIMES; p += 2) {
        bool prime = true;
        for (uint32_t d = 3; d * d <= p; d += 2) {
            prime = prime && p % d != 0;
        }
        if (prime && power_modulo(small_rest(f->n, p), (p - 1) / 2, p) <= 1) {
            f->primes[count++] = p;
        }
    }
}

// Keeps root² ≡ ±value when value splits into the primes.
static void
try_relation(factoring_t *f, const number_t *root, const number_t *value, bool negative)
{
    uint8_t exponents[PRIMES] = {negative};
    number_t *left = number_copy(value);
    for (size_t i = 1; i < PRIMES && left->length > 0; i++) {
        for (;;) {
            uint32_t rest;
            number_t *quotient = number_divide_small(left, f->primes[i], &rest);
            if (rest != 0) {
                free(quotient);
                break;
            }
            exponents[i]++;
            free(left);
            left = quotient;
        }
    }
    if (left->length == 1 && left->limbs[0] == 1) {
        relation_t *r = (relation_t *)calloc(1, sizeof *r);
        r->root = number_copy(root);
        memcpy(r->exponents, exponents, sizeof exponents);
        for (size_t i = 0; i < PRIMES; i++) {
            r->odd[i / 64] |= (uint64_t)(exponents[i] & 1) << (i % 64);
        }
        r->combined[f->count / 64] |= (uint64_t)1 << (f->count % 64);
        f->relations[f->count++] = r;
    }
    free(left);
}

// Expands the continued fraction of sqrt(n) until there are enough relations. With a[i] the numerators of the
// convergents, a[i]² ≡ (-1)^(i+1) q[i+1] (mod n).
static void
collect_relations(factoring_t *f)
{
    const number_t *n = f->n;
    number_t *root = number_root(n), *p = number_copy(root);
    number_t *square = number_multiply(root, root);
    number_t *q = number_subtract(n, square);
    number_t *a_before = number_from(1), *a = number_copy(root);
    free(square);
    for (bool negative = true; f->count < RELATIONS; negative = !negative) {
        try_relation(f, a, q, negative);
        // term = (root + p) / q; p' = term·q - p; q' = (n - p'²) / q; a' = term·a + a_before
        number_t *sum = number_add(root, p), *rest;
        number_t *term = number_divide(sum, q, &rest);
        number_t *p_next = number_subtract(root, rest);
        number_t *product = number_multiply(p_next, p_next);
        number_t *numerator = number_subtract(n, product);
        number_t *q_next = number_divide(numerator, q, NULL);
        number_t *scaled_a = number_multiply(term, a);
        number_t *a_next = number_reduce(number_add(scaled_a, a_before), n);
        free(sum);
        free(rest);
        free(term);
        free(product);
        free(numerator);
        free(scaled_a);
        free(p);
        free(q);
        free(a_before);
        p = p_next;
        q = q_next;
        a_before = a;
        a = a_next;
    }
    free(root);
    free(p);
    free(q);
    free(a_before);
    free(a);
}

// A factor of n from relations whose product is a square on both sides; NULL when it gives only 1 or n.
static number_t *
factor_from(const factoring_t *f, const uint64_t *combined)
{
    number_t *x = number_from(1), *y = number_from(1);
    unsigned exponents[PRIMES] = {0};
    for (size_t i = 0; i < f->count; i++) {
        if (combined[i / 64] >> (i % 64) & 1) {
            number_t *next = number_multiply_modulo(x, f->relations[i]->root, f->n);
            free(x);
            x = next;
            for (size_t j = 1; j < PRIMES; j++) {
                exponents[j] += f->relations[i]->exponents[j];
            }
        }
    }
    for (size_t j = 1; j < PRIMES; j++) {
        number_t *prime = number_from(f->primes[j]);
        for (unsigned e = 0; e < exponents[j] / 2; e++) {
            number_t *next = number_multiply_modulo(y, prime, f->n);
            free(y);
            y = next;
        }
        free(prime);
    }
    number_t *sum = number_add(x, y);
    number_t *factor = number_gcd(sum, f->n);
    free(sum);
    free(x);
    free(y);
    if ((factor->length == 1 && factor->limbs[0] == 1) || number_compare(factor, f->n) == 0) {
        free(factor);
        return NULL;
    }
    return factor;
}

static number_t *
combine_relations(const factoring_t *f)
{
    number_t *factor = NULL;
    bool used[RELATIONS] = {false};
    for (size_t column = 0; column < PRIMES; column++) {
        size_t pivot = f->count;
        for (size_t i = 0; i < f->count; i++) {
            relation_t *r = f->relations[i];
            if (!(r->odd[column / 64] >> (column % 64) & 1)) {
                continue;
            }
            if (pivot == f->count && !used[i]) {
                pivot = i;
                used[i] = true;
            } else if (pivot < f->count && !used[i]) {
                for (size_t k = 0; k < WORDS; k++) {
                    r->odd[k] ^= f->relations[pivot]->odd[k];
                    r->combined[k] ^= f->relations[pivot]->combined[k];
                }
            }
        }
    }
    for (size_t i = 0; i < f->count && factor == NULL; i++) {
        const relation_t *r = f->relations[i];
        if (!used[i] && (r->odd[0] | r->odd[1]) == 0) {
            factor = factor_from(f, r->combined);
        }
    }
    return factor;
}

static uint64_t
factor_one(const char *text)
{
    factoring_t f = {.count = 0};
    number_t *n = number_read(text);
    f.n = n;
    choose_primes(&f);
    collect_relations(&f);
    number_t *factor = combine_relations(&f);
    if (factor == NULL) {
        fprintf(stderr, "factor: %s not factored\n", text);
        exit(1);
    }
    number_t *rest, *other = number_divide(n, factor, &rest);
    uint64_t sum = rest->length;
    for (size_t i = 0; i < factor->length; i++) {
        sum += (uint64_t)factor->limbs[i] * (i + 1);
    }
    for (size_t i = 0; i < other->length; i++) {
        sum += (uint64_t)other->limbs[i] * (i + 1);
    }
    free(rest);
    free(other);
    free(factor);
    free(n);
    for (size_t i = 0; i < f.count; i++) {
        free(f.relations[i]->root);
        free(f.relations[i]);
    }
    return sum;
}

uint64_t
workload(workload_t *w)
{
    // Products of two primes of 37 and 38 bits.
    static const char *const numbers[] = {
        "17971086358100399551387", "19496651172258009009061", "23105079293044566487379",
        "14163746524324186853233", "24911519481167288821571", "12319882889477891994121",
        "36190742054352833122339", "21806158665165554732473", "14323548086173899945091",
        "21667383378856094209163",
    };
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    uint64_t sum = 0;
    long rounds = scaled(w, 2 * COUNT);
    for (long i = 0; i < rounds; i++) {
        sum += factor_one(numbers[i % COUNT]);
    }
    return sum;
}
