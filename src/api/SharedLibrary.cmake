# libsingleshot.so: the C library. Its symbols are those of the header alone; the rooms are inside. It installs with a
# CMake package, a pkg-config file and, where it is not the system's, the oneDNN library that it was built with.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(SSD_ABI 0)  # SINGLESHOT_ABI of the header
add_library(singleshot_library SHARED c_api.cc)
add_library(singleshot::singleshot ALIAS singleshot_library)
target_link_libraries(singleshot_library PRIVATE ssd_api)
target_compile_definitions(singleshot_library PRIVATE SSD_VERSION="${PROJECT_VERSION}")
target_include_directories(singleshot_library PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(singleshot_library INTERFACE cxx_std_17)
target_link_options(singleshot_library PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/singleshot.map)
if(NOT SSD_SANITIZE)
  target_link_options(singleshot_library PRIVATE -Wl,--no-undefined)
endif()
# The older kind of run path also holds for what libraries of that folder need: an archive may bring them all.
target_link_options(singleshot_library PRIVATE -Wl,--disable-new-dtags)
set_target_properties(singleshot_library PROPERTIES
  OUTPUT_NAME singleshot EXPORT_NAME singleshot VERSION ${PROJECT_VERSION} SOVERSION ${SSD_ABI}
  LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/singleshot.map INSTALL_RPATH "$ORIGIN/singleshot")

# Not where other programs would find it: theirs may be of another version.
ssd_install_onednn(DESTINATION ${CMAKE_INSTALL_LIBDIR}/singleshot COMPONENT library)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/singleshot)
install(TARGETS singleshot_library EXPORT singleshot-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT singleshot-targets NAMESPACE singleshot:: DESTINATION ${package_folder} COMPONENT development)
configure_package_config_file(singleshot-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/singleshot-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/singleshot-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/singleshot-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/singleshot-config-version.cmake
        DESTINATION ${package_folder} COMPONENT development)
# Paths in it are relative to the file, so that an unpacked archive works wherever it lies.
file(RELATIVE_PATH pkgconfig_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(singleshot.pc.in ${CMAKE_CURRENT_BINARY_DIR}/singleshot.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/singleshot.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

if(SSD_TESTS)
  ssd_test(c_api_test SOURCES c_api_test.cc LINKS singleshot_library ssd_api ssd_weights ssd_testing)
endif()
if(SSD_TESTS AND NOT SSD_SANITIZE)
  ssd_test(api_install_test SOURCES install_test.cc LINKS ssd_model ssd_weights ssd_testing)
  target_compile_definitions(api_install_test PRIVATE
    SSD_CMAKE="${CMAKE_COMMAND}" SSD_BUILD_DIR="${CMAKE_BINARY_DIR}" SSD_LIBDIR="${CMAKE_INSTALL_LIBDIR}"
    SSD_CXX_COMPILER="${CMAKE_CXX_COMPILER}" SSD_SAMPLE="train2017/BloodImage_00000.jpg")
  add_dependencies(api_install_test singleshot_library)
endif()
