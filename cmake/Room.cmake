# ssd_room(NAME SOURCES a.cc ... [USES room ...] [LIBRARIES target ...] [TESTS a_test.cc ...] [TEST_USES room ...])
#
# A library of the folder src/NAME that may include only the rooms it USES, and a test program of its tests, which may
# include those of TEST_USES as well. Of the room "data/loader" the library is `ssd_data_loader`, the test program
# `data_loader_test`. LIBRARIES stay private to the room. `scripts/check-rooms` holds every #include against this.
function(ssd_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LIBRARIES;TESTS;TEST_USES" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  ssd_room_targets(uses ${ROOM_USES})
  add_library(ssd_${target} STATIC ${ROOM_SOURCES})
  target_include_directories(ssd_${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(ssd_${target} PUBLIC ${uses} PRIVATE ${ROOM_LIBRARIES})
  if(ROOM_TESTS AND SSD_TESTS)
    ssd_room_targets(test_uses ${ROOM_TEST_USES})
    ssd_test(${target}_test SOURCES ${ROOM_TESTS} LINKS ssd_${target} ${test_uses} ${ROOM_LIBRARIES})
  endif()
endfunction()

# The libraries of some rooms: "data/loader" is ssd_data_loader.
function(ssd_room_targets result)
  set(targets ${ARGN})
  list(TRANSFORM targets REPLACE "/" "_")
  list(TRANSFORM targets PREPEND "ssd_")
  set(${result} ${targets} PARENT_SCOPE)
endfunction()

# ssd_test(NAME SOURCES a_test.cc ... LINKS target ... [LABELS label ...] [TIMEOUT seconds]): a GoogleTest program; each
# of its tests is a CTest test. OpenMP's threads wait without spinning: tests run beside each other, and where there are
# more threads than cores a spinning one keeps from its core the one that it waits for.
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
  set(properties TIMEOUT ${TEST_TIMEOUT} ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(TEST_LABELS)
    list(APPEND properties LABELS "${TEST_LABELS}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." PROPERTIES ${properties})
endfunction()
