# Flags for every target: warnings, sanitizers. Code for wider vectors is chosen at run time, so no target is
# built for this machine's own processor.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror=switch)
# Designated initialisers leave the other members at their defaults; g++ 12 warns of those without one.
add_compile_options(-Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overflows in fmt 9 and in std::string concatenation that are not there (GCC bug 105651).
  add_compile_options(-Wno-stringop-overflow -Wno-array-bounds -Wno-restrict)
endif()
if(SSD_WERROR)
  add_compile_options(-Werror)
endif()
if(SSD_SANITIZE)
  add_compile_options(-fsanitize=${SSD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SSD_SANITIZE})
endif()
if(SSD_FUZZ)
  # Coverage for libFuzzer in every room; the fuzzers link its main (cmake/Fuzz.cmake).
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1")
