# Libraries from Debian's packages and from .deps/ (see scripts/setup).
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(PkgConfig REQUIRED)
if(SSD_TESTS)
  find_package(GTest REQUIRED)
endif()
