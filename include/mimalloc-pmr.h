/* SPDX-License-Identifier: MIT */
/*
 * mimalloc-pmr.h - memory resources, for containers of std::pmr.
 *
 *     mi_heap_memory_resource resource;
 *     std::pmr::vector<int> numbers(&resource);
 *
 * For C++17 and later. All of them honour any alignment, fail as mi_new does (the new handler, then
 * std::bad_alloc), and may be used by several threads at once. A resource must outlive what was
 * allocated from it, and can't be copied.
 */
#ifndef MIMALLOC_PMR_H
#define MIMALLOC_PMR_H

#if !defined(__cplusplus) || __cplusplus < 201703L
#error "mimalloc-pmr.h is for C++17 and later"
#endif

#include <cstddef>
#include <memory_resource>
#include <new>

#include "mimalloc.h"

/* NOLINTBEGIN(readability-identifier-naming): the standard library's names */

/*
 * Blocks of mi_malloc, which mi_free and any other resource of this class may free: all of them are
 * equal.
 */
class mi_memory_resource : public std::pmr::memory_resource {
  public:
    mi_memory_resource() noexcept = default;
    mi_memory_resource(const mi_memory_resource &) = delete;
    mi_memory_resource &operator=(const mi_memory_resource &) = delete;

  protected:
    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return alignment <= 16 ? mi_new(bytes) : mi_new_aligned(bytes, alignment);
    }
    void do_deallocate(void *p, std::size_t bytes, std::size_t alignment) override
    {
        mi_free_size_aligned(p, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
#if defined(__cpp_rtti) || defined(__GXX_RTTI)
        return this == &other || dynamic_cast<const mi_memory_resource *>(&other) != nullptr;
#else
        return this == &other;
#endif
    }
};

/*
 * One mi_memory_resource for all, as std::pmr::new_delete_resource is; for
 * std::pmr::set_default_resource, say. It is never destroyed.
 */
inline std::pmr::memory_resource *
mi_get_memory_resource() noexcept
{
    alignas(mi_memory_resource) static unsigned char place[sizeof(mi_memory_resource)];
    static std::pmr::memory_resource *const resource = ::new (static_cast<void *>(place)) mi_memory_resource;
    return resource;
}

/*
 * Blocks of a heap. Made from nothing it makes a heap, which it ends by mi_heap_delete: blocks that are
 * still there then live on in the main heap. Made from a heap it uses that one, which must outlive it.
 * Two that have the same heap are equal. Throws std::bad_alloc when there is no memory for a heap.
 */
class mi_heap_memory_resource : public std::pmr::memory_resource {
  public:
    mi_heap_memory_resource() : heap_(mi_stl::make_heap()), owned_(true) {}
    explicit mi_heap_memory_resource(mi_heap_t *heap) noexcept : heap_(heap), owned_(false) {}
    mi_heap_memory_resource(const mi_heap_memory_resource &) = delete;
    mi_heap_memory_resource &operator=(const mi_heap_memory_resource &) = delete;
    ~mi_heap_memory_resource() override
    {
        if (owned_) {
            mi_heap_delete(heap_);
        }
    }

    mi_heap_t *heap() const noexcept
    {
        return heap_;
    }

  protected:
    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return alignment <= 16 ? mi_heap_alloc_new(heap_, bytes)
                               : mi_stl::heap_new_aligned(heap_, bytes, alignment);
    }
    void do_deallocate(void *p, std::size_t bytes, std::size_t alignment) override
    {
        mi_free_size_aligned(p, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
#if defined(__cpp_rtti) || defined(__GXX_RTTI)
        const auto *same = dynamic_cast<const mi_heap_memory_resource *>(&other);
        return same != nullptr && same->heap_ == heap_;
#else
        return this == &other;
#endif
    }

    mi_heap_t *heap_;
    const bool owned_;
};

/*
 * Blocks of a heap of its own that are freed all at once, by `release` or when the resource ends; to
 * deallocate one does nothing. As std::pmr::monotonic_buffer_resource, but for many threads, and each
 * block is one of mi_malloc's, which mi_usable_size knows. While `release` runs, no other thread may
 * use the resource; after it, no block from before.
 */
class mi_heap_destroy_memory_resource : public mi_heap_memory_resource {
  public:
    mi_heap_destroy_memory_resource() : mi_heap_memory_resource(mi_stl::make_heap()) {}
    ~mi_heap_destroy_memory_resource() override
    {
        mi_heap_destroy(heap_);
    }

    void release()
    {
        mi_heap_t *fresh = mi_stl::make_heap();
        mi_heap_destroy(heap_);
        heap_ = fresh;
    }

  protected:
    void do_deallocate(void *, std::size_t, std::size_t) override {}
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }
};

/* NOLINTEND(readability-identifier-naming) */

#endif
