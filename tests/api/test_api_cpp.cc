// SPDX-License-Identifier: MIT
// test_api_cpp.cc — operators new and delete in all forms, the new handler, and the allocator for containers.
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mimalloc-new-delete.h>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "api_test.h"

static const std::align_val_t wide = static_cast<std::align_val_t>(256);
static const std::size_t too_much = PTRDIFF_SIZE - 100;

static bool
is_ours(void *p, std::size_t size, std::size_t align)
{
    return p != nullptr && is_aligned(p, align) && mi_usable_size(p) >= size;
}

// ---- The twenty operators

static void
test_operators()
{
    for (std::size_t size = 0; size < 1000000; size = next_size(size) * 6 / 5) {
        void *p = ::operator new(size);
        EXPECT(is_ours(p, size, 16));
        ::operator delete(p);
        p = ::operator new[](size);
        EXPECT(is_ours(p, size, 16));
        ::operator delete[](p);
        p = ::operator new(size, std::nothrow);
        EXPECT(is_ours(p, size, 16));
        ::operator delete(p, std::nothrow);
        p = ::operator new[](size, std::nothrow);
        EXPECT(is_ours(p, size, 16));
        ::operator delete[](p, std::nothrow);
        p = ::operator new(size, wide);
        EXPECT(is_ours(p, size, 256));
        ::operator delete(p, wide);
        p = ::operator new[](size, wide);
        EXPECT(is_ours(p, size, 256));
        ::operator delete[](p, wide);
        p = ::operator new(size, wide, std::nothrow);
        EXPECT(is_ours(p, size, 256));
        ::operator delete(p, wide, std::nothrow);
        p = ::operator new[](size, wide, std::nothrow);
        EXPECT(is_ours(p, size, 256));
        ::operator delete[](p, wide, std::nothrow);
        ::operator delete(::operator new(size), size);
        ::operator delete[](::operator new[](size), size);
        ::operator delete(::operator new(size, wide), size, wide);
        ::operator delete[](::operator new[](size, wide), size, wide);
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::size_t(8));
    ::operator delete(nullptr, wide);
}

// ---- Failure

template <class Function>
static bool
throws_bad_alloc(Function failing)
{
    try {
        void *volatile p = failing();
        (void)p;
    } catch (const std::bad_alloc &) {
        return true;
    } catch (...) {
    }
    return false;
}

static void
test_bad_alloc()
{
    EXPECT(throws_bad_alloc([] { return ::operator new(opaque(too_much)); }));
    EXPECT(throws_bad_alloc([] { return ::operator new(opaque(SIZE_MAX)); }));
    EXPECT(throws_bad_alloc([] { return ::operator new[](opaque(too_much)); }));
    EXPECT(throws_bad_alloc([] { return ::operator new(opaque(too_much), wide); }));
    EXPECT(throws_bad_alloc([] { return ::operator new[](opaque(too_much), wide); }));
    EXPECT(throws_bad_alloc([] { return mi_new(opaque(too_much)); }));
    EXPECT(throws_bad_alloc([] { return mi_new_aligned(opaque(too_much), 64); }));
    EXPECT(throws_bad_alloc([] { return mi_new_aligned(10, opaque(3)); }));
    EXPECT(throws_bad_alloc([] { return mi_new_n(opaque(SIZE_MAX / 2), 3); }));
    EXPECT(throws_bad_alloc([] { return mi_new_n(opaque(too_much), 1); }));
    EXPECT(throws_bad_alloc([] { return mi_new_realloc(nullptr, opaque(too_much)); }));
    EXPECT(throws_bad_alloc([] { return mi_new_reallocn(nullptr, opaque(SIZE_MAX / 2), 3); }));
    EXPECT(::operator new(opaque(too_much), std::nothrow) == nullptr);
    EXPECT(::operator new[](opaque(too_much), std::nothrow) == nullptr);
    EXPECT(::operator new(opaque(too_much), wide, std::nothrow) == nullptr);
    EXPECT(::operator new[](opaque(too_much), wide, std::nothrow) == nullptr);
    EXPECT(mi_new_nothrow(opaque(too_much)) == nullptr);
    // Objects are destroyed on the way out.
    auto counted = std::make_shared<int>(1);
    EXPECT(throws_bad_alloc([&] {
        std::shared_ptr<int> copy = counted;
        return mi_new(opaque(too_much) + static_cast<std::size_t>(*copy));
    }));
    EXPECT(counted.use_count() == 1);
}

// ---- The new handler

static int handler_calls;

// Frees memory, as it were: the third try asks for something that can be had.
static void
help_at_third_call()
{
    if (++handler_calls == 3) {
        std::set_new_handler(nullptr);
    }
}

struct special_t : std::bad_alloc {};

static void
throw_special()
{
    handler_calls++;
    throw special_t();
}

static void
give_up()
{
    handler_calls++;
    std::set_new_handler(nullptr);
}

// Address space that only the handler can free.
static void *ballast;
static std::size_t ballast_size;

static void
drop_ballast()
{
    handler_calls++;
    mi_free(ballast);
    ballast = nullptr;
    mi_collect(true);
    std::set_new_handler(nullptr);
}

template <class Function>
static void
check_handler(Function failing)
{
    handler_calls = 0;
    std::set_new_handler(help_at_third_call);
    EXPECT(throws_bad_alloc(failing));
    EXPECT(handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(throw_special);
    bool special = false;
    try {
        void *volatile p = failing();
        (void)p;
    } catch (const special_t &) {
        special = true;
    }
    EXPECT(special && handler_calls == 1);
    std::set_new_handler(nullptr);
}

static void
test_handler()
{
    check_handler([] { return ::operator new(opaque(too_much)); });
    check_handler([] { return ::operator new[](opaque(too_much)); });
    check_handler([] { return ::operator new(opaque(too_much), wide); });
    check_handler([] { return ::operator new[](opaque(too_much), wide); });
    check_handler([] { return mi_new(opaque(too_much)); });
    check_handler([] { return mi_new_aligned(opaque(too_much), 64); });
    check_handler([] { return mi_new_n(opaque(too_much), 1); });
    check_handler([] { return mi_new_realloc(nullptr, opaque(too_much)); });
    check_handler([] { return mi_new_reallocn(nullptr, opaque(too_much), 1); });
}

template <class Function>
static void
check_nothrow_handler(Function failing)
{
    // A handler that throws becomes NULL; one that gives up, too.
    handler_calls = 0;
    std::set_new_handler(throw_special);
    EXPECT(failing() == nullptr && handler_calls == 1);
    handler_calls = 0;
    std::set_new_handler(give_up);
    EXPECT(failing() == nullptr && handler_calls == 1);
    std::set_new_handler(nullptr);
}

static void
test_nothrow_handler()
{
    check_nothrow_handler([] { return ::operator new(opaque(too_much), std::nothrow); });
    check_nothrow_handler([] { return ::operator new[](opaque(too_much), std::nothrow); });
    check_nothrow_handler([] { return ::operator new(opaque(too_much), wide, std::nothrow); });
    check_nothrow_handler([] { return ::operator new[](opaque(too_much), wide, std::nothrow); });
    // These call no handler.
    std::set_new_handler(throw_special);
    handler_calls = 0;
    EXPECT(mi_new_nothrow(opaque(too_much)) == nullptr);
    EXPECT(mi_new_aligned_nothrow(opaque(too_much), 64) == nullptr);
    EXPECT(handler_calls == 0);
    std::set_new_handler(nullptr);
}

// The handler makes room, and the allocation succeeds.
static void
test_handler_helps()
{
    // The largest block that can be had now, to within an eighth.
    ballast_size = static_cast<std::size_t>(1) << 50;
    while ((ballast = mi_malloc(ballast_size)) == nullptr && ballast_size > 1000) {
        ballast_size -= ballast_size / 8;
    }
    EXPECT(ballast != nullptr);
    void *second = mi_malloc(ballast_size);
    if (second != nullptr) {
        // Room for many such blocks: nothing to be seen here.
        mi_free(second);
        mi_free(ballast);
        return;
    }
    handler_calls = 0;
    std::set_new_handler(drop_ballast);
    void *p = nullptr;
    EXPECT(!throws_bad_alloc([&p] { return p = ::operator new(ballast_size); }));
    EXPECT(p != nullptr && handler_calls == 1);
    ::operator delete(p);
    mi_free(ballast);
    std::set_new_handler(nullptr);
}

// ---- Containers

struct alignas(128) wide_t {
    char c[128];
};

static void
test_containers()
{
    std::vector<int, mi_stl_allocator<int>> numbers;
    for (int i = 0; i < 100000; i++) {
        numbers.push_back(i);
    }
    EXPECT(numbers[99999] == 99999 && mi_usable_size(numbers.data()) >= 100000 * sizeof(int));
    std::vector<int, mi_stl_allocator<int>> moved = std::move(numbers);
    EXPECT(moved.size() == 100000);

    typedef std::basic_string<char, std::char_traits<char>, mi_stl_allocator<char>> string_t;
    typedef std::pair<const int, string_t> entry_t;
    std::map<int, string_t, std::less<int>, mi_stl_allocator<entry_t>> tree;
    std::unordered_map<int, string_t, std::hash<int>, std::equal_to<int>, mi_stl_allocator<entry_t>> table;
    std::list<string_t, mi_stl_allocator<string_t>> list;
    for (int i = 0; i < 1000; i++) {
        string_t text(static_cast<std::size_t>(i), 'x');
        tree[i] = text;
        table[i] = text;
        list.push_back(text);
    }
    for (int i = 0; i < 1000; i += 2) {
        tree.erase(i);
        table.erase(i);
        list.pop_front();
    }
    EXPECT(tree.size() == 500 && table.size() == 500 && list.size() == 500);
    EXPECT(tree[999].size() == 999 && table[999] == tree[999] && list.back() == tree[999]);

    std::vector<wide_t, mi_stl_allocator<wide_t>> wides(10);
    EXPECT(is_aligned(wides.data(), 128));
}

static void
test_allocator()
{
    mi_stl_allocator<int> ints;
    mi_stl_allocator<double> doubles(ints);
    EXPECT(ints == doubles && !(ints != doubles));
    EXPECT(ints.max_size() == PTRDIFF_SIZE / sizeof(int));
    int *p = ints.allocate(10);
    EXPECT(mi_usable_size(p) >= 10 * sizeof(int));
    ints.construct(p, 5);
    EXPECT(*p == 5);
    ints.destroy(p);
    // Any of them frees what another gave.
    mi_stl_allocator<int>(doubles).deallocate(p, 10);
    EXPECT(std::allocator_traits<mi_stl_allocator<int>>::is_always_equal::value);
    EXPECT(throws_bad_alloc([&ints] { return ints.allocate(opaque(SIZE_MAX / 2)); }));
    mi_stl_allocator<wide_t> wides;
    EXPECT(throws_bad_alloc([&wides] { return wides.allocate(opaque(SIZE_MAX / 64)); }));
    EXPECT(throws_bad_alloc([&wides] { return wides.allocate(opaque(SIZE_MAX / 512)); }));
    std::unique_ptr<wide_t> one(new wide_t);
    EXPECT(is_ours(one.get(), sizeof(wide_t), 128));
}

int
main()
{
    test_operators();
    test_bad_alloc();
    test_handler();
    test_nothrow_handler();
    test_handler_helps();
    test_containers();
    test_allocator();
    return API_DONE();
}
