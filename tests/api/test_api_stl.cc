// SPDX-License-Identifier: MIT
// test_api_stl.cc — the allocators for containers of mimalloc.h; from C++98 on (build/cxx.sh).
#include <deque>
#include <list>
#include <map>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "api_test.h"

#if __cplusplus >= 201103L
#include <atomic>
#include <forward_list>
#include <memory>
#include <scoped_allocator>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#endif

// Counts its objects, and throws when it is told to.
struct counted_t {
    static long live;
    static long fuse; // copies until one throws; negative: none does
    int value;

    explicit counted_t(int v = 0) : value(v)
    {
        live++;
    }
    counted_t(const counted_t &from) : value(from.value)
    {
        if (fuse >= 0 && fuse-- == 0) {
            throw 42;
        }
        live++;
    }
    counted_t &operator=(const counted_t &from)
    {
        value = from.value;
        return *this;
    }
    ~counted_t()
    {
        live--;
    }
};
long counted_t::live = 0;
long counted_t::fuse = -1;

struct __attribute__((aligned(256))) wide_t {
    char c[256];
};

// C++98 wants a space between two closing brackets.
// clang-format off

// Containers of every kind with `Allocator`, filled, thinned out and copied.
template <template <class> class Allocator, class Start>
static void
try_containers(const Start &start)
{
    typedef std::basic_string<char, std::char_traits<char>, Allocator<char> > string_t;
    typedef std::pair<const int, int> pair_t;
    const std::less<int> less = std::less<int>();
    std::vector<int, Allocator<int> > vector((Allocator<int>(start)));
    std::deque<long, Allocator<long> > deque((Allocator<long>(start)));
    std::list<counted_t, Allocator<counted_t> > list((Allocator<counted_t>(start)));
    std::set<int, std::less<int>, Allocator<int> > set(less, Allocator<int>(start));
    std::map<int, int, std::less<int>, Allocator<pair_t> > map(less, Allocator<pair_t>(start));
    std::multimap<int, int, std::less<int>, Allocator<pair_t> > multi(less, Allocator<pair_t>(start));
    std::vector<bool, Allocator<bool> > bits((Allocator<bool>(start)));
    string_t string((Allocator<char>(start)));
    for (int i = 0; i < 3000; i++) {
        vector.push_back(i);
        deque.push_front(i);
        list.push_back(counted_t(i));
        set.insert(i * 7 % 3001);
        map[i] = -i;
        multi.insert(pair_t(i % 10, i));
        bits.push_back(i % 3 == 0);
        string += static_cast<char>('a' + i % 26);
    }
    EXPECT(counted_t::live == 3000);
    for (int i = 0; i < 3000; i += 2) {
        set.erase(i);
        map.erase(i);
        list.pop_front();
    }
    EXPECT(vector.size() == 3000 && vector[2999] == 2999);
    EXPECT(deque.front() == 2999 && deque.back() == 0);
    EXPECT(list.size() == 1500 && list.front().value == 1500);
    EXPECT(map.size() == 1500 && map[2999] == -2999);
    EXPECT(multi.count(3) == 300 && set.size() == 1501);
    EXPECT(bits.size() == 3000 && bits[2997] && !bits[2998]);
    EXPECT(string.size() == 3000 && string[27] == 'b');

    std::vector<int, Allocator<int> > copy(vector);
    std::vector<int, Allocator<int> > other((Allocator<int>(start)));
    other = copy;
    copy.swap(other);
    EXPECT(copy == vector && other == vector);
    EXPECT(copy.get_allocator() == vector.get_allocator() &&
           !(copy.get_allocator() != vector.get_allocator()));

    std::vector<wide_t, Allocator<wide_t> > wides(3, wide_t(), Allocator<wide_t>(start));
    wides.resize(20);
    EXPECT(is_aligned(&wides[0], 256) && mi_usable_size(&wides[0]) >= 20 * sizeof(wide_t));
}

// clang-format on

// An exception in the middle of a container's work: nothing is lost.
template <class Allocator>
static void
try_exceptions(const Allocator &start)
{
    std::vector<counted_t, Allocator> vector(10, counted_t(1), start);
    bool thrown = false;
    counted_t::fuse = 5;
    try {
        vector.insert(vector.begin(), 100, counted_t(2));
    } catch (int) {
        thrown = true;
    }
    counted_t::fuse = -1;
    EXPECT(thrown);
    thrown = false;
    try {
        vector.reserve(opaque(vector.max_size()));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    EXPECT(thrown);
    EXPECT(vector.size() >= 10 && vector[0].value == 1);
}

// Sizes that can't be had.
template <class Allocator>
static bool
throws(Allocator allocator, std::size_t count)
{
    try {
        void *volatile p = allocator.allocate(count);
        (void)p;
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

template <template <class> class Allocator, class Start>
static void
try_limits(const Start &start)
{
    EXPECT(throws(Allocator<int>(start), opaque(SIZE_MAX)));
    EXPECT(throws(Allocator<int>(start), opaque(SIZE_MAX / 4)));
    EXPECT(throws(Allocator<int>(start), opaque(PTRDIFF_SIZE / 4)));
    EXPECT(throws(Allocator<wide_t>(start), opaque(SIZE_MAX / 256)));
    EXPECT(throws(Allocator<wide_t>(start), opaque(SIZE_MAX)));
    EXPECT(throws(Allocator<wide_t>(start), opaque(PTRDIFF_SIZE / 256)));
    Allocator<int> ints(start);
    EXPECT(ints.max_size() == PTRDIFF_SIZE / sizeof(int));
    int *p = ints.allocate(0);
    EXPECT(p != NULL);
    ints.deallocate(p, 0);
    p = ints.allocate(100, p);
    EXPECT(ints.address(*p) == p);
    ints.construct(p, 7);
    EXPECT(*p == 7);
    ints.destroy(p);
    ints.deallocate(p, 100);
    typename Allocator<int>::template rebind<wide_t>::other wides(ints);
    wide_t *wide = wides.allocate(1);
    EXPECT(is_aligned(wide, 256));
    wides.deallocate(wide, 1);
}

static int handler_calls;

static void
give_up_at_third_call()
{
    if (++handler_calls == 3) {
        std::set_new_handler(0);
    }
}

template <class Allocator>
static void
try_handler(const Allocator &start)
{
    handler_calls = 0;
    std::set_new_handler(give_up_at_third_call);
    EXPECT(throws(start, opaque(PTRDIFF_SIZE / sizeof(typename Allocator::value_type))));
    EXPECT(handler_calls == 3);
    std::set_new_handler(0);
}

static void
test_plain()
{
    try_containers<mi_stl_allocator>(mi_stl_allocator<int>());
    try_exceptions(mi_stl_allocator<counted_t>());
    try_limits<mi_stl_allocator>(mi_stl_allocator<int>());
    try_handler(mi_stl_allocator<int>());
    try_handler(mi_stl_allocator<wide_t>());
    EXPECT(counted_t::live == 0);
}

#if __cplusplus >= 201103L

static_assert(MI_HAS_HEAP_STL_ALLOCATOR, "heaps for containers, from C++11 on");
static_assert(std::allocator_traits<mi_stl_allocator<int>>::propagate_on_container_swap::value, "");
static_assert(std::is_empty<mi_stl_allocator<int>>::value, "");
static_assert(std::is_trivially_destructible<mi_stl_allocator<int>>::value, "");
static_assert(mi_stl_allocator<int>() == mi_stl_allocator<long>(), "constant expressions");
static_assert(std::allocator_traits<mi_stl_allocator<int>>::is_always_equal::value, "");
static_assert(!std::allocator_traits<mi_heap_stl_allocator<int>>::is_always_equal::value, "");
static_assert(
    std::allocator_traits<mi_heap_stl_allocator<int>>::propagate_on_container_copy_assignment::value, "");
static_assert(
    std::allocator_traits<mi_heap_stl_allocator<int>>::propagate_on_container_move_assignment::value, "");
static_assert(std::allocator_traits<mi_heap_destroy_stl_allocator<int>>::propagate_on_container_swap::value,
              "");
static_assert(std::is_same<std::allocator_traits<mi_heap_stl_allocator<int>>::rebind_alloc<long>,
                           mi_heap_stl_allocator<long>>::value,
              "");

template <template <class> class Allocator>
static void
try_heap()
{
    mi_heap_t *heap = mi_heap_new();
    {
        std::vector<int, Allocator<int>> numbers(1000, 5, Allocator<int>(heap));
        EXPECT(mi_heap_contains(heap, numbers.data()) && numbers.get_allocator().heap() == heap);
        std::vector<wide_t, Allocator<wide_t>> wides(10, wide_t(), Allocator<wide_t>(heap));
        EXPECT(mi_heap_contains(heap, wides.data()));
        // Copies share the heap, and so does what a container was moved from.
        auto copy = numbers;
        EXPECT(mi_heap_contains(heap, copy.data()));
        auto moved = std::move(copy);
        copy.assign(100, 1);
        EXPECT(mi_heap_contains(heap, copy.data()) && moved.size() == 1000);
        // Another heap is another allocator; assignment brings its heap along.
        std::vector<int, Allocator<int>> apart(10, 1);
        EXPECT(apart.get_allocator() != numbers.get_allocator() && apart.get_allocator().heap() != heap);
        EXPECT(!mi_heap_contains(heap, apart.data()));
        apart = numbers;
        EXPECT(apart.get_allocator() == numbers.get_allocator() && mi_heap_contains(heap, apart.data()));
        EXPECT(Allocator<long>(numbers.get_allocator()) == numbers.get_allocator());
    }
    // The heap was given, and is still there.
    void *p = mi_heap_malloc(heap, 10);
    EXPECT(mi_heap_of(p) == heap);
    mi_heap_destroy(heap);

    try_containers<Allocator>(Allocator<int>());
    try_exceptions(Allocator<counted_t>());
    try_limits<Allocator>(Allocator<int>());
    try_handler(Allocator<int>());
    try_handler(Allocator<wide_t>());
    EXPECT(counted_t::live == 0);

    std::unordered_map<int, std::string, std::hash<int>, std::equal_to<int>,
                       Allocator<std::pair<const int, std::string>>>
        table;
    std::unordered_set<int, std::hash<int>, std::equal_to<int>, Allocator<int>> set;
    std::forward_list<int, Allocator<int>> list;
    for (int i = 0; i < 1000; i++) {
        table[i] = std::string(50, 'x');
        set.insert(i);
        list.push_front(i);
    }
    EXPECT(table.size() == 1000 && set.size() == 1000 && list.front() == 999);
    auto shared = std::allocate_shared<wide_t>(Allocator<wide_t>());
    EXPECT(is_aligned(shared.get(), 256));
}

static void
test_heap_ends()
{
    // With its last copy, the allocator's own heap ends: blocks that are left belong to the main heap …
    int *left;
    {
        mi_heap_stl_allocator<int> last;
        {
            mi_heap_stl_allocator<int> first(last);
            left = first.allocate(10);
        }
        EXPECT(mi_heap_of(left) == last.heap() && mi_heap_of(left) != mi_heap_main());
    }
    EXPECT(mi_heap_of(left) == mi_heap_main());
    mi_free(left);
    // … or are gone.
    long *gone;
    {
        std::list<long, mi_heap_destroy_stl_allocator<long>> list(1000, 3);
        gone = &list.front();
        EXPECT(mi_heap_of(gone) == list.get_allocator().heap());
        list.clear();
        // Nothing was freed yet.
        EXPECT(mi_any_heap_contains(gone));
    }
    EXPECT(mi_heap_of(gone) == NULL);
}

// A heap that many threads' containers share.
static void
test_heap_threads()
{
    mi_heap_stl_allocator<int> allocator;
    std::atomic<int> good(0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&good, allocator, t] {
            for (int round = 0; round < 200; round++) {
                std::list<int, mi_heap_stl_allocator<int>> list(allocator);
                for (int i = 0; i < 200; i++) {
                    list.push_back(t * 1000 + i);
                }
                good += list.size() == 200 && list.front() == t * 1000 && list.back() == t * 1000 + 199;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT(good == 800);
}

static void
test_scoped()
{
    typedef std::basic_string<char, std::char_traits<char>, mi_heap_stl_allocator<char>> string_t;
    typedef std::scoped_allocator_adaptor<mi_heap_stl_allocator<string_t>> scoped_t;
    std::vector<string_t, scoped_t> strings;
    strings.emplace_back(500, 'a');
    EXPECT(mi_heap_of(strings[0].data()) == strings.get_allocator().outer_allocator().heap());
}

#endif

int
main()
{
    test_plain();
#if __cplusplus >= 201103L
    try_heap<mi_heap_stl_allocator>();
    try_heap<mi_heap_destroy_stl_allocator>();
    test_heap_ends();
    test_heap_threads();
    test_scoped();
#endif
    return API_DONE();
}
