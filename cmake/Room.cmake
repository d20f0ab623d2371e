# ssd_room(NAME SOURCES a.cc ... [USES room ...] [LIBRARIES target ...] [TESTS a_test.cc ...])
#
# A library `ssd_NAME` of the folder's sources that may include only the rooms it USES, and a test program
# `NAME_test` of its tests. Outside LIBRARIES stay private to the room.
function(ssd_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LIBRARIES;TESTS;TEST_USES" ${ARGN})
  add_library(ssd_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(ssd_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_USES PREPEND ssd_)
  target_link_libraries(ssd_${name} PUBLIC ${ROOM_USES} PRIVATE ${ROOM_LIBRARIES})
  if(ROOM_TESTS AND SSD_TESTS)
    list(TRANSFORM ROOM_TEST_USES PREPEND ssd_)
    ssd_test(${name}_test SOURCES ${ROOM_TESTS} LINKS ssd_${name} ${ROOM_TEST_USES} ${ROOM_LIBRARIES})
  endif()
endfunction()

# ssd_test(NAME SOURCES a_test.cc ... LINKS target ...): a GoogleTest program; each of its tests is a CTest test.
# SSD_SOURCE_DIR is the project's root (real data lies at SSD_SOURCE_DIR/../shared, where there is any).
include(GoogleTest)
function(ssd_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SSD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}."
                       PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
