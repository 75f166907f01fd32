#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the explored scenarios find mistakes: weakens one operation or check at a time in a copy of the source.

    tests/concurrent/mutants.py [--cc CC] [--core LIBRARY.a] [--jobs N] [--only TEXT]

Each mutant names the scenario that must fail with it. Some changes must make no difference, and say why. Before that, the
explorer itself is checked: leaving out equivalent executions must not leave out any other. --core is the library without
malloc, for what a test doesn't define; it is compiled here when none is given.
"""
import argparse
import multiprocessing.pool
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CPU_SECONDS = 300  # of the processor: other work on the machine must not matter

# The library's sources, and the tests: every access to memory becomes a call of memory.c.
WATCHED = ["-fsanitize=thread", "-U__SANITIZE_THREAD__", "-Dmemset=explore_memset", "-fno-builtin-memset"]
COMMON = ["-std=gnu11", "-w", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-DMI_DEBUG=1",
          f"-I{ROOT}/src", f"-I{ROOT}/include", f"-I{HERE}"]

EXPLORER = sorted(name for name in os.listdir(HERE) if name.endswith(".c") and not name.startswith("test_"))


@dataclass
class Mutant:
    path: str      # below src/
    what: str
    old: str       # occurs once
    new: str
    scenario: str  # "test: scenario" that must fail; "" when nothing may change


def relaxed_cas(where, expected, desired):
    return (f"atomic_compare_exchange_strong_explicit({where}, {expected}, {desired}, memory_order_relaxed, "
            "memory_order_relaxed)")


REMOTE = "page/remote.c"
BLOCKMAP = "page/blockmap.c"
REGISTRY = "heap/registry.c"
HEAP = "heap/thread_heap.c"
SLICES = "arena/slices.c"
SLICE_BITS = "arena/slice_bits.h"
SWEEP = "arena/sweep.c"
PURGE = "arena/purge.c"
LOOKUP = "arena/lookup.c"
HEAPS = "heap/heap.c"
SIBLINGS = "heap/siblings.c"
SAMPLES = "heap/samples.c"
PAGE = "page/page.c"
FREE = "alloc/free.c"
SPIN = "heap/spin.h"
SAMPLE = "front/sample.c"
PROFILE = "front/profile.c"

PUSHED = "while (!atomic_cas_weak_acq_rel(&page->thread_free, &word, pushed));\n    "

TELL = ("    atomic_thread_fence(memory_order_seq_cst); // B4: pairs with the fence in mi__registry_let_go\n"
        "    if (atomic_get_relaxed(&heap->state) == HEAP_ORPHAN && claim_orphan(heap)) {\n")

MUTANTS = [
    # ---- thread_free and pending
    Mutant(REMOTE, "push: the blocks are not released", "atomic_cas_weak_acq_rel(&page->thread_free, &word, pushed)",
           "atomic_cas_weak_acquire(&page->thread_free, &word, pushed)", "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "push: the owner's step before is not acquired", "atomic_cas_weak_acq_rel(&page->thread_free, &word, pushed)",
           "atomic_cas_weak_release(&page->thread_free, &word, pushed)", "remote: two frees; drain, drain, release"),
    Mutant(REMOTE, "push: lists a page that is listed", PUSHED + "return (word & LISTED) != 0 ? NULL : list_with_owner(page);",
           PUSHED + "return list_with_owner(page);", "remote: two frees; drain, drain, release"),
    Mutant(REMOTE, "push: does not list the page", PUSHED + "return (word & LISTED) != 0 ? NULL : list_with_owner(page);",
           PUSHED + "return NULL;", "remote: two frees; drain, drain, release"),
    Mutant(REMOTE, "push: the LISTED bit is set later", "AT_FIRST) | LISTED;", "AT_FIRST) | (word & LISTED);",
           "remote: two frees; drain, drain, release"),
    Mutant(REMOTE, "push: the list ends with the block that came last",
           "next == NULL ? place_of(page, last, AT_LAST) : word & (uint64_t)FIELD_MAX << AT_LAST;",
           "place_of(page, last, AT_LAST);", "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "push: counts its own blocks only", "(uint64_t)(count_of(word) + count)", "(uint64_t)count",
           "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "list: the link is not released", "atomic_cas_weak_release(&owner->pending",
           "atomic_cas_weak_relaxed(&owner->pending", "remote: frees to two pages; drain"),
    Mutant(REMOTE, "list: the owner's address is taken before the page is listed",
           "    uint64_t word = atomic_get_relaxed(&page->thread_free);\n    uint64_t front",
           "    owner_t *before = owner_of(page);\n"
           "    uint64_t word = atomic_get_relaxed(&page->thread_free);\n"
           "    if ((word & LISTED) == 0) {\n        last->next = NULL;\n"
           "        uint64_t alone = place_of(page, first, AT_FIRST) | place_of(page, last, AT_LAST) | LISTED;\n"
           "        alone |= (uint64_t)count << AT_COUNT;\n"
           "        if (atomic_cas_strong_acq_rel(&page->thread_free, &word, alone)) {\n"
           "            page_t *head = atomic_get_relaxed(&before->pending);\n"
           "            do {\n                atomic_set_relaxed(&page->pending_next, head);\n"
           "            } while (!atomic_cas_weak_release(&before->pending, &head, page));\n"
           "            return before;\n        }\n    }\n    uint64_t front",
           "remote: a free; the page moves"),
    Mutant(REMOTE, "take: the blocks are not acquired", "word = atomic_exchange_acquire(&page->thread_free, LISTED);",
           "word = atomic_exchange_explicit(&page->thread_free, LISTED, memory_order_relaxed);",
           "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "take: unlists the page", "word = atomic_exchange_acquire(&page->thread_free, LISTED);",
           "word = atomic_exchange_acquire(&page->thread_free, 0);", "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "take: reads and writes in two steps", "word = atomic_exchange_acquire(&page->thread_free, LISTED);",
           "word = atomic_get_acquire(&page->thread_free);\n    atomic_set_relaxed(&page->thread_free, LISTED);",
           "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "drain: the links are not acquired", "return atomic_exchange_acquire(&owner->pending, NULL);",
           "return atomic_exchange_explicit(&owner->pending, NULL, memory_order_relaxed);",
           "remote: frees to two pages; drain"),
    Mutant(REMOTE, "unlist: the blocks are not acquired", "atomic_exchange_acq_rel(&page->thread_free, 0);",
           "atomic_exchange_explicit(&page->thread_free, 0, memory_order_release);",
           "remote: two frees; drain, drain, release"),
    Mutant(REMOTE, "unlist: the read of the link is not released", "atomic_exchange_acq_rel(&page->thread_free, 0);",
           "atomic_exchange_acquire(&page->thread_free, 0);", "remote: two frees in turn; listed twice"),
    Mutant(REMOTE, "unlist: the link is read after the page is unlisted",
           "    (void)adopt(page, word);\n    return next;",
           "    (void)adopt(page, word);\n    return atomic_get_relaxed(&page->pending_next);",
           "remote: two frees in turn; listed twice"),
    Mutant(REMOTE, "quiet: always", "return atomic_get_acquire(&page->thread_free) == 0 &&", "return",
           "remote: two frees; take, drain, release"),
    Mutant(REMOTE, "move: also of a listed page", "    uint64_t none = 0;", "    uint64_t none = atomic_get_relaxed(&page->thread_free);",
           "remote: a free; the page moves"),
    Mutant(REMOTE, "move: the owner is written before the page is locked", "    uint64_t none = 0;",
           "    atomic_set_relaxed(&page->owner, (uintptr_t)to);\n    uint64_t none = 0;", "remote: a free; the page moves"),
    Mutant(REMOTE, "move: the new owner is not released", "atomic_cas_strong_acq_rel(&page->thread_free, &word, 0)",
           "atomic_cas_strong_acquire(&page->thread_free, &word, 0)", "remote: two frees; the page moves"),
    Mutant(REMOTE, "move: blocks that came meanwhile are not listed", "        (void)list_with_owner(page);\n", "",
           "remote: a free; the page moves"),
    Mutant(REMOTE, "move: blocks that came meanwhile are dropped", "if (!atomic_cas_strong_acq_rel(&page->thread_free, &word, 0)) {",
           "if (atomic_exchange_acq_rel(&page->thread_free, 0) == 0) {", "remote: a free; the page moves"),
    # No block is out or on its way when the question is asked, so the answer is the owner's own write.
    Mutant(REMOTE, "quiet: relaxed", "return atomic_get_acquire(&page->thread_free) == 0 &&",
           "return atomic_get_relaxed(&page->thread_free) == 0 &&", ""),
    # What made the word 0 was this owner's unlist, or one that this thread has acquired with the heap.
    Mutant(REMOTE, "move: locks relaxed", "atomic_cas_strong_acquire(&page->thread_free, &none, LISTED)",
           relaxed_cas("&page->thread_free", "&none", "LISTED"), ""),

    # ---- maps of blocks
    Mutant(REMOTE, "count in: lists a page that is listed", "counted));\n    return (word & LISTED) != 0 ? NULL : list_with_owner(page);",
           "counted));\n    return list_with_owner(page);", "blockmap: two frees; drain, drain, release"),
    Mutant(REMOTE, "count in: does not list the page", "counted));\n    return (word & LISTED) != 0 ? NULL : list_with_owner(page);",
           "counted));\n    return NULL;", "blockmap: two frees; drain, drain, release"),
    Mutant(BLOCKMAP, "announce: the block is not released", "(atomic_or_acq_rel(&word->remote, bit) & bit) == 0;",
           "(atomic_or_relaxed(&word->remote, bit) & bit) == 0;", "blockmap: two frees; take, drain, release"),
    Mutant(BLOCKMAP, "announce: in two steps", "return (atomic_or_acq_rel(&word->remote, bit) & bit) == 0;",
           "uint64_t seen = atomic_get_relaxed(&word->remote);\n    atomic_set_release(&word->remote, seen | bit);\n"
           "    return (seen & bit) == 0;", "blockmap: a block is freed twice by others"),
    Mutant(BLOCKMAP, "announce: whatever the bit was", "return (atomic_or_acq_rel(&word->remote, bit) & bit) == 0;",
           "(void)atomic_or_acq_rel(&word->remote, bit);\n    return true;", "blockmap: a block is freed twice by others"),
    Mutant(BLOCKMAP, "fetch: the blocks are not acquired", "atomic_exchange_acquire(&word->remote, above)",
           "atomic_exchange_explicit(&word->remote, above, memory_order_relaxed)", "blockmap: two frees; take, drain, release"),
    Mutant(BLOCKMAP, "fetch: in two steps", "atomic_exchange_acquire(&word->remote, above)",
           "atomic_get_acquire(&word->remote);\n        atomic_set_relaxed(&word->remote, above);\n        came = came",
           "blockmap: two frees; take, drain, release"),
    Mutant(BLOCKMAP, "fetch: what is above capacity comes home", "atomic_exchange_acquire(&word->remote, above) & ~above;",
           "atomic_exchange_acquire(&word->remote, above);", "blockmap: a free; take, drain"),
    Mutant(BLOCKMAP, "fetch: a block that is free comes home again", "count += bit_count(came & ~twice);",
           "count += bit_count(came);", "blockmap: a block is freed by its owner and another"),
    Mutant(BLOCKMAP, "fetch: forgets what it took in ahead of its count", "        map->early += bit_count(came);\n",
           "        map->early += counted;\n", "blockmap: two frees; take, drain, release"),
    Mutant(REMOTE, "quiet: while a count is on its way", " && (page->map == NULL || blockmap_is_settled(page));", ";",
           "blockmap: two frees; take, drain, release"),
    Mutant(BLOCKMAP, "extend: writes over what others set", "atomic_and_relaxed(&map->word[at].remote, ~bits);",
           "atomic_set_relaxed(&map->word[at].remote, bits_above(page, at));", "blockmap: a free; the owner lets more blocks be handed out"),

    # Then letting the block go finds it free, and reports it; what it keeps is the page, which is not released here.
    Mutant(BLOCKMAP, "fetch: a block that is held comes home", "came & (word->free | map->held[i]);", "came & word->free;", ""),

    # ---- heaps that come and go
    Mutant(REGISTRY, "let go: no second look at pending", "if (atomic_get_relaxed(&heap->owner.pending) == NULL || !claim_orphan(heap)) {",
           "if (heap != NULL) {", "registry: leave; a free"),
    Mutant(REGISTRY, "let go: no fence", "        atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__registry_tell\n", "",
           "registry: leave; a free"),
    Mutant(REGISTRY, "let go: the heap is not released", "atomic_store_explicit(&heap->state, HEAP_ORPHAN, memory_order_seq_cst);",
           "atomic_set_relaxed(&heap->state, HEAP_ORPHAN);", "registry: orphan: two frees"),
    Mutant(REGISTRY, "let go: drains without a claim", " || !claim_orphan(heap)) {", ") {",
           "registry: orphan: two frees; bind, allocate"),
    Mutant(REGISTRY, "tell: no fence", "    atomic_thread_fence(memory_order_seq_cst); // B4: pairs with the fence in mi__registry_let_go\n", "",
           "registry: leave; a free"),
    Mutant(REGISTRY, "tell: drains without a claim", TELL, TELL.replace(" && claim_orphan(heap)", ""),
           "registry: orphan: two frees"),
    Mutant(REGISTRY, "tell: does nothing", TELL, TELL + "        return;\n", "registry: leave; a free"),
    Mutant(REGISTRY, "tell: keeps the claim", "        mi__thread_heap_drain(heap);\n        mi__registry_let_go(heap);\n    }\n}\n\nstatic void\nleave_at",
           "        mi__thread_heap_drain(heap);\n    }\n}\n\nstatic void\nleave_at", "registry: orphan: two frees"),
    Mutant(REGISTRY, "claim: relaxed", "return atomic_cas_strong_acquire(&heap->state, &from, to);",
           f"return {relaxed_cas('&heap->state', '&from', 'to')};", "registry: orphan: two frees"),
    Mutant(REGISTRY, "claim: in two steps", "return atomic_cas_strong_acquire(&heap->state, &from, to);",
           "if (atomic_get_acquire(&heap->state) != from) {\n        return false;\n    }\n"
           "    atomic_set_relaxed(&heap->state, to);\n    return true;",
           "registry: orphan: a free; bind, allocate"),
    Mutant(REGISTRY, "the stack: no tag", "uint64_t tag = (old_top + 1) &", "uint64_t tag = old_top &",
           "registry: bind; the stack is shuffled"),
    Mutant(REGISTRY, "push: the link is not released", "atomic_cas_weak_release(&subproc->orphans", "atomic_cas_weak_relaxed(&subproc->orphans",
           "registry: bind; the stack is shuffled"),
    Mutant(REGISTRY, "pop: the link is not acquired", "uint64_t top = atomic_get_acquire(&subproc->orphans);",
           "uint64_t top = atomic_get_relaxed(&subproc->orphans);", "registry: bind; the stack is shuffled"),
    Mutant(REGISTRY, "pop: the link is not acquired when another was faster", "if (atomic_cas_weak_acq_rel(&subproc->orphans",
           "if (atomic_cas_weak_relaxed(&subproc->orphans", "registry: bind; the stack is shuffled"),
    Mutant(REGISTRY, "bind: takes what it pops without a claim", "while (heap != NULL && !mi__registry_claim(heap, HEAP_ORPHAN, HEAP_LIVE)) {",
           "while (heap != NULL && (atomic_set_relaxed(&heap->state, HEAP_LIVE), false)) {", "registry: orphan: a free; bind, allocate"),
    Mutant(REGISTRY, "bind: forgets the orphans that were busy", "        push_orphan(subproc, passed[--passes]);", "        passes--;",
           "registry: orphan: a free; bind; bind"),
    Mutant(REGISTRY, "leave: the heap is not put on the stack", "    mi__registry_let_go(heap);\n    push_orphan(subproc, heap);", "    (void)subproc;\n    mi__registry_let_go(heap);",
           "registry: leave; a free"),
    Mutant(REGISTRY, "leave: the state is not changed", "    mi__registry_let_go(heap);\n    push_orphan(subproc, heap);", "    push_orphan(subproc, heap);",
           "registry: leave; a free"),
    Mutant(REGISTRY, "collect: trims without a claim", "        if (atomic_get_relaxed(&heap->state) == HEAP_ORPHAN && claim_orphan(heap)) {",
           "        if (atomic_get_relaxed(&heap->state) == HEAP_ORPHAN) {", "registry: orphan: a free; trim"),
    Mutant(REGISTRY, "collect: keeps the claim", "                trim(heap);\n            }\n            mi__registry_let_go(heap);\n",
           "                trim(heap);\n            }\n", "registry: orphan: a free; trim"),
    Mutant(REGISTRY, "adopt: takes a page without a claim", "if (HINT_GET(orphan->queues[class].first) == NULL || !claim_orphan(orphan)) {",
           "if (HINT_GET(orphan->queues[class].first) == NULL) {", "registry: adopt a page; a free"),
    Mutant(REGISTRY, "adopt: keeps the claim", "    mi__registry_let_go(orphan);\n", "", "registry: adopt a page; a free"),
    Mutant(REGISTRY, "adopt: lets go without draining what came meanwhile", "    mi__registry_let_go(orphan);\n",
           "    atomic_set_release(&orphan->state, HEAP_ORPHAN);\n", "registry: two orphans; adopt; a free; a free"),
    Mutant(REGISTRY, "make: the heap is not released", "atomic_cas_weak_release(&mi__registry_all", "atomic_cas_weak_relaxed(&mi__registry_all",
           "registry: a new heap; adopt; adopt"),
    Mutant(REGISTRY, "first: the heap is not acquired", "return atomic_get_acquire(&mi__registry_all);", "return atomic_get_relaxed(&mi__registry_all);",
           "registry: a new heap; adopt; adopt"),
    Mutant(REGISTRY, "start: what it set up is not released", "atomic_set_release(&start_state", "atomic_set_relaxed(&start_state",
           "registry: the first threads: bind; bind"),
    Mutant(REGISTRY, "start: what it set up is not acquired", "if (atomic_get_acquire(&start_state) == START_DONE) {",
           "if (atomic_get_relaxed(&start_state) == START_DONE) {", "registry: the first threads: bind; bind"),
    Mutant(REGISTRY, "start: done before it is", "            bool started = start();\n",
           "            atomic_set_release(&start_state, START_DONE);\n            bool started = start();\n",
           "registry: the first threads: bind; bind"),

    # ---- what a heap does on its slow path
    Mutant(HEAP, "a page that is listed is released", "if (page->used == 0 && mi__remote_is_quiet(page)) {", "if (page->used == 0) {",
           "registry: fill, empty, leave; a free"),
    Mutant(HEAP, "drain: a page is released before it is unlisted",
           "        page = mi__remote_unlist(drained);\n        settle_drained(heap, drained);",
           "        settle_drained(heap, drained);\n        page = mi__remote_unlist(drained);", "registry: orphan: two frees"),
    Mutant(HEAP, "give: a page that could not be moved", "!mi__remote_move(page, &to->owner)) {",
           "(!mi__remote_move(page, &to->owner) && page == NULL)) {", "registry: adopt a page; a free"),
    Mutant(HEAP, "give: the page stays queued", "    dequeue(heap, page);\n    return page;\n}\n\nstatic void\nadd_counts",
           "    return page;\n}\n\nstatic void\nadd_counts", "registry: adopt a page; a free"),

    # ---- slices
    Mutant(SLICES, "claim: the last use is not acquired", "if (atomic_cas_weak_acquire(word, &seen, seen | (low_mask(count) << bit))) {",
           "if (atomic_cas_weak_relaxed(word, &seen, seen | (low_mask(count) << bit))) {", "slices: release; claim; claim"),
    Mutant(SLICES, "claim: in two steps", "if (atomic_cas_weak_acquire(word, &seen, seen | (low_mask(count) << bit))) {",
           "atomic_or_acq_rel(word, low_mask(count) << bit);\n        {", "slices: claim; claim; claim, of two"),
    Mutant(SLICE_BITS, "claim range: the last use is not acquired", "} while (!atomic_cas_weak_acquire(word, &seen, seen | mask));",
           "} while (!atomic_cas_weak_relaxed(word, &seen, seen | mask));", "slices: release; claim; purge"),
    Mutant(SLICE_BITS, "claim range: takes what another has", "        if ((seen & mask) != 0) {\n            return false;\n        }\n", "",
           "slices: claim behind; claim"),
    Mutant(SLICES, "claim range: keeps what it took before it failed",
           "                release_bits(&region->chunks[chunk].used, chunk_mask(slice, count, chunk));\n", "",
           "slices: a long claim; claim; claim"),
    Mutant(SLICES, "claim again: takes what another has", "        !claim_range(region, slice, count)) {", "        false) {",
           "slices: release, claim again; claim; claim"),
    Mutant(SLICE_BITS, "release: the last use is not released", "atomic_and_release(word, ~mask);", "atomic_and_relaxed(word, ~mask);",
           "slices: release; claim; claim"),
    Mutant(SLICE_BITS, "release: forgets what others do to the word", "atomic_and_release(word, ~mask);",
           "atomic_set_release(word, atomic_get_relaxed(word) & ~mask);", "slices: release; claim; claim"),
    Mutant(SLICES, "soil: the slice stays clean", "        atomic_or_relaxed(&region->chunks[chunk].dirty, mask);\n", "        (void)mask;\n",
           "slices: release; claim; claim"),
    Mutant(SLICES, "soil: the slice stays aged", "        atomic_and_relaxed(&region->chunks[chunk].aged, ~mask);\n", "        (void)mask;\n",
           "slices: purge, claim, release, purge"),
    Mutant(SLICES, "soil: forgets what others do to the word", "        atomic_or_relaxed(&region->chunks[chunk].dirty, mask);\n",
           "        atomic_set_relaxed(&region->chunks[chunk].dirty, dirty | mask);\n", "slices: claim; claim; claim, of two"),
    Mutant(SWEEP, "purge: slices in use", "    if (!claim_bits(&region->chunks[chunk].used, mask)) {\n        return 0;\n    }\n", "",
           "slices: claim; purge; purge"),
    Mutant(SWEEP, "purge: clean after it is free",
           "        atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);\n        mi__slices_count_clean(dirty);\n    }\n    release_bits(&region->chunks[chunk].used, mask);\n    return",
           "        mi__slices_count_clean(dirty);\n    }\n    release_bits(&region->chunks[chunk].used, mask);\n    if (purged) {\n        atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);\n    }\n    return",
           "slices: claim; purge; purge"),
    Mutant(SWEEP, "purge: clean before it is purged",
           "    bool purged;\n    if (!mi__slices_give_back(region, chunk * CHUNK_SLICES + bit, slices, &purged)) {\n",
           "    release_bits(&region->chunks[chunk].used, mask);\n"
           "    bool purged;\n    if (!mi__slices_give_back(region, chunk * CHUNK_SLICES + bit, slices, &purged)) {\n", "slices: claim; purge; purge"),
    Mutant(SLICES, "purged at once: clean after it is free",
           "        if (zero) {\n            atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);\n            mi__slices_count_clean(mask);\n        }\n        release_bits(&region->chunks[chunk].used, mask);\n",
           "        release_bits(&region->chunks[chunk].used, mask);\n        if (zero) {\n            atomic_and_relaxed(&region->chunks[chunk].dirty, ~mask);\n        }\n",
           "slices: purged at once: release; release; claim"),
    Mutant(SLICES, "commit: the slice stays clean",
           "        *zero = *zero && is_zero;\n        (void)soil_range(region, at, next - at);\n", "        *zero = *zero && is_zero;\n",
           "slices: a function commits: claim, release; claim; purge"),
    Mutant(SLICES, "commit: what is committed already, too", "        if (!dirty &&\n", "        if (\n",
           "slices: a function commits: release; claim; purge"),
    Mutant(SLICES, "commit: a claim that failed keeps its slices", "        release_range(region, slice, count);\n        return false;\n", "        return false;\n",
           "slices: a function refuses: claim; claim two; release"),
    Mutant(PURGE, "poll: the deadline goes after the purge",
           "        bytes = mi__slices_purge(false, &left);\n        step = left;\n",
           "        bytes = mi__slices_purge(false, &left);\n        step = left;\n        atomic_set_relaxed(&deadline_ms, 0);\n",
           "slices: poll; release of the only"),
    Mutant(PURGE, "poll: no fence",
           "    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in mi__purge_schedule\n    size_t bytes = 0;\n", "    size_t bytes = 0;\n",
           "slices: poll; release of the only"),
    Mutant(PURGE, "helper: ends without a second look", "} while (atomic_get_relaxed(&deadline_ms) != 0 && become_helper());",
           "} while (false);", "slices: helper; release"),
    Mutant(PURGE, "helper: no fence before the second look",
           "        atomic_store_explicit(&helper, NONE, memory_order_seq_cst);\n        atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in set_deadline\n",
           "        atomic_store_explicit(&helper, NONE, memory_order_release);\n", "slices: helper; release"),
    Mutant(PURGE, "rest: does not look for a deadline", "    while (atomic_get_relaxed(&deadline_ms) == 0 && atomic_get_relaxed(&helper)",
           "    while (atomic_get_relaxed(&helper)", "slices: helper that rests; release"),
    Mutant(PURGE, "rest: no fence before the look",
           "    atomic_store_explicit(&helper, RESTS, memory_order_seq_cst);\n    atomic_thread_fence(memory_order_seq_cst); // pairs with the fence in set_deadline\n",
           "    atomic_store_explicit(&helper, RESTS, memory_order_release);\n", "slices: helper that rests; release"),
    Mutant(PURGE, "deadline: does not wake who rests", "        mi__os_wake(&helper);\n", "", "slices: helper that rests; release"),
    Mutant(PURGE, "two purge at a time", "return !atomic_get_relaxed(&purging) && !atomic_exchange_acquire(&purging, true);", "return true;",
           "slices: poll; poll; release"),
    Mutant(PURGE, "stop: what was purged is not released", "    atomic_set_release(&purging, false);", "    atomic_set_relaxed(&purging, false);",
           "slices: poll; poll; release"),
    Mutant(PURGE, "two helpers", "    return atomic_cas_strong_acquire(&helper, &none, RUNS);",
           "    return atomic_get_acquire(&helper) == none && (atomic_set_relaxed(&helper, RUNS), true);",
           "slices: release; release; a helper is started"),
    Mutant(PURGE, "deadline: nobody looks for a helper",
           "        atomic_set_release(&mi__purge_wanted, true);\n", "", "slices: helper; release"),
    Mutant(PURGE, "helper: the deadline is not acquired", "if (!atomic_exchange_acquire(&mi__purge_wanted, false)) {",
           "if (!atomic_exchange_explicit(&mi__purge_wanted, false, memory_order_relaxed)) {", "slices: release; another starts a helper"),
    Mutant(PURGE, "schedule: no fence", "    atomic_thread_fence(memory_order_seq_cst);\n    if (atomic_get", "    if (atomic_get",
           "slices: poll; release of the only"),

    # ---- heaps that end
    Mutant(HEAPS, "destroy: wipes what its thread tidies up", "        } else if (mi__registry_claim(at, state, HEAP_CLAIMED)) {",
           "        } else if (atomic_set_relaxed(&at->state, HEAP_CLAIMED), true) {", "siblings: destroy; drain"),
    Mutant(HEAPS, "destroy: passes over what is claimed", "        if (state == HEAP_CLAIMED) {\n            mi__os_yield();\n",
           "        if (state == HEAP_CLAIMED) {\n            return false;\n", "siblings: destroy; drain"),
    Mutant(SIBLINGS, "tidy: without a claim", "    if (!mi__registry_claim(sibling, HEAP_LIVE, HEAP_CLAIMED) &&", "    if (false &&",
           "siblings: destroy; drain"),
    Mutant(SIBLINGS, "leave: lets go without a claim", "                   mi__registry_claim(sibling, HEAP_LIVE, HEAP_CLAIMED)) {",
           "                   true) {", "siblings: destroy; leave"),
    Mutant(REGISTRY, "unclaim: what the claimer did is not released", "    atomic_set_release(&heap->state, to);",
           "    atomic_set_relaxed(&heap->state, to);", "siblings: destroy; drain"),
    Mutant(HEAPS, "delete: merges what is its thread's", "        atomic_set_relaxed(&at->heap, main);\n    }\n    mi__siblings_absorb",
           "        (void)mi__thread_heap_merge(at, mi__thread_heap->main);\n    }\n    mi__siblings_absorb", "siblings: delete; a free by the owner"),
    Mutant(HEAPS, "delete: takes the singletons without the lock", "hand_over_singletons(heap_t *heap, heap_t *to)\n{\n    spin_lock(&heap->lock);\n",
           "hand_over_singletons(heap_t *heap, heap_t *to)\n{\n", "siblings: delete; a free of the singleton"),
    Mutant(HEAPS, "delete: a singleton without a holder before it is listed again",
           "            take_off(heap, page);\n            mi__heap_list_singleton", "            unlink_singleton(heap, page);\n            mi__heap_list_singleton",
           "siblings: delete in a subprocess; free the singleton"),
    Mutant(HEAPS, "unlist: does not look again under the lock", "        if (atomic_get_relaxed(&page->holder) == heap) {", "        if (true) {",
           "siblings: delete; a free of the first singleton"),
    Mutant(HEAPS, "unlist: without the lock", "        spin_lock(&heap->lock);\n        if (", "        if (",
           "siblings: delete; a free of the singleton"),
    Mutant(HEAPS, "unlist: looks once, while the holder changes",
           "    for (heap_t *heap; (heap = (heap_t *)atomic_get_acquire(&page->holder)) != NULL;) {",
           "    for (heap_t *heap = (heap_t *)atomic_get_acquire(&page->holder), *one = heap; one != NULL; one = NULL) {",
           "siblings: delete in a subprocess; free the singleton"),
    Mutant(HEAPS, "unlink: we are done with the page, which is not released", "    atomic_set_release(&page->holder, NULL);",
           "    atomic_set_relaxed(&page->holder, NULL);", "siblings: delete; a free of the singleton"),
    Mutant(HEAPS, "unlist: that they are done with the page is not acquired",
           "(heap_t *)atomic_get_acquire(&page->holder)) != NULL", "(heap_t *)atomic_get_relaxed(&page->holder)) != NULL",
           "siblings: delete; a free of the singleton"),
    Mutant(SPIN, "lock: what the last holder did is not acquired", "while (atomic_exchange_acquire(&lock->holder, mi__os_thread_self()) != 0) {",
           "while (atomic_exchange_explicit(&lock->holder, mi__os_thread_self(), memory_order_relaxed) != 0) {", "samples: free; free"),
    Mutant(SPIN, "unlock: what we did is not released", "    atomic_set_release(&lock->holder, 0);", "    atomic_set_relaxed(&lock->holder, 0);",
           "samples: free; free"),
    Mutant(SPIN, "lock: in two steps", "while (atomic_exchange_acquire(&lock->holder, mi__os_thread_self()) != 0) {",
           "while (atomic_get_acquire(&lock->holder) != 0 || (atomic_set_relaxed(&lock->holder, mi__os_thread_self()), false)) {",
           "samples: free; free"),

    # ---- samples and the profile
    # A record names a block that is another's by now only while its own sample is freed; and it is of another heap
    # then, for nobody frees what is destroyed.
    Mutant(SAMPLES, "end of a heap: takes what is another sample by now", "    bool is_its = at != NULL && *at == sample;\n",
           "    bool is_its = at != NULL && *at != NULL;\n", ""),
    Mutant(SAMPLES, "end of a heap: without the lock",
           "take_if_of(sample_t *sample, const heap_t *heap)\n{\n    lock_table();\n",
           "take_if_of(sample_t *sample, const heap_t *heap)\n{\n    locked = true;\n", "samples: destroy; free, make"),
    Mutant(SAMPLES, "drop: without the lock", "    atomic_set_relaxed(&sample->stands_for, NULL);\n    lock_table();\n",
           "    atomic_set_relaxed(&sample->stands_for, NULL);\n    locked = true;\n", "samples: free; free"),
    Mutant(SAMPLES, "record: the fields are not released", "    } while (!atomic_cas_weak_release(&mi__samples_all, &first, sample));",
           "    } while (!atomic_cas_weak_relaxed(&mi__samples_all, &first, sample));", "samples: make; walk"),
    Mutant(SAMPLES, "walk: the records are not acquired", "    return atomic_get_acquire(&mi__samples_all);",
           "    return atomic_get_relaxed(&mi__samples_all);", "samples: make; walk"),
    Mutant(SAMPLES, "mark late: not in the table yet", "    bool marked = atomic_cas_strong_acq_rel(&page->owner, &word, word | OWNER_SAMPLED);",
           "    unlock_table();\n    bool marked = atomic_cas_strong_acq_rel(&page->owner, &word, word | OWNER_SAMPLED);\n    lock_table();",
           "samples: mark late; free"),
    Mutant(PAGE, "retire: what has become a sample", "    if ((word & (OWNER_SINGLETON | OWNER_SAMPLED)) != OWNER_SINGLETON ||", "    if ((word & OWNER_SINGLETON) == 0 ||",
           "samples: mark late; free"),
    Mutant(FREE, "free: a block that has become a sample is freed twice", "        word = page_owner(page);\n        if ((word & OWNER_SAMPLED) != 0) {", "        if ((word & OWNER_SAMPLED) != 0) {",
           "samples: mark late; free"),
    Mutant(SAMPLE, "set: what the profile is is not released", "        atomic_set_release(&profile, to);", "        atomic_set_relaxed(&profile, to);",
           "samples: a profile is set; make"),
    Mutant(SAMPLE, "get: what the profile is is not acquired", "#define get_profile() atomic_get_acquire(&profile)",
           "#define get_profile() atomic_get_relaxed(&profile)", "samples: a profile is set; make"),
    Mutant(PROFILE, "start: while another starts or stops it", "    wait_for_dumps();\n    if (!atomic_get_relaxed(&active)) {",
           "    if (!atomic_get_relaxed(&active)) {", "samples: start; stop"),
    Mutant(PROFILE, "start: says what another has made of it since", "    return taken;", "    return atomic_get_relaxed(&active);",
           "samples: start; stop"),
    Mutant(PROFILE, "stop: while another starts it", "    wait_for_dumps();\n    mi__sample_set_profile(NULL, 0);",
           "    mi__sample_set_profile(NULL, 0);", "samples: start; stop"),
    Mutant(PROFILE, "wait: what was left is not acquired", "    while (atomic_exchange_acquire(&dumping, true)) {\n        while",
           "    while (atomic_exchange_explicit(&dumping, true, memory_order_relaxed)) {\n        while", "samples: start; start; stop"),
    Mutant(PROFILE, "end: what is left is not released", "    atomic_set_release(&dumping, false);", "    atomic_set_relaxed(&dumping, false);",
           "samples: start; start; stop"),

    # ---- the list of regions
    Mutant(LOOKUP, "link: the region is not released", "atomic_cas_weak_release(", "atomic_cas_weak_relaxed(", "lookup: add; find; find"),
    Mutant(LOOKUP, "search: the region is not acquired", "atomic_get_acquire(&region->next[level])",
           "atomic_get_relaxed(&region->next[level])", "lookup: add; find; find"),
    Mutant(LOOKUP, "link: behind what a second look sees", "        prev = advance(prev, level, region->start, &next);\n        if (",
           "        prev = advance(prev, level, region->start, &next);\n        next = atomic_get_acquire(&prev->next[level]);\n"
           "        if (", "lookup: add; add; add"),
    Mutant(LOOKUP, "link: whatever stands there now",
           "} while (!atomic_cas_weak_release(&prev->next[level], &next, region));",
           "} while (atomic_set_release(&prev->next[level], region), false);", "lookup: add; add; add"),
    Mutant(LOOKUP, "link: forgets what comes behind", "        atomic_set_relaxed(&region->next[level], next);\n", "",
           "lookup: add; add; add"),
    Mutant(LOOKUP, "link: over the one before", "(prev != &head && prev->end > region->start) ||", "",
           "lookup: add; add in the same place; add overlapping"),
    Mutant(LOOKUP, "link: over the one behind", "|| (next != NULL && next->start < region->end)", "",
           "lookup: add; add overlapping; find"),
]

# Small enough to be explored also without leaving out executions that come to the same.
SELF_CHECKS = ["remote: two frees; drain, drain, release", "remote: two frees; take, drain, release",
               "remote: frees in turn; the page moves", "registry: leave; a free", "slices: release; claim two; purge"]


class Failure(Exception):
    pass


def compile_c(cc, source, output, options):
    made = subprocess.run([cc, *options, *COMMON, "-c", source, "-o", output], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failure(f"{source} does not compile:\n{made.stderr}")
    return output


def sources_of(test):
    with open(os.path.join(HERE, f"test_{test}.c"), encoding="utf-8") as file:
        return [path for line in file for path in re.sub(r"^// sources: |^.*\n", "", line).split()]


class Programs:
    """The objects of each test, and programs in which one of them is exchanged."""

    def __init__(self, cc, core, scratch, pool):
        self.cc, self.scratch = cc, scratch
        self.explorer = pool.map(lambda name: self.compile(os.path.join(HERE, name), name, ["-O2"]), EXPLORER)
        self.tests = sorted(name[len("test_"):-len(".c")] for name in os.listdir(HERE)
                            if name.startswith("test_") and name.endswith(".c"))
        wanted = [(test, path) for test in self.tests for path in [None, *sources_of(test)]]
        made = pool.starmap(self.compile_part, wanted)
        self.objects = {test: {} for test in self.tests}
        for (test, path), output in zip(wanted, made):
            self.objects[test][path] = output
        self.core = core or self.compile_core(pool)

    def compile(self, source, name, options):
        return compile_c(self.cc, source, os.path.join(self.scratch, name.replace("/", "-") + ".o"), options)

    def compile_part(self, test, path, name="", options=()):
        source = os.path.join(ROOT, "src", path) if path else os.path.join(HERE, f"test_{test}.c")
        return self.compile(source, f"{name}{test}-{path}", ["-O1", *WATCHED, *options])

    def compile_core(self, pool):
        layers = ["base", "os", "arena", "page", "heap", "alloc", "front"]
        sources = [os.path.join(ROOT, "src", layer, name) for layer in layers
                   for name in sorted(os.listdir(os.path.join(ROOT, "src", layer)))
                   if name.endswith(".c") and not re.search("_(windows|macos|absent)", name)]
        objects = pool.map(lambda source: self.compile(source, "core-" + os.path.basename(source), ["-O0"]), sources)
        core = os.path.join(self.scratch, "core.a")
        subprocess.run(["ar", "rcs", core, *objects], check=True)
        return core

    def link(self, test, name, exchanged=None):
        parts = {**self.objects[test], **(exchanged or {})}
        program = os.path.join(self.scratch, name)
        made = subprocess.run([self.cc, "-o", program, "-Wl,--gc-sections", "-Wl,-z,muldefs", *parts.values(), *self.explorer,
                               self.core, "-pthread"], capture_output=True, text=True)
        if made.returncode != 0:
            raise Failure(f"{name} does not link:\n{made.stderr}")
        return program

    def mutated(self, mutant, number, test):
        # A folder that is searched before src/: the same for a header, which all sources of the test may include.
        overlay = os.path.join(self.scratch, f"mutant-{number}")
        source = os.path.join(overlay, mutant.path)
        os.makedirs(os.path.dirname(source), exist_ok=True)
        with open(source, "w", encoding="utf-8") as file:
            file.write(mutated_text(mutant))
        if mutant.path.endswith(".h"):
            changed = {path: self.compile_part(test, path, f"mutant-{number}-", [f"-I{overlay}"]) for path in self.objects[test]}
        else:
            changed = {mutant.path: self.compile(source, f"mutant-{number}-{test}", ["-O1", *WATCHED])}
        return self.link(test, f"mutant-{number}-{test}-program", changed)


def run(program, *args):
    limited = ["sh", "-c", f'ulimit -t {CPU_SECONDS} && exec "$0" "$@"', program, *args]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not re.search(r"^\d+ passed, \d+ failed$", done.stdout, re.MULTILINE):
        raise Failure(f"{os.path.basename(program)} ended with {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done


def judge(programs, number, mutant):
    """One line about a mutant, and whether it is as the table says."""
    try:
        if not mutant.scenario:
            for test in programs.tests:
                if mutant.path in programs.objects[test]:
                    done = run(programs.mutated(mutant, number, test))
                    if done.returncode != 0:
                        return False, f"makes a difference after all\n{done.stdout}"
            return True, "makes no difference"
        test, scenario = mutant.scenario.split(": ", 1)
        done = run(programs.mutated(mutant, number, test), scenario)
        broken = re.search(r"^  broken: (.*)$", done.stdout, re.MULTILINE)
        if done.returncode == 0 or not broken:
            return False, f"SURVIVES {mutant.scenario}"
        return True, f"killed by {mutant.scenario}: {broken.group(1)}"
    except Failure as failure:
        return False, str(failure)


def mutated_text(mutant):
    with open(os.path.join(ROOT, "src", mutant.path), encoding="utf-8") as file:
        text = file.read()
    if text.count(mutant.old) != 1:
        raise Failure(f"{mutant.path}: {mutant.what}: the text to change occurs {text.count(mutant.old)} times, not once")
    return text.replace(mutant.old, mutant.new)


def check_texts(mutants):
    wrong = 0
    for mutant in mutants:
        try:
            mutated_text(mutant)
        except Failure as failure:
            wrong += 1
            print(failure)
    print(f"{len(mutants) - wrong} passed, {wrong} failed")
    return wrong != 0


def self_check(programs):
    wrong = 0
    for name in SELF_CHECKS:
        test, scenario = name.split(": ", 1)
        program = programs.link(test, f"{test}-program")
        counts = [re.findall(r"(\d+) executions.* (\d+) distinct", run(program, scenario, *more).stdout) for more in ([], ["--every"])]
        few, every = counts
        same = bool(few) and [pair[1] for pair in few] == [pair[1] for pair in every]
        wrong += not same
        print(f"{'ok  ' if same else 'FAIL'}  {name}: {few[0][0]} executions stand for {every[0][0]}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"))
    parser.add_argument("--core")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--texts", action="store_true", help="only check that what they change is in the sources, once")
    parser.add_argument("--only", default="", help="mutants of which the file or the description contains this")
    args = parser.parse_args()
    mutants = [mutant for mutant in MUTANTS if args.only in f"{mutant.path}: {mutant.what}"]
    if args.texts:
        return check_texts(mutants)
    with tempfile.TemporaryDirectory() as scratch, multiprocessing.pool.ThreadPool(args.jobs) as pool:
        programs = Programs(args.cc, args.core, scratch, pool)
        wrong = 0 if args.only else self_check(programs)
        judged = pool.starmap(judge, [(programs, number, mutant) for number, mutant in enumerate(mutants)])
    for mutant, (right, text) in zip(mutants, judged):
        print(f"{'ok  ' if right else 'FAIL'}  {mutant.path}: {mutant.what}: {text}")
    killers = [right for mutant, (right, _) in zip(mutants, judged) if mutant.scenario]
    others = [right for mutant, (right, _) in zip(mutants, judged) if not mutant.scenario]
    print(f"{sum(killers)} of {len(killers)} mutants killed; {sum(others)} of {len(others)} other changes make no difference")
    wrong += len(judged) - sum(killers) - sum(others)
    print(f"{len(judged) + (0 if args.only else len(SELF_CHECKS)) - wrong} passed, {wrong} failed")
    return wrong != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        sys.exit(f"mutants.py: {problem}")
