# The source files, layer by layer (the order is the law of the layers), and what each platform adds.
set(MI_LAYERS base os arena page heap alloc front)

set(MI_SOURCES_COMMON
  src/base/check.c
  src/base/config.c
  src/base/format.c
  src/base/hooks.c
  src/arena/given.c
  src/arena/limit.c
  src/arena/lookup.c
  src/arena/meta.c
  src/arena/purge.c
  src/arena/region.c
  src/arena/slices.c
  src/arena/sweep.c
  src/arena/watch.c
  src/page/away.c
  src/page/blockmap.c
  src/page/page.c
  src/page/remote.c
  src/page/seal.c
  src/page/trim.c
  src/heap/census.c
  src/heap/heap.c
  src/heap/held.c
  src/heap/quarantine.c
  src/heap/registry.c
  src/heap/samples.c
  src/heap/sampling.c
  src/heap/series.c
  src/heap/siblings.c
  src/heap/thread_heap.c
  src/heap/walk.c
  src/alloc/aligned.c
  src/alloc/alloc.c
  src/alloc/free.c
  src/alloc/realloc.c
  src/alloc/sampled.c
  src/alloc/secure.c
  src/front/account.c
  src/front/api.c
  src/front/arena_api.c
  src/front/deferred.c
  src/front/descriptor.c
  src/front/estimate.c
  src/front/guard.c
  src/front/heap_api.c
  src/front/heap_manage.c
  src/front/hook.c
  src/front/init.c
  src/front/limit_api.c
  src/front/live.c
  src/front/metrics.c
  src/front/new.c
  src/front/options.c
  src/front/options_api.c
  src/front/override.c
  src/front/posix.c
  src/front/pprof.c
  src/front/profile.c
  src/front/profile_api.c
  src/front/profile_text.c
  src/front/report.c
  src/front/sample.c
  src/front/sink.c
  src/front/sites.c
  src/front/stats.c
  src/front/stats_api.c
  src/front/stats_json.c
  src/front/tally.c)

set(MI_SOURCES_LINUX
  src/os/os_linux.c
  src/os/os_linux_files.c
  src/os/os_linux_group.c
  src/os/os_linux_numa.c
  src/os/os_linux_places.c
  src/os/os_linux_pressure.c
  src/os/os_linux_threads.c
  src/os/os_posix.c
  src/os/os_posix_faults.c
  src/os/os_posix_threads.c
  src/front/stack.c)

set(MI_SOURCES_MACOS
  src/os/os_absent.c
  src/os/os_macos.c
  src/os/os_macos_places.c
  src/os/os_macos_threads.c
  src/os/os_posix.c
  src/os/os_posix_faults.c
  src/os/os_posix_threads.c
  src/front/stack_macos.c)

set(MI_SOURCES_WINDOWS
  src/os/os_absent.c
  src/os/os_windows.c
  src/os/os_windows_places.c
  src/os/os_windows_threads.c
  src/front/stack_windows.c)

# The calls that only glibc has: mallinfo and its like, and dlopen with RTLD_DEEPBIND.
set(MI_SOURCES_GLIBC
  src/front/deepbind.c
  src/front/glibc_control.c)

# What tells Valgrind or AddressSanitizer about blocks.
set(MI_SOURCES_TRACK
  src/base/track.c
  src/page/cell.c
  src/alloc/tracked.c)

# The command `mimalloc`, with the text of metrics that it shares with the library.
set(MI_SOURCES_TOOL
  tool/arguments.c
  tool/compare.c
  tool/doctor.c
  tool/elf_file.c
  tool/explain.c
  tool/html_page.c
  tool/main.c
  tool/map.c
  tool/map_page.c
  tool/metrics_verb.c
  tool/model.c
  tool/pprof_file.c
  tool/preload.c
  tool/profile_source.c
  tool/profile_verb.c
  tool/resident.c
  tool/run.c
  tool/rust_names.c
  tool/server_run.c
  tool/site_reader.c
  tool/stacks.c
  tool/stacks_page.c
  tool/stacks_text.c
  tool/symbols.c
  tool/target.c
  tool/text.c
  tool/timeline.c
  tool/top.c
  src/base/format.c
  src/front/metrics.c)

set(MI_SOURCES_NEW_DELETE
  src/front/new_delete.cc)

set(MI_HEADERS_PUBLIC
  include/mimalloc.h
  include/mimalloc-descriptor.h
  include/mimalloc-override.h
  include/mimalloc-new-delete.h
  include/mimalloc-pmr.h
  include/mimalloc-stats.h)

set(MI_SOURCES ${MI_SOURCES_COMMON})
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  list(APPEND MI_SOURCES ${MI_SOURCES_LINUX})
  if(MI_LIBC STREQUAL "glibc")
    list(APPEND MI_SOURCES ${MI_SOURCES_GLIBC})
  endif()
elseif(WIN32)
  list(APPEND MI_SOURCES ${MI_SOURCES_WINDOWS})
elseif(APPLE)
  list(APPEND MI_SOURCES ${MI_SOURCES_MACOS})
else()
  message(FATAL_ERROR "mimalloc: there is no port to ${CMAKE_SYSTEM_NAME} yet (Linux, Windows and macOS only)")
endif()

# What every process runs comes first, and files whose static tables are large and hardly used behind all others:
# pages of code are mapped 16 at a time, and what lies together takes fewer of them (record 49).
set(MI_SOURCES_EVERYDAY
  src/alloc/alloc.c src/alloc/free.c src/front/override.c src/heap/thread_heap.c src/page/page.c src/page/remote.c
  src/arena/slices.c src/arena/meta.c src/arena/purge.c src/heap/registry.c src/heap/heap.c src/heap/sampling.c
  src/front/init.c src/os/os_linux.c src/os/os_linux_threads.c src/os/os_posix.c src/os/os_posix_threads.c src/base/hooks.c
  src/base/config.c src/arena/region.c src/alloc/realloc.c src/alloc/sampled.c src/front/hook.c src/front/deferred.c)
set(MI_SOURCES_TABLES
  src/front/tally.c src/front/report.c src/front/estimate.c src/front/profile.c src/front/sites.c
  src/front/stack.c)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  list(REMOVE_ITEM MI_SOURCES ${MI_SOURCES_EVERYDAY} ${MI_SOURCES_TABLES})
  set(MI_SOURCES ${MI_SOURCES_EVERYDAY} ${MI_SOURCES} ${MI_SOURCES_TABLES})
endif()

# Between an allocation's entry and what looks at its stack: these keep frame pointers; or, where that would cost
# instructions, leave their callers' alone.
set(MI_SOURCES_FRAMES ${MI_SOURCES})
list(FILTER MI_SOURCES_FRAMES INCLUDE REGEX "src/(alloc/|front/|heap/samples)")
set(MI_SOURCES_FRAMELESS src/heap/thread_heap.c)

foreach(list MI_SOURCES MI_SOURCES_TOOL MI_SOURCES_FRAMES MI_SOURCES_FRAMELESS MI_SOURCES_TRACK
    MI_SOURCES_NEW_DELETE MI_HEADERS_PUBLIC)
  list(TRANSFORM ${list} PREPEND "${PROJECT_SOURCE_DIR}/")
endforeach()
