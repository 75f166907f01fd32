# Cross build with one of Debian's compilers, by the name that they have in common; programs run under qemu-user, or wine:
#   cmake -B build/riscv64 -DCMAKE_TOOLCHAIN_FILE=cmake/cross.cmake -DMI_CROSS=riscv64-linux-gnu
#   cmake -B build/windows -DCMAKE_TOOLCHAIN_FILE=cmake/cross.cmake -DMI_CROSS=x86_64-w64-mingw32
set(MI_CROSS aarch64-linux-gnu CACHE STRING "The compiler's prefix")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MI_CROSS)
set(CMAKE_SYSTEM_NAME Linux)
if(MI_CROSS MATCHES mingw)
  set(CMAKE_SYSTEM_NAME Windows)
  set(CMAKE_RC_COMPILER ${MI_CROSS}-windres)
endif()
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR ${MI_CROSS})

set(CMAKE_C_COMPILER ${MI_CROSS}-gcc)
find_program(MI_CROSS_CXX ${MI_CROSS}-g++)
mark_as_advanced(MI_CROSS_CXX)
if(MI_CROSS_CXX)
  set(CMAKE_CXX_COMPILER ${MI_CROSS_CXX})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/${MI_CROSS})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

if(CMAKE_SYSTEM_NAME STREQUAL "Windows")
  # Where the program's folder is not in the path: Debian's.
  find_program(MI_WINE NAMES wine64 wine PATHS /usr/lib/wine)
  mark_as_advanced(MI_WINE)
  if(MI_WINE)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${MI_WINE})
  endif()
  set(CMAKE_EXE_LINKER_FLAGS_INIT -static) # the compiler's own libraries lie where no program looks for them
  return()
endif()

string(REPLACE "powerpc64le" "ppc64le" qemu "${CMAKE_SYSTEM_PROCESSOR}")
string(REPLACE "i686" "i386" qemu "${qemu}")
find_program(MI_QEMU NAMES qemu-${qemu} qemu-${qemu}-static)
mark_as_advanced(MI_QEMU)
if(MI_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${MI_QEMU} -L /usr/${MI_CROSS})
endif()
