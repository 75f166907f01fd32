# SPDX-License-Identifier: MIT
"""Shows the heap of a process, or of a core file, by libmimalloc's descriptor (docs/outside.md).

gdb loads this file by itself where it lies beside the library under the library's name and "-gdb.py", or in gdb's
auto-load folder; else: source mimalloc-gdb.py. Then: help mimalloc.

Heap and find_in_elf know nothing of gdb: they take a function that reads memory.
"""
import bisect
import struct

try:
    import gdb
except ImportError:
    gdb = None

ADDRESSES = "self regions region_count thread_heaps heaps subprocs main_subproc live".split()
NUMBERS = """
    slice_shift descriptor_shift class_count owner_redirect owner_full owner_singleton owner_flags remote_first
    remote_count granule_shift page_pinned holes_max region_base region_descriptors region_chunks region_slices region_committed region_reserved region_given
    chunk_bytes chunk_used chunk_dirty chunk_aged chunk_moved page_owner page_free page_local_free page_thread_free
    page_used page_capacity page_reserved page_holed page_block_size page_class page_flags page_start page_slices
    page_holder page_holes block_next thread_heap_state thread_heap_thread thread_heap_heap thread_heap_main
    thread_heap_next thread_heap_granted thread_heap_pages_made thread_heap_singletons thread_heap_singleton_bytes
    thread_heap_held held_lists held_list_step held_first held_stand_ins heap_subproc heap_live heap_next heap_slot
    subproc_main subproc_live subproc_next owner_sampled""".split()
MORE_ADDRESSES = "sites samples profile_rate".split()
MORE_NUMBERS = """
    site_count site_next site_depth site_frames site_allocated site_freed site_peak site_marked site_lifetime
    site_weight_shift sample_next sample_block sample_stands_for sample_site""".split()
FIELDS = ADDRESSES + NUMBERS + MORE_ADDRESSES + MORE_NUMBERS
MAGIC = b"mimalloc"
HEADER_BYTES = 24
LARGEST_WALK = 1 << 20  # links followed in one list, at most


class Unreadable(Exception):
    """Memory that should be there cannot be read, or makes no sense."""


def note_offset(notes):
    """Where in a PT_NOTE segment our note has its contents; None when it is not there."""
    at = 0
    while at + 12 <= len(notes):
        name_bytes, bytes_, kind = struct.unpack_from("<III", notes, at)
        name = notes[at + 12:at + 12 + name_bytes]
        at += 12 + (name_bytes + 3) // 4 * 4
        if name == MAGIC + b"\0" and kind == 1 and bytes_ == 4:
            return at
        at += (bytes_ + 3) // 4 * 4
    return None


def find_in_elf(read, start):
    """The descriptor of a program or library whose ELF header is mapped at `start`; None when it has none."""
    header = read(start, 64)
    if header[:4] != b"\x7fELF" or header[5] != 1:
        return None
    wide = header[4] == 2
    table, = struct.unpack_from("<Q" if wide else "<I", header, 32 if wide else 28)
    entry_bytes, count = struct.unpack_from("<HH", header, 54 if wide else 42)
    entries = [read(start + table + i * entry_bytes, entry_bytes) for i in range(count)]
    fields = [struct.unpack("<IIQQQQQQ", e[:56])[:6] if wide else
              [struct.unpack("<8I", e[:32])[i] for i in (0, 6, 1, 2, 3, 4)] for e in entries]
    loads = [f for f in fields if f[0] == 1]
    for kind, _, _, address, _, size in fields:
        if kind == 4 and loads:
            at = start + address - loads[0][3]
            found = note_offset(read(at, size))
            if found is not None:
                distance, = struct.unpack("<i", read(at + found, 4))
                return at + found + distance
    return None


class Page:
    """A page of the heap as its descriptor tells: `head`, `owner` (the word), `start`, `slices`, `block_size`, …"""

    def __init__(self, heap, head, bytes_):
        layout = heap.layout

        def number(name, form):
            return struct.unpack_from("<" + form, bytes_, layout["page_" + name])[0]

        word = heap.word
        self.head = head
        self.owner = number("owner", word)
        self.start = number("start", word)
        self.slices = number("slices", word)
        self.holder = number("holder", word)
        self.is_store = bool(self.owner & layout["owner_sampled"]) and number("block_size", "I") != 0
        self.is_singleton = bool(self.owner & layout["owner_singleton"]) and not self.is_store
        self.thread_heap = 0 if self.is_singleton or self.is_store else self.owner & ~layout["owner_flags"]
        self.is_full = bool(self.owner & layout["owner_full"]) and not self.is_singleton
        self.bytes = self.slices << layout["slice_shift"]
        self.block_size = self.bytes if self.is_singleton else number("block_size", "I")
        self.size_class = layout["class_count"] if self.is_singleton else number("class", "H")
        self.holed = 0 if self.is_singleton else number("holed", "I")
        self.capacity = 1 if self.is_singleton else number("capacity", "I") + self.holed
        self.reserved = 1 if self.is_singleton else number("reserved", "I")
        self.serves = bool(number("flags", "H") & layout["page_pinned"]) and not self.is_singleton
        self.free = number("free", word)
        self.local_free = number("local_free", word)
        remote = number("thread_free", "Q")
        place = remote >> layout["remote_first"] & 0xffff
        self.thread_free = self.start + (place << layout["granule_shift"]) if remote >> layout["remote_count"] else 0
        words = (layout["holes_max"] + 63) // 64
        self.holes = sum(w << 64 * i for i, w in enumerate(
            struct.unpack_from(f"<{words}Q", bytes_, layout["page_holes"])))

    def block_of(self, address):
        """The start of the block in which `address` lies; None behind the last one."""
        index = (address - self.start) // self.block_size
        return self.start + index * self.block_size if 0 <= index < self.reserved else None


class Heap:
    """The heap of the process that `read(address, size)` reads, whose descriptor is at `at`."""

    def __init__(self, read, at, page_size=4096):
        self.read = read
        self.page_size = page_size
        header = read(at, HEADER_BYTES)
        magic, version, bytes_, self.version, pointer_bytes = struct.unpack("<8sIIII", header)
        if magic != MAGIC:
            raise Unreadable(f"no descriptor of libmimalloc at {at:#x}")
        self.word = "Q" if pointer_bytes == 8 else "I"
        self.word_bytes = pointer_bytes
        form = "<" + "".join(f"{len(names)}{kind}" for names, kind in (
            (ADDRESSES, self.word), (NUMBERS, "I"), (MORE_ADDRESSES, self.word), (MORE_NUMBERS, "I")))
        if version != 1 or bytes_ < HEADER_BYTES + struct.calcsize(form):
            raise Unreadable(f"the descriptor at {at:#x} is of version {version}, not 1")
        values = struct.unpack(form, read(at + HEADER_BYTES, struct.calcsize(form)))
        self.layout = dict(zip(FIELDS, values))
        if self.layout["self"] != at:
            raise Unreadable(f"the descriptor at {at:#x} is a copy")
        self.regions = sorted(self._regions())
        self._held = None

    def number(self, at, form=None):
        form = "<" + (form or self.word)
        return struct.unpack(form, self.read(at, struct.calcsize(form)))[0]

    def _regions(self):
        layout = self.layout
        for i in range(min(self.number(layout["region_count"]), 1 << 16)):
            region = self.number(layout["regions"] + i * self.word_bytes)
            if region:
                yield tuple(self.number(region + layout["region_" + name])
                            for name in ("base", "committed", "descriptors", "chunks", "reserved"))

    def chain(self, first, name):
        """The structures of a list, by the pointer to its first."""
        at = self.number(self.layout[first])
        for _ in range(LARGEST_WALK):
            if at == 0:
                return
            yield at
            at = self.number(at + self.layout[name])

    def pages(self):
        """All pages, in the order of their addresses."""
        size = 1 << self.layout["descriptor_shift"]
        empty = bytes(self.word_bytes)
        owner = self.layout["page_owner"]
        for _, committed, descriptors, _, _ in self.regions:
            slice_ = 0
            while slice_ < committed:
                count = min(committed - slice_, 8192)
                block = self.read(descriptors + slice_ * size, count * size)
                i = 0
                while i < count:
                    step = 1
                    if block[i * size + owner:i * size + owner + self.word_bytes] != empty:
                        page = Page(self, descriptors + (slice_ + i) * size, block[i * size:(i + 1) * size])
                        if not page.owner & self.layout["owner_redirect"] and page.slices and page.block_size:
                            step = page.slices
                            if not page.is_store:
                                yield page
                    i += step
                slice_ += i

    def page_at(self, head):
        """The page with this descriptor, or of the inner slice with it; None where there is none."""
        page = Page(self, head, self.read(head, 1 << self.layout["descriptor_shift"]))
        if page.owner & self.layout["owner_redirect"] and not page.owner & self.layout["owner_singleton"]:
            head = page.owner & ~self.layout["owner_flags"]
            page = Page(self, head, self.read(head, 1 << self.layout["descriptor_shift"]))
        return page if page.owner and page.slices and page.block_size else None

    def region_of(self, address):
        i = bisect.bisect_right(self.regions, (address, 1 << 64)) - 1
        if i < 0:
            return None
        base, committed = self.regions[i][:2]
        return self.regions[i] if address - base < committed << self.layout["slice_shift"] else None

    def page_of(self, address):
        """The page in which an address lies, None where there is none. Only heads know how far a singleton goes."""
        region = self.region_of(address)
        if region is None:
            return None
        size = 1 << self.layout["descriptor_shift"]
        slice_ = (address - region[0]) >> self.layout["slice_shift"]
        for i in range(slice_, -1, -1):
            head = region[2] + i * size
            if self.number(head + self.layout["page_owner"]):
                page = self.page_at(head)
                return page if page and page.start <= address < page.start + page.bytes else None
        return None

    def _walk(self, page, memory, first):
        """Block numbers on a list of the page."""
        next_ = self.layout["block_next"]
        for _ in range(page.capacity + 1):
            if first == 0:
                return
            index, rest = divmod(first - page.start, page.block_size)
            if rest or not 0 <= index < page.capacity:
                raise Unreadable(f"a list of the page at {page.start:#x} leads to {first:#x}, where no block begins")
            yield index
            first, = struct.unpack_from("<" + self.word, memory, index * page.block_size + next_)
        raise Unreadable(f"a list of the page at {page.start:#x} has no end")

    def held(self):
        """Addresses of blocks that were freed, and that the threads which freed them hold back."""
        if self._held is None:
            layout = self.layout
            self._held = set()
            for thread_heap in self.chain("thread_heaps", "thread_heap_next"):
                held = self.number(thread_heap + layout["thread_heap_held"])
                for i in range(layout["class_count"] if held else 0):
                    first = held + layout["held_lists"] + i * layout["held_list_step"] + layout["held_first"]
                    self._gather(self.number(first))
                    stand_in = self.number(held + layout["held_stand_ins"] + i * self.word_bytes)
                    self._gather(self.number(stand_in + layout["page_free"]) if stand_in else 0)
        return self._held

    def _gather(self, block):
        while block and block not in self._held and self.region_of(block):
            self._held.add(block)
            block = self.number(block + self.layout["block_next"])

    def live(self, page):
        """Numbers of the page's blocks that are the program's."""
        if page.is_singleton:
            return [0]
        memory = self.read(page.start, min(page.capacity * page.block_size, page.bytes))
        gone = set()
        for first in (page.free, page.local_free, page.thread_free):
            gone.update(self._walk(page, memory, first))
        if page.holed:
            unit = max(self.page_size, page.bytes // self.layout["holes_max"])
            gone.update(i for i in range(page.capacity) if page.holes >> (i * page.block_size // unit) & 1)
        held = self.held()
        return [i for i in range(page.capacity)
                if i not in gone and page.start + i * page.block_size not in held]

    def thread_of(self, thread_heap):
        """Whose pages these are, in words."""
        layout = self.layout
        state = self.number(thread_heap + layout["thread_heap_state"], "I")
        if state in (1, 3):
            return "a thread that has ended"
        main = self.number(thread_heap + layout["thread_heap_main"])
        return f"thread {self.number(main + layout['thread_heap_thread'], 'I')}"


def bytes_text(count):
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count} B"
        count /= 1024
    return f"{count:.1f} TiB"


def heap_text(heap):
    """Lines about the whole heap, by size class."""
    rows = {}
    for page in heap.pages():
        size = 0 if page.is_singleton else page.block_size
        row = rows.setdefault(page.size_class, [size, 0, 0, 0, 0])
        live = len(heap.live(page))
        for i, value in enumerate((1, live, live * page.block_size, page.bytes), 1):
            row[i] += value
    yield f"{'block size':>12}{'pages':>9}{'live':>12}{'live bytes':>13}{'page bytes':>13}{'used':>7}"
    for _, (size, pages, live, live_bytes, bytes_) in sorted(rows.items()):
        yield (f"{f'{size} B' if size else 'larger':>12}{pages:>9}{live:>12}{bytes_text(live_bytes):>13}"
               f"{bytes_text(bytes_):>13}{live_bytes * 100 // bytes_:>6}%")
    total = [sum(row[i] for row in rows.values()) for i in range(1, 5)]
    yield f"{'all':>12}{total[0]:>9}{total[1]:>12}{bytes_text(total[2]):>13}{bytes_text(total[3]):>13}"
    committed = sum(region[1] for region in heap.regions) << heap.layout["slice_shift"]
    yield (f"{len(heap.regions)} region(s), {bytes_text(sum(region[4] for region in heap.regions))} reserved, "
           f"{bytes_text(committed)} committed")


def page_text(heap, page):
    """Lines about one page."""
    if page.is_singleton:
        yield f"page {page.start:#x}: one block of {page.block_size} bytes, {page.slices} slices"
    else:
        live = len(heap.live(page))
        yield (f"page {page.start:#x}: {page.reserved} blocks of {page.block_size} bytes, {live} live, "
               f"{page.reserved - page.capacity} never used, {page.slices} slice(s)")
        if page.is_store:
            yield "  owner: none, it holds sampled blocks"
        else:
            yield (f"  owner: {heap.thread_of(page.thread_heap)} (thread heap {page.thread_heap:#x})"
                   f"{', serves its class' if page.serves else ''}{', full' if page.is_full else ''}")
    yield f"  descriptor: {page.head:#x}"


def block_text(heap, address):
    """Lines about an address."""
    page = heap.page_of(address)
    if page is None:
        where = "in memory of the allocator that holds no page" if heap.region_of(address) else "not the allocator's"
        yield f"{address:#x}: {where}"
        return
    start = page.block_of(address)
    if start is None:
        yield f"{address:#x}: behind the last block of its page"
    else:
        index = (start - page.start) // page.block_size
        if page.is_store:
            state = "a place for samples"
        elif index in set(heap.live(page)):
            state = "live"
        elif start in heap.held():
            state = "free, held back by the thread that freed it"
        else:
            state = "free" if index < page.capacity else "never used"
        inside = f" + {address - start}" if address != start else ""
        yield f"{address:#x}: block {start:#x}{inside}, {page.block_size} bytes, {state}"
    yield from page_text(heap, page)


if gdb is not None:

    def read_memory(address, size):
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.MemoryError as error:
            raise Unreadable(f"{size} bytes at {address:#x} cannot be read") from error

    def find_descriptor():
        """By the symbol, or, where there is none left, by the note."""
        try:
            return int(gdb.parse_and_eval("(unsigned long)&mi_descriptor"))
        except gdb.error:
            pass
        for line in gdb.execute("info files", to_string=True).splitlines():
            if ".note.mimalloc" in line:
                at = int(line.split()[0], 16)
                found = note_offset(read_memory(at, int(line.split()[2], 16) - at))
                return at + found + struct.unpack("<i", read_memory(at + found, 4))[0]
        raise gdb.GdbError("No libmimalloc in this process. Is the program started, and its library loaded?")

    class Prefix(gdb.Command):
        """Show what libmimalloc knows about the heap of this process or core file."""

        def __init__(self):
            super().__init__("mimalloc", gdb.COMMAND_DATA, prefix=True)

    class Shown(gdb.Command):
        """A command that prints lines about the heap, or about an address in it."""

        def __init__(self, name, lines, takes_address):
            self.__doc__ = lines.__doc__
            super().__init__("mimalloc " + name, gdb.COMMAND_DATA)
            self.lines = lines
            self.takes_address = takes_address
            self.usage = f"Usage: mimalloc {name}{' ADDRESS' if takes_address else ''}"

        def invoke(self, argument, from_tty):
            del from_tty
            if bool(argument) != self.takes_address:
                raise gdb.GdbError(self.usage)
            try:
                heap = Heap(read_memory, find_descriptor())
                given = (int(gdb.parse_and_eval(f"(unsigned long)({argument})")),) if argument else ()
                for line in self.lines(heap, *given):
                    print(line)
            except Unreadable as error:
                raise gdb.GdbError(str(error)) from error

    def show_page(heap, address):
        page = heap.page_of(address)
        return page_text(heap, page) if page else [f"{address:#x}: no page"]

    heap_text.__doc__ = "Show the heap by size class: pages, live blocks, and how much of the pages they fill."
    block_text.__doc__ = "Show what an address is: block, size, live or free, page, owner."
    show_page.__doc__ = "Show the page in which an address lies."
    Prefix()
    Shown("heap", heap_text, False)
    Shown("block", block_text, True)
    Shown("page", show_page, True)
