# What cpack makes: a Debian package of the program and the library (scripts/package). Its dependencies are those that
# dpkg-shlibdeps finds; oneDNN, which Debian has in other versions, lies inside.
include(GNUInstallDirs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME singleshot)
set(CPACK_PACKAGE_CONTACT "Singleshot's developers <singleshot@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
# All components in one package; those of nothing else.
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_SOURCE_DIR}/.deps/onednn/lib)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/singleshot RENAME copyright
        COMPONENT program)
if(EXISTS ${CMAKE_SOURCE_DIR}/.deps/onednn/share/doc/onednn)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/.deps/onednn/share/doc/onednn
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/singleshot COMPONENT library)
endif()
# Packages hold what was asked for; the tests need not be built for them.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(CPack)
