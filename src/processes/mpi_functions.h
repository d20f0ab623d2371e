// What the program asks of MPI: a table of C functions in a shared library of its own, which alone is linked
// with MPI and is loaded only where a launcher has started several processes.
#pragma once

#include <cstddef>

namespace ssd {

// Something that was begun and is not over. A null request means that it could not be begun.
using MpiRequest = void*;

// Buffers stay where they are until the request is over. Whoever calls sees to it that no two calls are made
// at the same time.
struct MpiFunctions {
  // 0: done; otherwise this process is not part of a run.
  int (*begin)(int* rank, int* size);
  void (*end)();
  void (*abort)(int exit_code);  // ends all processes

  // Each value becomes the sum over all processes.
  MpiRequest (*sum)(float* values, std::size_t count);
  // `count` doubles of each process of a group of consecutive ranks, by rank.
  MpiRequest (*gather)(const double* values, std::size_t count, double* all, int group);
  MpiRequest (*broadcast)(void* bytes, std::size_t count);  // rank 0's
  // From one process to another; notices are told apart from the rest, and come from anyone.
  MpiRequest (*send)(const void* bytes, std::size_t count, int to);
  MpiRequest (*receive)(void* bytes, std::size_t count, int from);
  MpiRequest (*send_notice)(const void* bytes, std::size_t count, int to);
  MpiRequest (*receive_notice)(void* bytes, std::size_t count);
  // Values, of any size and apart from the rest. 1: one has come, from anyone, `count` bytes, and the next
  // call of them is receive_value(); 0: none has.
  MpiRequest (*send_value)(const void* bytes, std::size_t count, int to);
  int (*find_value)(std::size_t* count);
  MpiRequest (*receive_value)(void* bytes, std::size_t count);

  // 1: over, and the request is gone; 0: not yet; -1: it failed.
  int (*test)(MpiRequest request);
  void (*cancel)(MpiRequest request);  // of receiving, which never came to pass
};

// The name of the library's one function: const MpiFunctions* ssd_mpi_functions().
inline constexpr const char* mpi_functions_name = "ssd_mpi_functions";
inline constexpr const char* mpi_module_name = "singleshot_mpi.so";

}  // namespace ssd
