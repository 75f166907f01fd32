# `cmake --install`: libraries and objects in lib/, headers flat in include/, the CMake package, the .pc file. Variants
# (-secure, -debug) go into the same prefix: what they install has the suffix in its name, or is the same for all.
include(CMakePackageConfigHelpers)

set(MI_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/mimalloc)

install(TARGETS ${MI_INSTALL_TARGETS} EXPORT mimalloc${MI_SUFFIX}-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${MI_HEADERS_PUBLIC} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(MI_BUILD_OBJECT)
  foreach(object IN LISTS MI_OBJECT_FILES)
    get_filename_component(name ${object} NAME_WE)
    install(FILES ${object} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME ${name}${MI_SUFFIX}.o)
  endforeach()
endif()
if(MI_BUILD_SHARED)
  # Where gdb looks for what belongs to a library: its folder, below a folder of its own.
  install(FILES ${PROJECT_SOURCE_DIR}/tool/mimalloc-gdb.py
    DESTINATION ${CMAKE_INSTALL_DATADIR}/gdb/auto-load/${CMAKE_INSTALL_FULL_LIBDIR} RENAME ${MI_GDB_SCRIPT})
endif()
if(MI_BUILD_TOOL)
  install(TARGETS mimalloc-tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
  install(FILES ${PROJECT_SOURCE_DIR}/tool/mimalloc.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${PROJECT_SOURCE_DIR}/tool/mimalloc.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mimalloc)
endif()
# What the target `docs` has made, when it has.
install(FILES ${PROJECT_BINARY_DIR}/docs/mimalloc.html DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY ${PROJECT_BINARY_DIR}/docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} OPTIONAL)

install(EXPORT mimalloc${MI_SUFFIX}-targets DESTINATION ${MI_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/mimalloc-config.cmake.in
  ${PROJECT_BINARY_DIR}/mimalloc-config.cmake INSTALL_DESTINATION ${MI_CMAKE_DIR}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mimalloc-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mimalloc-config.cmake ${PROJECT_BINARY_DIR}/mimalloc-config-version.cmake
  DESTINATION ${MI_CMAKE_DIR})

# The .pc file finds its prefix from its own place, so that an installed tree can be moved.
set(MI_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
set(MI_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
set(MI_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(MI_PC_PREFIX "\${pcfiledir}/${up}")
  set(MI_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(MI_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/mimalloc.pc.in ${PROJECT_BINARY_DIR}/mimalloc${MI_SUFFIX}.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mimalloc${MI_SUFFIX}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
