# ssd_fuzz(NAME SOURCES name_fuzz.cc LINKS target ...): a libFuzzer program NAME_fuzz, built with clang under SSD_FUZZ.
# Its seeds lie in fuzz/seeds/NAME/. `scripts/fuzz [SECONDS]` builds and runs them all.
function(ssd_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name}_fuzz ${FUZZ_SOURCES})
  target_link_libraries(${name}_fuzz PRIVATE ${FUZZ_LINKS})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name}_fuzz)
endfunction()

# The target `fuzzers` builds every fuzzer there is.
add_custom_target(fuzzers)
