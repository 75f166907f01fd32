// SPDX-License-Identifier: MIT
// operators.cc — all forms of new and delete: whose blocks, and what happens when there are none.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <string>
#include <vector>

static int failures;

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            failures++;                                                                                      \
            std::printf("%s:%d: expected %s\n", __FILE__, __LINE__, #cond);                                  \
        }                                                                                                    \
    } while (0)

static const std::align_val_t wide = static_cast<std::align_val_t>(256);
static volatile std::size_t too_much = PTRDIFF_MAX - 100;

static bool
fits(void *p, std::size_t size, std::size_t align)
{
    return p != nullptr && reinterpret_cast<std::uintptr_t>(p) % align == 0 && malloc_usable_size(p) >= size;
}

// The operators come from the same library as malloc.
static void
test_whose()
{
    Dl_info of_malloc, of_new, of_delete;
    EXPECT(dladdr(reinterpret_cast<void *>(&malloc), &of_malloc) != 0);
    void *(*plain)(std::size_t) = &::operator new;
    void (*plain_delete)(void *) noexcept = &::operator delete;
    EXPECT(dladdr(reinterpret_cast<void *>(plain), &of_new) != 0);
    EXPECT(dladdr(reinterpret_cast<void *>(plain_delete), &of_delete) != 0);
    EXPECT(std::strstr(of_malloc.dli_fname, "mimalloc") != nullptr);
    EXPECT(of_malloc.dli_fbase == of_new.dli_fbase && of_new.dli_fbase == of_delete.dli_fbase);
}

static void
test_success()
{
    for (std::size_t size = 0; size < 1000000; size = size * 2 + 1) {
        void *p = ::operator new(size);
        EXPECT(fits(p, size, 16));
        ::operator delete(p);
        p = ::operator new[](size);
        EXPECT(fits(p, size, 16));
        ::operator delete[](p);
        p = ::operator new(size, std::nothrow);
        EXPECT(fits(p, size, 16));
        ::operator delete(p, std::nothrow);
        p = ::operator new[](size, std::nothrow);
        EXPECT(fits(p, size, 16));
        ::operator delete[](p, std::nothrow);
        p = ::operator new(size, wide);
        EXPECT(fits(p, size, 256));
        ::operator delete(p, wide);
        p = ::operator new[](size, wide);
        EXPECT(fits(p, size, 256));
        ::operator delete[](p, wide);
        p = ::operator new(size, wide, std::nothrow);
        EXPECT(fits(p, size, 256));
        ::operator delete(p, wide, std::nothrow);
        p = ::operator new[](size, wide, std::nothrow);
        EXPECT(fits(p, size, 256));
        ::operator delete[](p, wide, std::nothrow);
        ::operator delete(::operator new(size, wide), size, wide);
        ::operator delete[](::operator new[](size, wide), size, wide);
#ifdef __cpp_sized_deallocation
        ::operator delete(::operator new(size), size);
        ::operator delete[](::operator new[](size), size);
#endif
        std::free(::operator new(size));
        ::operator delete(std::malloc(size));
    }
    std::vector<std::string> all(1000, std::string(100, 'x'));
    EXPECT(malloc_usable_size(all.data()) >= 1000 * sizeof(std::string));
    EXPECT(malloc_usable_size(&all[500][0]) > 100);
}

static int handler_calls;

static void
give_up_at_third_call()
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

// What `failing` throws: 0 nothing, 1 std::bad_alloc, 2 the handler's own, 3 something else.
template <class Function>
static int
thrown_by(Function failing)
{
    try {
        void *volatile p = failing();
        (void)p;
        return 0;
    } catch (const special_t &) {
        return 2;
    } catch (const std::bad_alloc &) {
        return 1;
    } catch (...) {
        return 3;
    }
}

template <class Function>
static void
check_throwing(Function failing)
{
    EXPECT(thrown_by(failing) == 1);
    handler_calls = 0;
    std::set_new_handler(give_up_at_third_call);
    EXPECT(thrown_by(failing) == 1 && handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(throw_special);
    EXPECT(thrown_by(failing) == 2 && handler_calls == 1);
    std::set_new_handler(nullptr);
}

template <class Function>
static void
check_nothrow(Function failing)
{
    EXPECT(failing() == nullptr);
    handler_calls = 0;
    std::set_new_handler(give_up_at_third_call);
    EXPECT(failing() == nullptr && handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(throw_special);
    EXPECT(failing() == nullptr && handler_calls == 1);
    std::set_new_handler(nullptr);
}

static void
test_failure()
{
    check_throwing([] { return ::operator new(too_much); });
    check_throwing([] { return ::operator new[](too_much); });
    check_throwing([] { return ::operator new(too_much, wide); });
    check_throwing([] { return ::operator new[](too_much, wide); });
    check_nothrow([] { return ::operator new(too_much, std::nothrow); });
    check_nothrow([] { return ::operator new[](too_much, std::nothrow); });
    check_nothrow([] { return ::operator new(too_much, wide, std::nothrow); });
    check_nothrow([] { return ::operator new[](too_much, wide, std::nothrow); });
    // The whole way through the library, as a container takes it.
    EXPECT(thrown_by([] { return std::vector<char>(too_much).data(); }) == 1);
}

extern "C" int
operators_run(void)
{
    test_whose();
    test_success();
    test_failure();
    std::printf("%d failed\n", failures);
    return failures != 0;
}

int
main()
{
    return operators_run();
}
