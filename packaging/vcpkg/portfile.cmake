# An overlay port: vcpkg install mimalloc --overlay-ports=packaging/vcpkg (as a folder named mimalloc in the tree).
set(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../..")
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "dynamic" shared)
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "static" static)
vcpkg_check_features(OUT_FEATURE_OPTIONS options FEATURES
  secure MI_SECURE
  override MI_OVERRIDE)

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS ${options}
  -DMI_BUILD_TESTS=OFF -DMI_BUILD_SHARED=${shared} -DMI_BUILD_STATIC=${static} -DMI_BUILD_OBJECT=OFF -DMI_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/mimalloc)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
