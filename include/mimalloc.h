/* SPDX-License-Identifier: MIT */
/*
 * mimalloc.h - a fast and compact memory allocator.
 *
 * For C (C89 with stdint.h, and later) and C++ (C++98 and later). In all of this file:
 *
 * Units        Sizes, counts and alignments are in bytes or in elements, never in words.
 * Blocks       A block is aligned to 16 bytes, and holds at least as many bytes as were asked for;
 *              mi_usable_size tells how many. A block of size 0 is a block like any other: it has an
 *              address of its own and is to be freed. All blocks are freed by mi_free, whatever
 *              function gave them. Where the library replaces malloc, blocks of malloc and of
 *              mi_malloc are the same thing.
 * Failure      A function that allocates returns NULL when there is no memory, when a size exceeds
 *              PTRDIFF_MAX, or when count * size overflows; errno is then ENOMEM. When an alignment
 *              is no power of two, it returns NULL and errno is EINVAL. The function given to
 *              mi_register_error is called as well. A call that succeeds leaves errno as it was.
 * Threads      Any thread may call any function at any time, and may free or resize blocks that
 *              another thread allocated, unless the function says otherwise. None of them may be
 *              called from a signal handler.
 * Misuse       A pointer that is given to a function must be NULL, where that is allowed, or a live
 *              block of this library. Anything else is reported if it is noticed (option
 *              MIMALLOC_ERRORS says what happens then).
 */
#ifndef MIMALLOC_H
#define MIMALLOC_H

#define MI_MALLOC_VERSION 30403 /* major * 10000 + minor * 100 + patch */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Attributes ------------------------------------------------------------------------------ */

#if defined(mi_attr_noexcept) /* by the library itself, when it is compiled as C++ */
#elif defined(__cplusplus) && __cplusplus >= 201103L
#define mi_attr_noexcept noexcept
#elif defined(__cplusplus)
#define mi_attr_noexcept throw()
#else
#define mi_attr_noexcept
#endif

#if defined(__cplusplus) && __cplusplus >= 201103L
#define mi_attr_constexpr constexpr
#else
#define mi_attr_constexpr
#endif

#if defined(__cplusplus) && __cplusplus >= 201703L
#define mi_decl_nodiscard [[nodiscard]]
#elif defined(__GNUC__)
#define mi_decl_nodiscard __attribute__((warn_unused_result))
#else
#define mi_decl_nodiscard
#endif

#if defined(__GNUC__)
#define mi_cdecl
#if !defined(_WIN32)
#define mi_decl_export __attribute__((visibility("default")))
#elif defined(MI_SHARED) && MI_SHARED
#define mi_decl_export __declspec(dllexport)
#else
#define mi_decl_export
#endif
#define mi_decl_restrict
#define mi_attr_malloc __attribute__((malloc))
#define mi_attr_alloc_size(s) __attribute__((alloc_size(s)))
#define mi_attr_alloc_size2(count, size) __attribute__((alloc_size(count, size)))
#define mi_attr_alloc_align(p) __attribute__((alloc_align(p)))
#else
#define mi_cdecl
#define mi_decl_export
#define mi_decl_restrict
#define mi_attr_malloc
#define mi_attr_alloc_size(s)
#define mi_attr_alloc_size2(count, size)
#define mi_attr_alloc_align(p)
#endif

/* For functions that give a new block. */
#define mi_decl_new mi_decl_nodiscard mi_decl_export mi_decl_restrict mi_attr_malloc

/* bool is newer than C89; this keeps -pedantic silent about it. */
#if defined(__GNUC__) && !defined(__cplusplus)
#define mi_decl_extension __extension__
#else
#define mi_decl_extension
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Attributes have a line of their own, which clang-format does not know. */
/* clang-format off */

/* ---- The standard functions ------------------------------------------------------------------ */

/* A block of `size` bytes; its contents are not set. */
mi_decl_new mi_attr_alloc_size(1) void *mi_malloc(size_t size) mi_attr_noexcept;

/* A block of `count * size` bytes, all zero. */
mi_decl_new mi_attr_alloc_size2(1, 2)
void *mi_calloc(size_t count, size_t size) mi_attr_noexcept;

/*
 * Changes the size of block `p` to `newsize` bytes and returns where it is now. The bytes up to the
 * smaller of both sizes stay as they are. NULL as `p` gives a new block. Size 0 gives a block of
 * the smallest size: it never just frees. When it fails, `p` stays valid and unchanged.
 */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_realloc(void *p, size_t newsize) mi_attr_noexcept;

/*
 * `p` when its block can hold `newsize` bytes where it is, else NULL, which is not an error: errno
 * is left alone, and the block stays as it is. NULL as `p` gives NULL.
 */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_expand(void *p, size_t newsize) mi_attr_noexcept;

/* Frees block `p`; NULL does nothing. errno is preserved. */
mi_decl_export void mi_free(void *p) mi_attr_noexcept;

/* A block with a copy of the string `s`, its end included. NULL as `s` gives NULL. */
mi_decl_new char *mi_strdup(const char *s) mi_attr_noexcept;

/* The same, of the first `n` characters at most; `s` need not have an end within these. */
mi_decl_new char *mi_strndup(const char *s, size_t n) mi_attr_noexcept;

/*
 * The absolute name of file `fname` without symbolic links, "." and "..", as realpath of POSIX.
 * Written to `resolved_name`, at least PATH_MAX characters, or to a new block when that is NULL. On
 * failure NULL, and errno as realpath sets it.
 */
mi_decl_nodiscard mi_decl_export
char *mi_realpath(const char *fname, char *resolved_name) mi_attr_noexcept;

/* ---- More of the same ------------------------------------------------------------------------ */

/* Sizes up to this one are the quickest. */
#define MI_SMALL_WSIZE_MAX (128)
#define MI_SMALL_SIZE_MAX (MI_SMALL_WSIZE_MAX * sizeof(void *))

/* mi_malloc and mi_zalloc for sizes that are known to be at most MI_SMALL_SIZE_MAX. */
mi_decl_new mi_attr_alloc_size(1)
void *mi_malloc_small(size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_zalloc_small(size_t size) mi_attr_noexcept;

/*
 * mi_free for blocks of the two functions above; `local`: that this thread allocated; `nonnull`:
 * which are not NULL. All are as quick as mi_free, and take what it takes.
 */
mi_decl_export void mi_free_small(void *p) mi_attr_noexcept;
mi_decl_export void mi_free_small_nonnull(void *p) mi_attr_noexcept;
mi_decl_export void mi_free_small_local(void *p) mi_attr_noexcept;
mi_decl_export void mi_free_small_local_nonnull(void *p) mi_attr_noexcept;

/* A block of `size` bytes, all zero. */
mi_decl_new mi_attr_alloc_size(1) void *mi_zalloc(size_t size) mi_attr_noexcept;

/* A block of `count * size` bytes; its contents are not set. */
mi_decl_new mi_attr_alloc_size2(1, 2)
void *mi_mallocn(size_t count, size_t size) mi_attr_noexcept;

/* mi_realloc to `count * size` bytes. */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_reallocn(void *p, size_t count, size_t size) mi_attr_noexcept;

/* mi_realloc that frees `p` when it fails. */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_reallocf(void *p, size_t newsize) mi_attr_noexcept;

/* Bytes that may be used at block `p`: at least the size asked for. 0 for NULL. */
mi_decl_nodiscard mi_decl_export
size_t mi_usable_size(const void *p) mi_attr_noexcept;

/*
 * The usable size that a block of `size` bytes would have. Asking for that size from the start
 * wastes nothing. An impossible size is returned as it is. Allocates nothing.
 */
mi_decl_nodiscard mi_decl_export
size_t mi_good_size(size_t size) mi_attr_noexcept;

/* ---- Aligned blocks -------------------------------------------------------------------------- */

/*
 * As the functions without `_aligned`, but the block's address is a multiple of `alignment`, any
 * power of two. The `_at` functions make the address plus `offset` a multiple of it instead; where that
 * asks for more than the functions without `_at`, `alignment` is at most 64 KiB (else NULL, ENOMEM).
 * Resizing keeps the alignment only if it is asked for again. All of these are freed by mi_free.
 */
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_malloc_aligned(size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_zalloc_aligned(size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(1, 2) mi_attr_alloc_align(3)
void *mi_calloc_aligned(size_t count, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(1, 2)
void *mi_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_realloc_aligned(void *p, size_t newsize, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_realloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset) mi_attr_noexcept;

/* ---- Resizing blocks that are zero ----------------------------------------------------------- */

/*
 * As the functions with `alloc` for `zalloc` and `calloc`, and bytes that the block gains are zero.
 * Only for blocks that were zero when allocated and always resized by these functions; NULL as `p`
 * gives a zero block.
 */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_rezalloc(void *p, size_t newsize) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_recalloc(void *p, size_t newcount, size_t size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_rezalloc_aligned(void *p, size_t newsize, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_rezalloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4)
void *mi_recalloc_aligned(void *p, size_t newcount, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_recalloc_aligned_at(void *p, size_t newcount, size_t size, size_t alignment,
                             size_t offset) mi_attr_noexcept;

/* ---- Functions that also tell block sizes ---------------------------------------------------- */

/*
 * As the functions without the `u` (`z`: zeroed). The usable size of the block goes to
 * `*block_size`, 0 when there is none; mi_urealloc tells it before and after, mi_ufree what it was.
 * Pointers to sizes may be NULL.
 */
mi_decl_new mi_attr_alloc_size(1)
void *mi_umalloc(size_t size, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_uzalloc(size_t size, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(1, 2)
void *mi_ucalloc(size_t count, size_t size, size_t *block_size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_urealloc(void *p, size_t newsize, size_t *block_size_pre, size_t *block_size_post) mi_attr_noexcept;
mi_decl_export void mi_ufree(void *p, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_umalloc_aligned(size_t size, size_t alignment, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_uzalloc_aligned(size_t size, size_t alignment, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_umalloc_small(size_t size, size_t *block_size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_uzalloc_small(size_t size, size_t *block_size) mi_attr_noexcept;

/* ---- Blocks for a type ----------------------------------------------------------------------- */

#define mi_malloc_tp(tp) ((tp *)mi_malloc(sizeof(tp)))
#define mi_zalloc_tp(tp) ((tp *)mi_zalloc(sizeof(tp)))
#define mi_calloc_tp(tp, n) ((tp *)mi_calloc(n, sizeof(tp)))
#define mi_mallocn_tp(tp, n) ((tp *)mi_mallocn(n, sizeof(tp)))
#define mi_reallocn_tp(tp, p, n) ((tp *)mi_reallocn(p, n, sizeof(tp)))
#define mi_recalloc_tp(tp, p, n) ((tp *)mi_recalloc(p, n, sizeof(tp)))

/* ---- The process and its threads ------------------------------------------------------------- */

/* MI_MALLOC_VERSION of the library that is running. */
mi_decl_nodiscard mi_decl_export int mi_version(void) mi_attr_noexcept;

/*
 * Tidies up: blocks that other threads freed come home, empty pages are released, and free memory
 * whose time has come goes back to the system; with `force` all of it at once. Pages of threads
 * that ended are included, pages that another thread is using are not.
 */
mi_decl_extension mi_decl_export void mi_collect(bool force) mi_attr_noexcept;

/*
 * mi_collect(true), when the pages that the calling thread owns hold more than `target_thread_owned`
 * bytes; else nothing. Pages with live blocks stay, so that it may remain above that.
 */
mi_decl_export void mi_collect_reduce(size_t target_thread_owned) mi_attr_noexcept;

/*
 * Whether `p`, any pointer, lies in memory that this library gives blocks from: perhaps in a block,
 * perhaps in memory that is free just now.
 */
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_is_in_heap_region(const void *p) mi_attr_noexcept;

/* Whether calls of malloc were redirected when the program was loaded, as on Windows: no. */
mi_decl_extension mi_decl_nodiscard mi_decl_export bool mi_is_redirected(void) mi_attr_noexcept;

/*
 * Called now and then when a thread allocates, so that a runtime can free what it put off: `force`
 * in mi_collect(true), `heartbeat` counts the calls. The function may allocate and free; it is not
 * called again from within itself. NULL: no function. To be set before other threads allocate.
 */
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wlong-long"
#endif
mi_decl_extension typedef void(mi_cdecl mi_deferred_free_fun)(bool force, unsigned long long heartbeat,
                                                              void *arg);
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
mi_decl_export void mi_register_deferred_free(mi_deferred_free_fun *deferred_free, void *arg)
                                              mi_attr_noexcept;

/*
 * Sends all text of the library to `out`, in pieces of one line or more; NULL: to standard error,
 * as at first. The function is called one piece at a time, and must not expect the calling thread
 * to be any special one.
 */
typedef void(mi_cdecl mi_output_fun)(const char *msg, void *arg);
mi_decl_export void mi_register_output(mi_output_fun *out, void *arg) mi_attr_noexcept;

/*
 * Called when something fails: ENOMEM no memory, EOVERFLOW an impossible size, EINVAL a pointer or
 * alignment that makes no sense, EAGAIN a block that is free already, EFAULT memory that was
 * overwritten. NULL: no function.
 */
typedef void(mi_cdecl mi_error_fun)(int err, void *arg);
mi_decl_export void mi_register_error(mi_error_fun *fun, void *arg) mi_attr_noexcept;

/*
 * Figures of the process: milliseconds since start, spent in user and in system mode; bytes
 * resident now and at the peak; bytes that the library has made accessible now and at the peak;
 * page faults. Any may be NULL; 0 where the system does not tell.
 */
mi_decl_export void mi_process_info(size_t *elapsed_msecs, size_t *user_msecs, size_t *system_msecs,
                                    size_t *current_rss, size_t *peak_rss, size_t *current_commit,
                                    size_t *peak_commit, size_t *page_faults) mi_attr_noexcept;

/* The same as text, to `out` or (NULL) to where text of the library goes. */
mi_decl_export void mi_process_info_print(void) mi_attr_noexcept;
mi_decl_export void mi_process_info_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/*
 * Statistics of the whole process as text, the same way. mi_stats_print ignores its argument. As
 * numbers and as JSON: mimalloc-stats.h.
 */
mi_decl_export void mi_stats_print(void *ignored) mi_attr_noexcept;
mi_decl_export void mi_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/*
 * The same of the calling thread alone: the blocks that it has allocated, and the pages that it owns
 * with the blocks that live in them. Blocks that have a page of their own belong to no thread.
 */
mi_decl_export void mi_thread_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/*
 * Counts from now: from here on, statistics say what was allocated, purged and so on since this
 * call, and the highest values since it. What is in use now stays counted.
 */
mi_decl_export void mi_stats_reset(void) mi_attr_noexcept;

/* Does nothing: statistics are always those of all threads. */
mi_decl_export void mi_stats_merge(void) mi_attr_noexcept;

/*
 * All of these happen by themselves. mi_process_init sets the library up now; mi_thread_init gives
 * the calling thread what it needs to allocate; mi_thread_done takes that back, and the next
 * allocation of the thread starts anew; mi_process_done prints the statistics that
 * MIMALLOC_SHOW_STATS asks for. Calling them more than once is fine.
 */
mi_decl_export void mi_process_init(void) mi_attr_noexcept;
mi_decl_export void mi_process_done(void) mi_attr_noexcept;
mi_decl_export void mi_thread_init(void) mi_attr_noexcept;
mi_decl_export void mi_thread_done(void) mi_attr_noexcept;

/*
 * Tells that the calling thread belongs to a pool of threads. Nothing changes: the next thread takes
 * over what one that ends leaves behind, in a pool or not.
 */
mi_decl_export void mi_thread_set_in_threadpool(void) mi_attr_noexcept;

/* ---- Options --------------------------------------------------------------------------------- */

/*
 * The options, by the name that they have in the environment (MIMALLOC_PURGE_DELAY is
 * mi_option_purge_delay); docs/options.md says what each of them does. Those that have no meaning in
 * this library keep the value that they are given, and have no effect.
 */
/* NOLINTBEGIN(readability-identifier-naming): names that programs use */
typedef enum mi_option_e {
    mi_option_show_errors = 0,
    mi_option_show_stats = 1,
    mi_option_verbose = 2,
    mi_option_deprecated_eager_commit = 3,
    mi_option_arena_eager_commit = 4,
    mi_option_purge_decommits = 5,
    mi_option_allow_large_os_pages = 6,
    mi_option_reserve_huge_os_pages = 7,
    mi_option_reserve_huge_os_pages_at = 8,
    mi_option_reserve_os_memory = 9,
    mi_option_deprecated_segment_cache = 10,
    mi_option_deprecated_page_reset = 11,
    mi_option_deprecated_abandoned_page_purge = 12,
    mi_option_deprecated_segment_reset = 13,
    mi_option_deprecated_eager_commit_delay = 14,
    mi_option_purge_delay = 15,
    mi_option_use_numa_nodes = 16,
    mi_option_disallow_os_alloc = 17,
    mi_option_os_tag = 18,
    mi_option_max_errors = 19,
    mi_option_max_warnings = 20,
    mi_option_deprecated_max_segment_reclaim = 21,
    mi_option_destroy_on_exit = 22,
    mi_option_arena_reserve = 23,
    mi_option_arena_purge_mult = 24,
    mi_option_deprecated_purge_extend_delay = 25,
    mi_option_disallow_arena_alloc = 26,
    mi_option_retry_on_oom = 27,
    mi_option_visit_abandoned = 28,
    mi_option_guarded_min = 29,
    mi_option_guarded_max = 30,
    mi_option_guarded_precise = 31,
    mi_option_guarded_sample_rate = 32,
    mi_option_guarded_sample_seed = 33,
    mi_option_generic_collect = 34,
    mi_option_page_reclaim_on_free = 35,
    mi_option_page_full_retain = 36,
    mi_option_page_max_candidates = 37,
    mi_option_max_vabits = 38,
    mi_option_pagemap_commit = 39,
    mi_option_page_commit_on_demand = 40,
    mi_option_page_max_reclaim = 41,
    mi_option_page_cross_thread_max_reclaim = 42,
    mi_option_allow_thp = 43,
    mi_option_minimal_purge_size = 44,
    mi_option_arena_max_object_size = 45,
    mi_option_arena_is_numa_local = 46,
    _mi_option_last = 47, /* the end of the numbers that other versions share */

    /* Options of this library, out of the way of those that other versions will add. */
    mi_option_errors = 1000,
    mi_option_region_size = 1001,
    mi_option_held_size = 1002,
    mi_option_deepbind = 1003,
    mi_option_target_segments_per_thread = 1004, /* of version 2 */
    mi_option_purge_thread = 1005,
    mi_option_memory_limit = 1006,
    mi_option_memory_soft_limit = 1007,
    mi_option_cgroup_limit = 1008,
    mi_option_profile_rate = 1009,
    mi_option_profile_format = 1010,
    mi_option_profile_alloc_interval = 1011,
    mi_option_profile_inuse_interval = 1012,
    mi_option_profile_time_interval = 1013,
    mi_option_profile_leaks = 1014,
    mi_option_trim_delay = 1015,
    mi_option_memory_pressure = 1016,
    mi_option_live = 1017,
    mi_option_metrics_interval = 1018,
    mi_option_metrics_classes = 1019,
    mi_option_secure = 1020,
    _mi_option_ours_last,

    /* Names of versions 1 and 2. */
    mi_option_eager_commit = mi_option_deprecated_eager_commit,
    mi_option_eager_region_commit = mi_option_arena_eager_commit,
    mi_option_reset_decommits = mi_option_purge_decommits,
    mi_option_allow_decommit = mi_option_purge_decommits,
    mi_option_large_os_pages = mi_option_allow_large_os_pages,
    mi_option_segment_cache = mi_option_deprecated_segment_cache,
    mi_option_page_reset = mi_option_deprecated_page_reset,
    mi_option_abandoned_page_purge = mi_option_deprecated_abandoned_page_purge,
    mi_option_abandoned_page_reset = mi_option_deprecated_abandoned_page_purge,
    mi_option_abandoned_page_decommit = mi_option_deprecated_abandoned_page_purge,
    mi_option_segment_reset = mi_option_deprecated_segment_reset,
    mi_option_eager_commit_delay = mi_option_deprecated_eager_commit_delay,
    mi_option_reset_delay = mi_option_purge_delay,
    mi_option_decommit_delay = mi_option_purge_delay,
    mi_option_limit_os_alloc = mi_option_disallow_os_alloc,
    mi_option_max_segment_reclaim = mi_option_deprecated_max_segment_reclaim,
    mi_option_purge_extend_delay = mi_option_deprecated_purge_extend_delay,
    mi_option_decommit_extend_delay = mi_option_deprecated_purge_extend_delay,
    mi_option_abandoned_reclaim_on_free = mi_option_page_reclaim_on_free
} mi_option_t;
/* NOLINTEND(readability-identifier-naming) */

/*
 * The value of `option`, from the program, else the environment, else the default. Sizes are in KiB,
 * rounded up; words count from 0 in the order in which docs/options.md lists them. An unknown option
 * is 0.
 */
mi_decl_nodiscard mi_decl_export long mi_option_get(mi_option_t option);

/* The same, but at least `min` and at most `max`. */
mi_decl_nodiscard mi_decl_export long mi_option_get_clamp(mi_option_t option, long min, long max);

/* The value of an option that is a size, in bytes. Of any other option its value, 0 if negative. */
mi_decl_nodiscard mi_decl_export size_t mi_option_get_size(mi_option_t option);

/* Whether the value is not 0. */
mi_decl_extension mi_decl_nodiscard mi_decl_export bool mi_option_is_enabled(mi_option_t option);

/*
 * Sets `option` from now on, whatever the environment says. Units are those of mi_option_get; a value
 * out of range becomes the nearest one in it. What is read only once (mi_option_region_size, at the
 * first allocation) must be set before that. A delay for purges (mi_option_purge_delay) also counts
 * for memory that is free already. An unknown option is ignored.
 */
mi_decl_export void mi_option_set(mi_option_t option, long value);
mi_decl_extension mi_decl_export void mi_option_set_enabled(mi_option_t option, bool enable);
mi_decl_export void mi_option_enable(mi_option_t option);
mi_decl_export void mi_option_disable(mi_option_t option);

/* The same, unless the environment or the program has set the option. */
mi_decl_export void mi_option_set_default(mi_option_t option, long value);
mi_decl_extension mi_decl_export void mi_option_set_enabled_default(mi_option_t option, bool enable);

/*
 * All options that have an effect, or that somebody set, with their values, one in a line, to `out`
 * or (NULL) to where text of the library goes.
 */
mi_decl_export void mi_options_print(void) mi_attr_noexcept;
mi_decl_export void mi_options_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/* ---- Arenas: memory that the program hands over, or has reserved -------------------------------- */

/*
 * An arena is a range of memory that blocks are allocated in. By itself the library has one, which
 * grows; more of them come from the functions below. An arena that is not exclusive serves every
 * allocation, before the library takes memory of its own. An exclusive one serves only heaps that
 * are bound to it (mi_heap_new_in_arena), and whoever takes over the pages of such a heap that was
 * deleted with live blocks. Blocks of any arena are freed as others are, by any thread.
 *
 * An arena stays for the life of the process: it may hold live blocks at any time, so memory that was
 * handed over can't be taken back, unmapped or used for something else. There may be about 1000.
 *
 * All of these functions may be called from any thread at any time.
 */
typedef void *mi_arena_id_t;

/* A multiple of this is best as start and size of an arena: what lies outside is not used. */
mi_decl_nodiscard mi_decl_export size_t mi_arena_min_alignment(void) mi_attr_noexcept;

/*
 * The least memory that can be an arena (64 KiB), once its start is aligned. A heap takes 64 KiB for
 * each size that it uses up to 4 KiB, and 512 KiB for each above: 1 MiB is the least that makes sense.
 */
mi_decl_nodiscard mi_decl_export size_t mi_arena_min_size(void) mi_attr_noexcept;

/* The largest block that an arena can hold, if the arena is as large. */
mi_decl_nodiscard mi_decl_export size_t mi_arena_max_object_size(void) mi_attr_noexcept;

/*
 * Makes `size` bytes from `start` an arena, and sets `*arena_id` to it (NULL: nobody asks). The memory
 * must stay as it is, and nobody else may use it. Nothing of the library's own is kept there, save in
 * blocks that are free.
 *
 *   is_committed  it is accessible; else the library makes it so as it needs it (by mprotect), and it
 *                 must be private memory without a file behind it
 *   is_pinned     its pages must never be given back to the system (huge or locked pages, devices).
 *                 Memory that is shared or has a file behind it is always treated like that
 *   is_zero       it reads as zero; else calloc clears what it hands out of it
 *   numa_node     the node it is near to; -1: any. Threads of that node prefer it
 *
 * Returns false when no whole 64 KiB lie in it, when a part of it is in an arena already (blocks of
 * this library are), or when there is no memory to keep books on it (1/500 of the size).
 */
mi_decl_export bool mi_manage_os_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                        bool is_zero, int numa_node) mi_attr_noexcept;
mi_decl_export bool mi_manage_os_memory_ex(void *start, size_t size, bool is_committed, bool is_pinned,
                                           bool is_zero, int numa_node, bool exclusive,
                                           mi_arena_id_t *arena_id) mi_attr_noexcept;

/*
 * The same with memory that a function commits and decommits, both in multiples of 64 KiB. It is
 * called with `commit` before a part is used that is not committed, and says whether the part is
 * zero then; and without when a part has been free for a while. False: it can't be done; the
 * allocation fails, or the part stays committed. It is called from within malloc and free, by any
 * thread, by several at once for different parts, and must not allocate itself. Memory of an arena
 * with is_committed counts as not zero. NULL: mi_manage_os_memory_ex.
 */
typedef bool(mi_cdecl mi_commit_fun_t)(bool commit, void *start, size_t size, bool *is_zero, void *user_arg);
mi_decl_export bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                     bool is_zero, int numa_node, bool exclusive,
                                     mi_commit_fun_t *commit_fun, void *commit_fun_arg,
                                     mi_arena_id_t *arena_id) mi_attr_noexcept;

/*
 * Reserves `size` bytes as an arena; `commit`: accessible, and counted as memory of the process, from
 * now on; `allow_large`: in pages of 2 MiB that the system keeps (hugetlbfs), if it has enough of them
 * and the memory is committed. Returns 0, or ENOMEM.
 */
mi_decl_export int mi_reserve_os_memory(size_t size, bool commit, bool allow_large) mi_attr_noexcept;
mi_decl_export int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large, bool exclusive,
                                           mi_arena_id_t *arena_id) mi_attr_noexcept;

/*
 * Reserves `pages` huge pages of 1 GiB as an arena, near to `numa_node` (-1: anywhere), or as many
 * as the system has free; where it has none, as many GiB in pages of 2 MiB. They are made ready at
 * once, which takes a good part of a second for each; after `timeout_msecs` (0: never) the arena is
 * what is ready, at least one. Returns 0, or ENOMEM when there is none. Such memory is never given
 * back, and a child of fork that writes to it needs huge pages of its own.
 */
mi_decl_export int mi_reserve_huge_os_pages_at(size_t pages, int numa_node, size_t timeout_msecs)
    mi_attr_noexcept;
mi_decl_export int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                                  bool exclusive, mi_arena_id_t *arena_id) mi_attr_noexcept;

/* The same in equal parts on the first `numa_nodes` nodes (0: on all of the machine). */
mi_decl_export int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes,
                                                       size_t timeout_msecs) mi_attr_noexcept;

/* The same on all nodes, in at most `max_secs` seconds; `*pages_reserved` (may be NULL) is `pages` or 0. */
mi_decl_export int mi_reserve_huge_os_pages(size_t pages, double max_secs, size_t *pages_reserved)
    mi_attr_noexcept;

/* Where an arena starts, and its size (`size` may be NULL); NULL and 0 for what is none. */
mi_decl_nodiscard mi_decl_export void *mi_arena_area(mi_arena_id_t arena_id, size_t *size) mi_attr_noexcept;

/* Whether `p` points into the arena. */
mi_decl_nodiscard mi_decl_export bool mi_arena_contains(mi_arena_id_t arena_id, const void *p)
    mi_attr_noexcept;

/* Gives all memory of free slices of all arenas back to the system, save what is pinned. */
mi_decl_export void mi_arenas_purge(void) mi_attr_noexcept;

/*
 * Tables of the arenas, to where text of the library goes; the second also with a map of each chunk
 * of 4 MiB that is in use: `#` in use, `.` free, `_` free and given back.
 */
mi_decl_export void mi_arenas_print(void) mi_attr_noexcept;
mi_decl_export void mi_debug_show_arenas(void) mi_attr_noexcept;

/* ---- Limits ---------------------------------------------------------------------------------- */

/*
 * Limits on the memory that the library holds for blocks, in bytes; 0: none. Past the soft one,
 * free memory goes back to the system at once; an allocation that would pass the hard one fails with
 * ENOMEM, after free memory has gone back. MIMALLOC_MEMORY_LIMIT and its like set them at the start
 * (docs/options.md).
 */
mi_decl_export void mi_memory_limit_set(size_t soft, size_t hard) mi_attr_noexcept;

/* The limits as they are, and what is held now. Any of the pointers may be NULL. */
mi_decl_export void mi_memory_limit_get(size_t *soft, size_t *hard, size_t *held) mi_attr_noexcept;

/*
 * `fun` is called when the soft limit has been passed, and, with `hard` set, before an allocation
 * fails for the hard one, which is then tried again: it may free memory, and allocate. `held` and
 * `limit` are in bytes. NULL: no function.
 */
mi_decl_extension typedef void(mi_cdecl mi_memory_limit_fun)(bool hard, size_t held, size_t limit,
                                                             void *arg);
mi_decl_export void mi_register_memory_limit(mi_memory_limit_fun *fun, void *arg) mi_attr_noexcept;

/* ---- The profile ----------------------------------------------------------------------------- */

/*
 * A sampling heap profile: which stacks allocated the memory that is in use. One allocation in so many
 * bytes is sampled, at no cost for the others; docs/profiling.md is a tour. MIMALLOC_PROFILE=<base> starts
 * it with the process, and writes <base>.<pid>.<number>.pb.gz at the end.
 */

/*
 * Starts the profile, or changes its rate: one sample in `rate` bytes, in the mean; 0: as option
 * profile_rate says (512 KiB). Other threads follow on their next ways off the straight path. Returns
 * false when this build takes no samples (MI_TRACK_*). mi_profile_stop takes no more samples; those that
 * there are stay in the profile, and their frees are still noticed. Neither may be called by a function
 * that is given to one of this section.
 */
mi_decl_export bool mi_profile_start(size_t rate) mi_attr_noexcept;
mi_decl_export void mi_profile_stop(void) mi_attr_noexcept;
mi_decl_export bool mi_profile_is_active(void) mi_attr_noexcept;

/*
 * mi_profile_reset forgets what was freed, the peaks and the lifetimes: what is in use stays.
 * mi_profile_mark marks what is in use: growth (sample type growth_space) is counted from there.
 */
mi_decl_export void mi_profile_reset(void) mi_attr_noexcept;
mi_decl_export void mi_profile_mark(void) mi_attr_noexcept;

/*
 * The forms of a profile: pprof's protocol buffers, gzipped; the text that jeprof, google-pprof and pprof
 * read; folded stacks for flame graphs; a report for people.
 */
typedef enum mi_profile_form_e {
    MI_PROFILE_PPROF,
    MI_PROFILE_TEXT,
    MI_PROFILE_FOLDED,
    MI_PROFILE_REPORT
} mi_profile_form_t;

/*
 * Writes the profile to a new file at `path`, for its user only; or, when that is NULL, to the next one of
 * the base that MIMALLOC_PROFILE gave. Returns 0, or an errno: EEXIST when there is something at `path`,
 * EINVAL without a path and a base, or for a `form` that is none.
 */
mi_decl_export int mi_profile_dump(const char *path, mi_profile_form_t form) mi_attr_noexcept;

/*
 * Writes the profile by `write`, which is called for piece after piece and returns false to end this; then,
 * and without memory, the result is false. `write` may allocate, and calls nothing of this section.
 */
typedef bool(mi_cdecl mi_profile_write_fun)(const void *bytes, size_t size, void *arg);
mi_decl_export bool mi_profile_write(mi_profile_form_t form, mi_profile_write_fun *write,
                                     void *arg) mi_attr_noexcept;

/*
 * While the profile is on, calls `fn` with each sample: a block `p` of `size` bytes that was just
 * allocated, and stands for `weight_bytes` bytes of allocations like it; and again, with `freed` set, when
 * it is about to be freed. `fn` may allocate and free; that is not sampled. NULL: no function.
 */
typedef void(mi_cdecl mi_sample_fun)(bool freed, void *p, size_t size, size_t weight_bytes, void *arg);
mi_decl_export void mi_register_sample(mi_sample_fun *fn, void *arg) mi_attr_noexcept;

/* ---- POSIX, other Unix systems and Windows --------------------------------------------------- */

/* Frees `p` when it is a block of this library, and does nothing for any other pointer. */
mi_decl_export void mi_cfree(void *p) mi_attr_noexcept;

/* mi_expand, with errno = ENOMEM when the block can't hold that much. */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi__expand(void *p, size_t newsize) mi_attr_noexcept;

/* Other names of mi_usable_size and mi_good_size. */
mi_decl_nodiscard mi_decl_export
size_t mi_malloc_size(const void *p) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export
size_t mi_malloc_usable_size(const void *p) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export
size_t mi_malloc_good_size(size_t size) mi_attr_noexcept;

/*
 * Stores an aligned block in `*p` and returns 0; or returns EINVAL when `alignment` is no power of
 * two or no multiple of sizeof(void*), ENOMEM when there is no memory. `*p` is then left as it was,
 * errno always.
 */
mi_decl_export int mi_posix_memalign(void **p, size_t alignment, size_t size) mi_attr_noexcept;

/* Aligned blocks by other names; `size` need not be a multiple of `alignment`. */
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(1)
void *mi_memalign(size_t alignment, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(1)
void *mi_aligned_alloc(size_t alignment, size_t size) mi_attr_noexcept;

/* A block at the start of an OS page; mi_pvalloc also rounds the size up to OS pages, at least one. */
mi_decl_new mi_attr_alloc_size(1) void *mi_valloc(size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1)
void *mi_pvalloc(size_t size) mi_attr_noexcept;

/* mi_reallocn by its POSIX name: errno is ENOMEM, as POSIX says, also when the product overflows. */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_reallocarray(void *p, size_t count, size_t size) mi_attr_noexcept;

/*
 * The same as on NetBSD: `p` points to the pointer to the block, which is updated. A product of 0
 * frees the block and makes the pointer NULL. Returns 0, or ENOMEM, EOVERFLOW (the product) or
 * EINVAL (`p` is NULL) with the block as it was. errno is never changed.
 */
mi_decl_nodiscard mi_decl_export
int mi_reallocarr(void *p, size_t count, size_t size) mi_attr_noexcept;

/* mi_recalloc_aligned and mi_recalloc_aligned_at by their Windows names. */
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4)
void *mi_aligned_recalloc(void *p, size_t newcount, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_aligned_offset_recalloc(void *p, size_t newcount, size_t size, size_t alignment,
                                 size_t offset) mi_attr_noexcept;

/*
 * mi_free for callers that know the size they asked for last, or the alignment. Where the block cannot
 * have them that is reported, and it is not freed.
 */
mi_decl_export void mi_free_size(void *p, size_t size) mi_attr_noexcept;
mi_decl_export void mi_free_size_aligned(void *p, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_export void mi_free_aligned(void *p, size_t alignment) mi_attr_noexcept;

/*
 * Stores a copy of the environment variable `name` in `*buf`, its length with the end in `*size`
 * (may be NULL); NULL and 0 when there is none. Returns 0, EINVAL (`buf` or `name` is NULL) or
 * ENOMEM. The environment must not change meanwhile. It is empty in processes that run with more
 * rights than their caller. mi_wdupenv_s is for Windows: EINVAL elsewhere.
 */
mi_decl_export int mi_dupenv_s(char **buf, size_t *size, const char *name) mi_attr_noexcept;
mi_decl_export int mi_wdupenv_s(unsigned short **buf, size_t *size, const unsigned short *name)
                                mi_attr_noexcept;

/* Copies of strings of 16-bit characters and of multibyte strings, as mi_strdup. */
mi_decl_new unsigned short *mi_wcsdup(const unsigned short *s) mi_attr_noexcept;
mi_decl_new unsigned char *mi_mbsdup(const unsigned char *s) mi_attr_noexcept;

/* ---- C++ ------------------------------------------------------------------------------------- */

/*
 * Blocks as `operator new` gives them. When there is no memory, the new handler is called and it is
 * tried again; when there is no handler (or count * size overflows, or the alignment is no power of
 * two) std::bad_alloc is thrown. In a program without a C++ runtime (and in a fully static one that
 * links none of its exceptions) the failure is reported and the process aborts. The `_nothrow`
 * functions call no handler and return NULL.
 */
mi_decl_new mi_attr_alloc_size(1) void *mi_new(size_t size);
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_new_aligned(size_t size, size_t alignment);
mi_decl_new mi_attr_alloc_size(1)
void *mi_new_nothrow(size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(1) mi_attr_alloc_align(2)
void *mi_new_aligned_nothrow(size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(1, 2) void *mi_new_n(size_t count, size_t size);
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(2)
void *mi_new_realloc(void *p, size_t newsize);
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(2, 3)
void *mi_new_reallocn(void *p, size_t newcount, size_t size);

/* ---- First-class heaps ----------------------------------------------------------------------- */

/*
 * A heap of one's own, beside the one that mi_malloc uses: its blocks lie apart from all others and
 * can be freed all at once. Any thread may allocate from it, several at the same time, and it may be
 * handed from thread to thread; a server that is divided into shards gives each shard a heap,
 * whichever thread serves the shard. Memory is kept apart by heap and by thread.
 *
 * Blocks of any heap are freed by mi_free and resized by mi_realloc, in any thread; what mi_realloc
 * has to move then belongs to the main heap, what mi_heap_realloc moves, to the heap that is named.
 *
 * Ending a heap (mi_heap_delete, mi_heap_destroy) is for one thread, while no other allocates from
 * it. `heap` is never NULL but where that is said.
 */
typedef struct mi_heap_s mi_heap_t;

/* An arena, from mi_manage_os_memory_ex and its like. */
typedef void *mi_arena_id_t;

/* A new heap; NULL, with errno = ENOMEM, without memory or beyond 65,535 heaps at a time. */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_new(void) mi_attr_noexcept;

/*
 * The same, with blocks in the arena `arena_id` only: without room there, allocation fails. Such blocks are
 * never guarded, nor samples of the profile up to 64 KiB, since those lie elsewhere.
 */
mi_decl_nodiscard mi_decl_export
mi_heap_t *mi_heap_new_in_arena(mi_arena_id_t arena_id) mi_attr_noexcept;

/* The same by its name in version 2; `tag` and `allow_destroy` have no meaning any more. */
mi_decl_extension mi_decl_nodiscard mi_decl_export
mi_heap_t *mi_heap_new_ex(int tag, bool allow_destroy, mi_arena_id_t arena_id) mi_attr_noexcept;

/*
 * Ends the heap; its blocks live on and belong to the main heap. Other threads may free them
 * meanwhile. NULL does nothing, a main heap gets a warning.
 */
mi_decl_export void mi_heap_delete(mi_heap_t *heap) mi_attr_noexcept;

/*
 * Ends the heap and frees all of its blocks, of any size; none may be used, freed or resized from
 * the call on. NULL does nothing, a main heap gets a warning. Takes time by pages, not by blocks.
 */
mi_decl_export void mi_heap_destroy(mi_heap_t *heap) mi_attr_noexcept;

/*
 * mi_collect for the calling thread's part of the heap; for a main heap it is mi_collect itself.
 */
mi_decl_extension mi_decl_export
void mi_heap_collect(mi_heap_t *heap, bool force) mi_attr_noexcept;

/*
 * Asks that what the heap allocates from now on lies near NUMA node `numa_node`, as far as arenas
 * near to it were handed over or reserved (mi_manage_os_memory, mi_reserve_huge_os_pages_at);
 * negative: near the thread that allocates, as at first. A node that is not there is like one
 * without arenas. NULL does nothing.
 */
mi_decl_export void mi_heap_set_numa_affinity(mi_heap_t *heap, int numa_node) mi_attr_noexcept;

/* The heap that mi_malloc uses, in the subprocess of the calling thread. */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_main(void) mi_attr_noexcept;

/*
 * The heap to whose memory `p` belongs, at the start of a block or inside it; NULL when it belongs to
 * none. Any pointer will do.
 */
mi_decl_nodiscard mi_decl_export
mi_heap_t *mi_heap_of(const void *p) mi_attr_noexcept;
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_heap_contains(const mi_heap_t *heap, const void *p) mi_attr_noexcept;
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_any_heap_contains(const void *p) mi_attr_noexcept;

/* As the functions without a heap, for blocks of `heap`. */
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_malloc(mi_heap_t *heap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_zalloc(mi_heap_t *heap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_heap_calloc(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_heap_mallocn(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_malloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_zalloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_heap_realloc(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(3, 4)
void *mi_heap_reallocn(mi_heap_t *heap, void *p, size_t count, size_t size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_heap_reallocf(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept;
mi_decl_new char *mi_heap_strdup(mi_heap_t *heap, const char *s) mi_attr_noexcept;
mi_decl_new char *mi_heap_strndup(mi_heap_t *heap, const char *s, size_t n) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export
char *mi_heap_realpath(mi_heap_t *heap, const char *fname, char *resolved_name) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_heap_malloc_aligned(mi_heap_t *heap, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_malloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                                size_t offset) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_heap_zalloc_aligned(mi_heap_t *heap, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_heap_zalloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                                size_t offset) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4)
void *mi_heap_calloc_aligned(mi_heap_t *heap, size_t count, size_t size,
                             size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_heap_calloc_aligned_at(mi_heap_t *heap, size_t count, size_t size, size_t alignment,
                                size_t offset) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3) mi_attr_alloc_align(4)
void *mi_heap_realloc_aligned(mi_heap_t *heap, void *p, size_t newsize,
                              size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_heap_realloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment,
                                 size_t offset) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_heap_rezalloc(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(3, 4)
void *mi_heap_recalloc(mi_heap_t *heap, void *p, size_t newcount, size_t size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3) mi_attr_alloc_align(4)
void *mi_heap_rezalloc_aligned(mi_heap_t *heap, void *p, size_t newsize,
                               size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_heap_rezalloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment,
                                  size_t offset) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(3, 4) mi_attr_alloc_align(5)
void *mi_heap_recalloc_aligned(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                               size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size2(3, 4)
void *mi_heap_recalloc_aligned_at(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                                  size_t alignment, size_t offset) mi_attr_noexcept;

#define mi_heap_malloc_tp(tp, hp) ((tp *)mi_heap_malloc(hp, sizeof(tp)))
#define mi_heap_zalloc_tp(tp, hp) ((tp *)mi_heap_zalloc(hp, sizeof(tp)))
#define mi_heap_calloc_tp(tp, hp, n) ((tp *)mi_heap_calloc(hp, n, sizeof(tp)))
#define mi_heap_mallocn_tp(tp, hp, n) ((tp *)mi_heap_mallocn(hp, n, sizeof(tp)))
#define mi_heap_reallocn_tp(tp, hp, p, n) ((tp *)mi_heap_reallocn(hp, p, n, sizeof(tp)))
#define mi_heap_recalloc_tp(tp, hp, p, n) ((tp *)mi_heap_recalloc(hp, p, n, sizeof(tp)))

/* mi_new and mi_new_n for blocks of `heap`. */
mi_decl_new mi_attr_alloc_size(2) void *mi_heap_alloc_new(mi_heap_t *heap, size_t size);
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_heap_alloc_new_n(mi_heap_t *heap, size_t count, size_t size);

/*
 * Names of version 2. The default heap is the one that mi_malloc (and malloc, where it is replaced)
 * uses in the calling thread: the main heap, until the thread sets another. mi_heap_set_default
 * returns the one before; NULL changes nothing. mi_heap_get_backing is mi_heap_main;
 * mi_heap_contains_block and mi_heap_check_owned are mi_heap_contains, and mi_check_owned asks for
 * the default heap.
 */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_get_default(void) mi_attr_noexcept;
mi_decl_export mi_heap_t *mi_heap_set_default(mi_heap_t *heap) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_get_backing(void) mi_attr_noexcept;
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_heap_contains_block(mi_heap_t *heap, const void *p) mi_attr_noexcept;
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_heap_check_owned(mi_heap_t *heap, const void *p) mi_attr_noexcept;
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_check_owned(const void *p) mi_attr_noexcept;

/* ---- Walking heaps --------------------------------------------------------------------------- */

/* A stretch of memory with blocks of one size: sizes in bytes, `used` in blocks. */
typedef struct mi_heap_area_t {
    void *blocks;           /* its start */
    size_t reserved;        /* of address space */
    size_t committed;       /* of these, accessible */
    size_t used;            /* blocks that are live */
    size_t block_size;      /* what may be used of each block */
    size_t full_block_size; /* from one block to the next */
    void *reserved1;        /* NULL */
} mi_heap_area_t;

/*
 * Called once for each area with `block` NULL, then for each of its live blocks. Returns false to
 * end the walk.
 */
mi_decl_extension typedef bool(mi_cdecl mi_block_visit_fun)(const mi_heap_t *heap,
                                                            const mi_heap_area_t *area, void *block,
                                                            size_t block_size, void *arg);

/*
 * Visits the memory of a heap in all threads, blocks of every size and alignment; with
 * `visit_blocks` also each live block, exactly once. Returns false when the visitor ended it, or
 * when there was no memory. The visitor must not allocate from the heap or free into it.
 * Other threads may run, but what they allocate or free in this heap meanwhile may be seen or not,
 * and a page that they work on may be seen as it was; nothing else can go wrong.
 * mi_heap_visit_abandoned_blocks visits only what threads that have ended left behind, and
 * mi_abandoned_visit_blocks does so for the main heap of a subprocess (version 2; `heap_tag` is
 * ignored).
 */
mi_decl_extension mi_decl_export
bool mi_heap_visit_blocks(const mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor,
                          void *arg) mi_attr_noexcept;
mi_decl_extension mi_decl_export
bool mi_heap_visit_abandoned_blocks(const mi_heap_t *heap, bool visit_blocks,
                                    mi_block_visit_fun *visitor, void *arg) mi_attr_noexcept;

/*
 * Checks that all of a heap's pages are whole: free lists stay within their page and lead to starts
 * of blocks, no block is free twice, and counts agree. The first fault is reported (EFAULT) and
 * false returned. While other threads use the heap it may find fault where there is none.
 */
mi_decl_extension mi_decl_export
bool mi_heap_check(const mi_heap_t *heap) mi_attr_noexcept;

/*
 * Whether it helps to move block `p` of `heap` elsewhere, by a new block and a copy: the page that it
 * lies in serves no new blocks now, and fewer than `perc_threshold` of 100 blocks that fit into it are
 * live. False for a block that has a page of its own, and for a pointer that is no block of the heap.
 * Unsafe: while other threads allocate from the heap or free into it the answer may be out of date.
 */
mi_decl_extension mi_decl_nodiscard mi_decl_export
bool mi_unsafe_heap_page_is_under_utilized(mi_heap_t *heap, void *p, size_t perc_threshold) mi_attr_noexcept;

/* What a page holds, see mi_unsafe_page_info. */
typedef struct mi_page_info_t {
    size_t block_size; /* bytes of each block */
    size_t used;       /* blocks that are live */
    size_t capacity;   /* blocks that fit */
    bool serving;      /* the next blocks of this size come from here: moving one gains nothing */
} mi_page_info_t;

/*
 * The same in numbers, for programs that decide by themselves (active defragmentation): what `p`'s
 * page holds. Moving a block gains something when its page does not serve, and is emptier than the
 * pages of this size are on the whole; redis' rule is used / capacity below their mean. A block
 * that has a page of its own is one of one. False, and all of `info` zero, when `p` lies in no block
 * of the library. Unsafe in the same way.
 */
mi_decl_extension mi_decl_export
bool mi_unsafe_page_info(const void *p, mi_page_info_t *info) mi_attr_noexcept;

/* ---- Thread heaps ---------------------------------------------------------------------------- */

/*
 * A thread's part of a heap, for runtimes that keep such a handle at hand: it saves the way from the
 * heap to the part. Only that thread may allocate from it, and only while the heap lives. Its
 * functions are those of the heap.
 */
typedef struct mi_theap_s mi_theap_t;

/* The calling thread's part of `heap`; NULL, with errno = ENOMEM, without memory. */
mi_decl_nodiscard mi_decl_export mi_theap_t *mi_heap_theap(mi_heap_t *heap) mi_attr_noexcept;

/*
 * The part that mi_malloc uses in the calling thread; NULL without memory. Setting another returns
 * the one before; NULL changes nothing.
 */
mi_decl_nodiscard mi_decl_export mi_theap_t *mi_theap_get_default(void) mi_attr_noexcept;
mi_decl_export mi_theap_t *mi_theap_set_default(mi_theap_t *theap) mi_attr_noexcept;

/*
 * Ends the calling thread's part of a first-class heap before the thread itself ends: no function may
 * be called with `theap` afterwards. Its blocks stay valid, and the heap may be used again. Of a main
 * heap, which lives as long as its thread, it only gives back what is free, as mi_theap_collect. NULL
 * changes nothing.
 */
mi_decl_extension mi_decl_export void mi_theap_delete(mi_theap_t *theap) mi_attr_noexcept;

/* mi_heap_collect and mi_heap_visit_blocks for the heap of `theap`. */
mi_decl_extension mi_decl_export
void mi_theap_collect(mi_theap_t *theap, bool force) mi_attr_noexcept;

/*
 * Guards one allocation in `sample_rate` (0: none) that this thread makes from the heap of `theap`,
 * whatever MIMALLOC_GUARDED_SAMPLE_RATE says; with a `seed` other than 0 the same ones each time. And of
 * these only those of `min` to `max` bytes; more than 64 KiB are never guarded. NULL does nothing.
 */
mi_decl_extension mi_decl_export
void mi_theap_guarded_set_sample_rate(mi_theap_t *theap, size_t sample_rate, size_t seed) mi_attr_noexcept;
mi_decl_extension mi_decl_export
void mi_theap_guarded_set_size_bound(mi_theap_t *theap, size_t min, size_t max) mi_attr_noexcept;
mi_decl_extension mi_decl_export
bool mi_theap_visit_blocks(const mi_theap_t *theap, bool visit_blocks, mi_block_visit_fun *visitor,
                           void *arg) mi_attr_noexcept;

/* As mi_heap_malloc and its like, for blocks of the heap of `theap`; mi_theap_umalloc as mi_umalloc. */
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_malloc(mi_theap_t *theap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_zalloc(mi_theap_t *theap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_theap_calloc(mi_theap_t *theap, size_t count, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_malloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_zalloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_theap_malloc_aligned(mi_theap_t *theap, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2) mi_attr_alloc_align(3)
void *mi_theap_zalloc_aligned(mi_theap_t *theap, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_theap_realloc(mi_theap_t *theap, void *p, size_t newsize) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_attr_alloc_size(3)
void *mi_theap_rezalloc(mi_theap_t *theap, void *p, size_t newsize) mi_attr_noexcept;
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_umalloc(mi_theap_t *theap, size_t size, size_t *block_size) mi_attr_noexcept;

/* As mi_new, mi_new_n and mi_new_nothrow. */
mi_decl_new mi_attr_alloc_size(2) void *mi_theap_alloc_new(mi_theap_t *theap, size_t size);
mi_decl_new mi_attr_alloc_size2(2, 3)
void *mi_theap_alloc_new_n(mi_theap_t *theap, size_t count, size_t size);
mi_decl_new mi_attr_alloc_size(2)
void *mi_theap_alloc_new_nothrow(mi_theap_t *theap, size_t size) mi_attr_noexcept;

/* ---- Subprocesses ---------------------------------------------------------------------------- */

/*
 * A group of threads whose memory is kept apart from all others: its own main heap, its own heaps,
 * and what its threads leave behind when they end is taken over by threads of the group only. Every
 * thread begins in the main one. The address ranges of different subprocesses may lie side by side.
 */
typedef struct mi_subproc_id_t {
    void *_mi_subproc_id;
} mi_subproc_id_t;

/* The subprocess in which the process began, and that of the calling thread. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_main(void) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_current(void) mi_attr_noexcept;

/* A new one; its id is NULL inside, and errno ENOMEM, without memory. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_new(void) mi_attr_noexcept;

/*
 * Ends a subprocess that no thread is in any more: with all of its heaps and blocks; or, by
 * mi_subproc_delete of version 2, what is live becomes a part of the main one. The main one, and one
 * that has threads, get a warning, and stay.
 */
mi_decl_export void mi_subproc_destroy(mi_subproc_id_t subproc) mi_attr_noexcept;
mi_decl_export void mi_subproc_delete(mi_subproc_id_t subproc) mi_attr_noexcept;

/*
 * Puts the calling thread into a subprocess, best as the first thing that the thread does: what it
 * allocated before stays where it was.
 */
mi_decl_export void mi_subproc_add_current_thread(mi_subproc_id_t subproc) mi_attr_noexcept;

/*
 * Visits the heaps of a subprocess, its main one first. Returns false when the visitor ended it by
 * returning false. Heaps that are made or ended meanwhile may be seen or not.
 */
mi_decl_extension typedef bool(mi_cdecl mi_heap_visit_fun)(mi_heap_t *heap, void *arg);
mi_decl_extension mi_decl_export
bool mi_subproc_visit_heaps(mi_subproc_id_t subproc, mi_heap_visit_fun *visitor,
                            void *arg) mi_attr_noexcept;
mi_decl_extension mi_decl_export
bool mi_abandoned_visit_blocks(mi_subproc_id_t subproc, int heap_tag, bool visit_blocks,
                               mi_block_visit_fun *visitor, void *arg) mi_attr_noexcept;

/* clang-format on */

#ifdef __cplusplus
} /* extern "C" */

#include <cstddef>
#include <new>
#if __cplusplus >= 201103L
#include <memory>
#include <type_traits>
#include <utility>
#endif

/* ---- C++: allocators for containers ---------------------------------------------------------- */

/* NOLINTBEGIN(readability-identifier-naming): the standard library's names */

namespace mi_stl {

/* What the allocators below have in common: the types, and how objects are made and destroyed. */
template <class T> struct allocator_types {
    typedef T value_type;
    typedef std::size_t size_type;
    typedef std::ptrdiff_t difference_type;
    typedef T &reference;
    typedef const T &const_reference;
    typedef T *pointer;
    typedef const T *const_pointer;
#if __cplusplus >= 201103L
    using propagate_on_container_copy_assignment = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
#endif

    pointer address(reference x) const mi_attr_noexcept
    {
        return &x;
    }
    const_pointer address(const_reference x) const mi_attr_noexcept
    {
        return &x;
    }
    size_type max_size() const mi_attr_noexcept
    {
        return ~size_type(0) / 2 / sizeof(T);
    }

#if __cplusplus >= 201103L
    template <class U, class... Args> void construct(U *p, Args &&...args)
    {
        ::new (static_cast<void *>(p)) U(std::forward<Args>(args)...);
    }
    template <class U> void destroy(U *p) mi_attr_noexcept
    {
        p->~U();
    }
#else
    void construct(pointer p, const_reference value)
    {
        ::new (static_cast<void *>(p)) T(value);
    }
    void destroy(pointer p)
    {
        p->~T();
    }
#endif
};

} // namespace mi_stl

/*
 * An allocator for containers of the standard library, as in std::vector<T, mi_stl_allocator<T> >.
 * Stateless, so any of them can free what another allocated. Honours the alignment of T. Fails as
 * mi_new does. C++98 and later.
 */
template <class T> struct mi_stl_allocator : mi_stl::allocator_types<T> {
    typedef typename mi_stl::allocator_types<T>::size_type size_type;
    template <class U> struct rebind {
        typedef mi_stl_allocator<U> other;
    };
#if __cplusplus >= 201103L
    using is_always_equal = std::true_type;
#endif

    mi_attr_constexpr mi_stl_allocator() mi_attr_noexcept {}
    template <class U> mi_attr_constexpr mi_stl_allocator(const mi_stl_allocator<U> &) mi_attr_noexcept {}
    mi_stl_allocator select_on_container_copy_construction() const mi_attr_noexcept
    {
        return *this;
    }

    mi_decl_nodiscard T *allocate(size_type count, const void * = 0)
    {
        /* An alignment of 16 comes for free; the array is then checked for overflow by mi_new_n. */
        if (__alignof__(T) <= 16 || count > this->max_size()) {
            return static_cast<T *>(mi_new_n(count, sizeof(T)));
        }
        return static_cast<T *>(mi_new_aligned(count * sizeof(T), __alignof__(T)));
    }
    void deallocate(T *p, size_type = 0) mi_attr_noexcept
    {
        mi_free(p);
    }
};

template <class T1, class T2>
mi_attr_constexpr bool
operator==(const mi_stl_allocator<T1> &, const mi_stl_allocator<T2> &) mi_attr_noexcept
{
    return true;
}
template <class T1, class T2>
mi_attr_constexpr bool
operator!=(const mi_stl_allocator<T1> &, const mi_stl_allocator<T2> &) mi_attr_noexcept
{
    return false;
}

#if __cplusplus >= 201103L

/* The two allocators with heaps are there: in C++11 and later. */
#define MI_HAS_HEAP_STL_ALLOCATOR 1

namespace mi_stl {

/* Fails as mi_new does where no handler is left. The compiler must not see that the size is absurd. */
inline void *
no_memory()
{
    const volatile std::size_t impossible = ~std::size_t(0);
    return mi_new(impossible);
}

inline mi_heap_t *
make_heap()
{
    mi_heap_t *heap = mi_heap_new();
    if (!heap) {
        (void)!no_memory();
    }
    return heap;
}

/* mi_new_aligned for blocks of `heap`. */
inline void *
heap_new_aligned(mi_heap_t *heap, std::size_t size, std::size_t alignment)
{
    for (;;) {
        void *p = mi_heap_malloc_aligned(heap, size, alignment);
        if (p) {
            return p;
        }
        std::new_handler handler = std::get_new_handler();
        if (!handler) {
            return no_memory();
        }
        handler();
    }
}

/*
 * What these two have in common: a heap that all copies share, and two that have the same heap are
 * equal. Self is the allocator itself; with `destroys` its blocks are freed only with the heap.
 */
template <template <class> class Self, class T, bool destroys> struct heap_allocator : allocator_types<T> {
    typedef typename allocator_types<T>::size_type size_type;
    template <class U> struct rebind {
        typedef Self<U> other;
    };
    using is_always_equal = std::false_type;

    Self<T> select_on_container_copy_construction() const
    {
        return Self<T>(static_cast<const Self<T> &>(*this));
    }

    mi_decl_nodiscard T *allocate(size_type count, const void * = 0)
    {
        if (__alignof__(T) <= 16 || count > this->max_size()) {
            return static_cast<T *>(mi_heap_alloc_new_n(shared.get(), count, sizeof(T)));
        }
        return static_cast<T *>(heap_new_aligned(shared.get(), count * sizeof(T), __alignof__(T)));
    }
    void deallocate(T *p, size_type = 0) mi_attr_noexcept
    {
        if (!destroys) {
            mi_free(p);
        }
    }

    /* The heap that blocks come from; of the allocator, or given to it. */
    mi_heap_t *heap() const mi_attr_noexcept
    {
        return shared.get();
    }

  protected:
    heap_allocator() : shared(make_heap(), end) {}
    /* No move: what a container was moved from still has its heap. */
    heap_allocator(const heap_allocator &) = default;
    heap_allocator &operator=(const heap_allocator &) = default;
    explicit heap_allocator(mi_heap_t *given) : shared(std::shared_ptr<void>(), given) {}
    template <class U>
    heap_allocator(const heap_allocator<Self, U, destroys> &from) mi_attr_noexcept : shared(from.shared)
    {
    }

  private:
    template <template <class> class, class, bool> friend struct heap_allocator;

    static void end(mi_heap_t *heap)
    {
        if (destroys) {
            mi_heap_destroy(heap);
        } else {
            mi_heap_delete(heap);
        }
    }

    std::shared_ptr<mi_heap_t> shared;
};

template <template <class> class Self, class T1, class T2, bool destroys>
bool
operator==(const heap_allocator<Self, T1, destroys> &x, const heap_allocator<Self, T2, destroys> &y) noexcept
{
    return x.heap() == y.heap();
}
template <template <class> class Self, class T1, class T2, bool destroys>
bool
operator!=(const heap_allocator<Self, T1, destroys> &x, const heap_allocator<Self, T2, destroys> &y) noexcept
{
    return x.heap() != y.heap();
}

} // namespace mi_stl

/*
 * mi_stl_allocator with a heap. Made from nothing it makes a heap (std::bad_alloc when it can't), which
 * is ended by mi_heap_delete when its last copy is gone, in containers too; made from a heap it uses
 * that one, which must outlive it. Threads: as a std::shared_ptr; containers of several threads may
 * share a heap.
 */
template <class T> struct mi_heap_stl_allocator : mi_stl::heap_allocator<mi_heap_stl_allocator, T, false> {
    mi_heap_stl_allocator() {}
    mi_heap_stl_allocator(mi_heap_t *heap) : mi_stl::heap_allocator<mi_heap_stl_allocator, T, false>(heap) {}
    template <class U>
    mi_heap_stl_allocator(const mi_heap_stl_allocator<U> &from) mi_attr_noexcept
        : mi_stl::heap_allocator<mi_heap_stl_allocator, T, false>(from)
    {
    }
};

/*
 * The same, but nothing is freed by itself: `deallocate` does nothing, and a heap that the allocator
 * made is ended by mi_heap_destroy, with all of its blocks at once. For containers that are built and
 * then thrown away as a whole.
 */
template <class T>
struct mi_heap_destroy_stl_allocator : mi_stl::heap_allocator<mi_heap_destroy_stl_allocator, T, true> {
    mi_heap_destroy_stl_allocator() {}
    mi_heap_destroy_stl_allocator(mi_heap_t *heap)
        : mi_stl::heap_allocator<mi_heap_destroy_stl_allocator, T, true>(heap)
    {
    }
    template <class U>
    mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator<U> &from) mi_attr_noexcept
        : mi_stl::heap_allocator<mi_heap_destroy_stl_allocator, T, true>(from)
    {
    }
};

#endif /* __cplusplus >= 201103L */

/* NOLINTEND(readability-identifier-naming) */
#endif /* __cplusplus */

#endif /* MIMALLOC_H */
