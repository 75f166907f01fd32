// SPDX-License-Identifier: MIT
// test_api_pmr.cc — the memory resources of mimalloc-pmr.h; from C++17 on (build/cxx.sh).
#include <mimalloc-pmr.h>

#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "api_test.h"

// Any size and alignment; what is allocated is a block of `heap`.
static void
try_resource(std::pmr::memory_resource &resource, const mi_heap_t *heap)
{
    for (std::size_t alignment = 1; alignment <= (static_cast<std::size_t>(1) << 20); alignment *= 2) {
        for (std::size_t bytes = 0; bytes < 100000; bytes = bytes * 3 + 1) {
            void *p = resource.allocate(bytes, alignment);
            EXPECT(p != nullptr && is_aligned(p, alignment) && mi_usable_size(p) >= bytes);
            EXPECT(mi_heap_contains(heap, p));
            fill(p, bytes, 3);
            EXPECT(is_filled(p, bytes, 3));
            resource.deallocate(p, bytes, alignment);
        }
    }
    std::pmr::map<int, std::pmr::string> map(&resource);
    std::pmr::unordered_map<int, std::pmr::vector<int>> table(&resource);
    std::pmr::list<std::pmr::string> list(&resource);
    for (int i = 0; i < 1000; i++) {
        map.emplace(i, std::string(static_cast<std::size_t>(i), 'x'));
        table[i % 10].push_back(i);
        list.emplace_back(100, 'y');
    }
    EXPECT(map.at(999).size() == 999 && table.at(3).size() == 100 && list.back().size() == 100);
    EXPECT(mi_heap_contains(heap, map.at(999).data()) && mi_heap_contains(heap, &list.front()));
    std::pmr::list<std::pmr::string> copy(list, &resource);
    EXPECT(copy == list);
    std::pmr::list<std::pmr::string> moved(std::move(copy), &resource);
    EXPECT(moved == list);
}

static bool
throws(std::pmr::memory_resource &resource, std::size_t bytes, std::size_t alignment)
{
    try {
        void *volatile p = resource.allocate(bytes, alignment);
        (void)p;
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static int handler_calls;

static void
give_up_at_third_call()
{
    if (++handler_calls == 3) {
        std::set_new_handler(nullptr);
    }
}

static void
try_limits(std::pmr::memory_resource &resource)
{
    for (std::size_t alignment : {std::size_t(1), std::size_t(16), std::size_t(64), std::size_t(1) << 20}) {
        EXPECT(throws(resource, opaque(PTRDIFF_SIZE), alignment));
        EXPECT(throws(resource, opaque(SIZE_MAX), alignment));
        handler_calls = 0;
        std::set_new_handler(give_up_at_third_call);
        EXPECT(throws(resource, opaque(PTRDIFF_SIZE - 100), alignment));
        EXPECT(handler_calls == 3);
    }
}

static void
test_plain()
{
    mi_memory_resource one;
    mi_memory_resource two;
    EXPECT(one == one && one == two && one == *mi_get_memory_resource());
    EXPECT(one != *std::pmr::new_delete_resource() && *std::pmr::new_delete_resource() != one);
    EXPECT(mi_get_memory_resource() == mi_get_memory_resource());
    try_resource(one, mi_heap_main());
    try_limits(one);
    // One may free what another gave, and so may mi_free.
    two.deallocate(one.allocate(1000, 64), 1000, 64);
    mi_free(one.allocate(1000, 8));

    std::pmr::memory_resource *before = std::pmr::set_default_resource(mi_get_memory_resource());
    {
        std::pmr::vector<int> numbers(1000, 1);
        EXPECT(mi_heap_contains(mi_heap_main(), numbers.data()));
    }
    std::pmr::set_default_resource(before);
    // Under another resource of the library.
    std::pmr::unsynchronized_pool_resource pool(&one);
    std::pmr::vector<std::pmr::string> pooled(100, std::pmr::string(100, 'p'), &pool);
    EXPECT(pooled[99].size() == 100);
}

static void
test_heap()
{
    mi_heap_t *heap = mi_heap_new();
    void *left;
    {
        mi_heap_memory_resource mine;
        mi_heap_memory_resource given(heap);
        mi_heap_memory_resource again(heap);
        mi_memory_resource plain;
        EXPECT(mine == mine && mine != given && given == again && given != plain && plain != given);
        EXPECT(given.heap() == heap && mine.heap() != heap);
        try_resource(mine, mine.heap());
        try_resource(given, heap);
        try_limits(given);
        again.deallocate(given.allocate(1000, 64), 1000, 64);
        left = mine.allocate(100);
    }
    EXPECT(mi_heap_of(left) == mi_heap_main());
    mi_free(left);
    void *p = mi_heap_malloc(heap, 10);
    EXPECT(mi_heap_of(p) == heap);
    mi_heap_destroy(heap);
}

static void
test_destroyed()
{
    void *small;
    void *large;
    {
        mi_heap_destroy_memory_resource resource;
        mi_heap_destroy_memory_resource other;
        EXPECT(resource == resource && resource != other);
        try_resource(resource, resource.heap());
        try_limits(resource);
        small = resource.allocate(100);
        large = resource.allocate(1000000, 4096);
        resource.deallocate(small, 100);
        EXPECT(mi_heap_of(small) == resource.heap());
        resource.release();
        EXPECT(mi_heap_of(small) == nullptr && mi_heap_of(large) == nullptr);
        try_resource(resource, resource.heap());
        small = resource.allocate(100);
        large = resource.allocate(1000000);
        EXPECT(mi_heap_of(large) == resource.heap());
    }
    EXPECT(mi_heap_of(small) == nullptr && mi_heap_of(large) == nullptr);
}

static void
test_threads()
{
    mi_heap_destroy_memory_resource resource;
    std::vector<std::thread> threads;
    std::vector<int> good(4);
    for (std::size_t t = 0; t < 4; t++) {
        threads.emplace_back([&resource, &good, t] {
            for (int round = 0; round < 100; round++) {
                std::pmr::list<std::size_t> list(200, t, &resource);
                good[t] += list.front() == t && list.back() == t;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT(good == std::vector<int>(4, 100));
}

int
main()
{
    test_plain();
    test_heap();
    test_destroyed();
    test_threads();
    return API_DONE();
}
