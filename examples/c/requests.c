// SPDX-License-Identifier: MIT
// requests.c — a heap for each request: nothing is freed one by one, and nothing is forgotten.
#include <mimalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, REQUESTS = 500 };

typedef struct header_t {
    struct header_t *next;
    char *name, *value;
} header_t;

// Parses "a=1&b=2" into a list whose parts all lie in the request's heap.
static header_t *
parse(mi_heap_t *heap, const char *query)
{
    header_t *first = NULL;
    while (*query != 0) {
        size_t length = strcspn(query, "&");
        char *pair = mi_heap_strndup(heap, query, length);
        header_t *header = mi_heap_malloc_tp(header_t, heap);
        if (pair == NULL || header == NULL) {
            return NULL; // what there is goes with the heap
        }
        char *equals = strchr(pair, '=');
        *header = (header_t){first, pair, equals == NULL ? pair + length : equals + 1};
        if (equals != NULL) {
            *equals = 0;
        }
        first = header;
        query += length + (query[length] == '&');
    }
    return first;
}

static void *
serve(void *arg)
{
    size_t *answered = (size_t *)arg;
    for (int i = 0; i < REQUESTS; i++) {
        mi_heap_t *heap = mi_heap_new();
        if (heap == NULL) {
            return NULL;
        }
        for (header_t *h = parse(heap, "user=ann&page=12&sort=date&flags"); h != NULL; h = h->next) {
            *answered += strlen(h->name) + strlen(h->value);
        }
        mi_heap_destroy(heap); // all of the request's blocks at once
    }
    return NULL;
}

int
main(void)
{
    pthread_t threads[THREADS];
    size_t answered[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, serve, &answered[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += answered[i];
    }
    printf("%d requests, %zu characters\n", THREADS * REQUESTS, sum);
    return sum == (size_t)THREADS * REQUESTS * strlen("userannpage12sortdateflags") ? 0 : 1;
}
