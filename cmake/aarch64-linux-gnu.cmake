# Cross build for 64-bit ARM with Debian's cross compiler; programs run under qemu-user where it is installed:
#   cmake -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
find_program(MI_CROSS_CXX aarch64-linux-gnu-g++)
mark_as_advanced(MI_CROSS_CXX)
if(MI_CROSS_CXX)
  set(CMAKE_CXX_COMPILER ${MI_CROSS_CXX})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

find_program(MI_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
mark_as_advanced(MI_QEMU)
if(MI_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${MI_QEMU} -L /usr/aarch64-linux-gnu)
endif()
