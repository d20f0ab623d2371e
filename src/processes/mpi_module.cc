// The shared library between the program and MPI (mpi_functions.h).
#include <mpi.h>

#include <cstdlib>
#include <map>

#include "processes/mpi_functions.h"

namespace {

using ssd::MpiRequest;

constexpr int message_tag = 1, notice_tag = 2, value_tag = 3;

struct Groups {
  MPI_Comm all = MPI_COMM_NULL;      // sums
  MPI_Comm control = MPI_COMM_NULL;  // all else
  MPI_Comm notices = MPI_COMM_NULL;
  std::map<int, MPI_Comm> of_size;  // by the number of their processes
} comms;

MPI_Comm copy_of_world() {
  MPI_Comm copy = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &copy);
  MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN);
  return copy;
}

// For sums in place Open MPI would take a tree: all values go up to rank 0 and down again, so that it sends
// and receives them log2(ranks) times. Rabenseifner's algorithm (reduce-scatter, all-gather) bears sums in
// place as well, and a rank of 2^n sends the values less than twice.
void choose_algorithm() { ::setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "3", 0); }

int begin(int* rank, int* size) {
  choose_algorithm();
  int level = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS) return 1;
  if (level < MPI_THREAD_SERIALIZED) return 2;
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  comms.all = copy_of_world();
  comms.control = copy_of_world();
  comms.notices = copy_of_world();
  return 0;
}

void end() { MPI_Finalize(); }

void abort(int exit_code) { MPI_Abort(MPI_COMM_WORLD, exit_code); }

template <typename Begin>
MpiRequest begun(const Begin& begin_it) {
  auto* request = new MPI_Request(MPI_REQUEST_NULL);
  if (begin_it(request) == MPI_SUCCESS) return request;
  delete request;
  return nullptr;
}

MpiRequest sum(float* values, std::size_t count) {
  return begun([&](MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), MPI_FLOAT, MPI_SUM, comms.all,
                          request);
  });
}

// Made at the first use, by all processes at the same time.
MPI_Comm group_of(int size) {
  const auto [at, first] = comms.of_size.try_emplace(size, MPI_COMM_NULL);
  if (first) {
    int rank = 0;
    MPI_Comm_rank(comms.control, &rank);
    MPI_Comm_split(comms.control, rank / size, rank, &at->second);
    MPI_Comm_set_errhandler(at->second, MPI_ERRORS_RETURN);
  }
  return at->second;
}

MpiRequest gather(const double* values, std::size_t count, double* all, int group) {
  const MPI_Comm comm = group_of(group);
  return begun([&](MPI_Request* request) {
    return MPI_Iallgather(values, static_cast<int>(count), MPI_DOUBLE, all, static_cast<int>(count),
                          MPI_DOUBLE, comm, request);
  });
}

MpiRequest broadcast(void* bytes, std::size_t count) {
  return begun([&](MPI_Request* request) {
    return MPI_Ibcast(bytes, static_cast<int>(count), MPI_BYTE, 0, comms.control, request);
  });
}

MpiRequest send(const void* bytes, std::size_t count, int to) {
  return begun([&](MPI_Request* request) {
    return MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, to, message_tag, comms.control, request);
  });
}

MpiRequest receive(void* bytes, std::size_t count, int from) {
  return begun([&](MPI_Request* request) {
    return MPI_Irecv(bytes, static_cast<int>(count), MPI_BYTE, from, message_tag, comms.control, request);
  });
}

MpiRequest send_notice(const void* bytes, std::size_t count, int to) {
  return begun([&](MPI_Request* request) {
    return MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, to, notice_tag, comms.notices, request);
  });
}

MpiRequest receive_notice(void* bytes, std::size_t count) {
  return begun([&](MPI_Request* request) {
    return MPI_Irecv(bytes, static_cast<int>(count), MPI_BYTE, MPI_ANY_SOURCE, notice_tag, comms.notices,
                     request);
  });
}

MpiRequest send_value(const void* bytes, std::size_t count, int to) {
  return begun([&](MPI_Request* request) {
    return MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, to, value_tag, comms.notices, request);
  });
}

MPI_Message found = MPI_MESSAGE_NULL;

int find_value(std::size_t* count) {
  int flag = 0, bytes = 0;
  MPI_Status status;
  if (MPI_Improbe(MPI_ANY_SOURCE, value_tag, comms.notices, &flag, &found, &status) != MPI_SUCCESS) return 0;
  if (flag == 0) return 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  *count = static_cast<std::size_t>(bytes);
  return 1;
}

MpiRequest receive_value(void* bytes, std::size_t count) {
  return begun([&](MPI_Request* request) {
    return MPI_Imrecv(bytes, static_cast<int>(count), MPI_BYTE, &found, request);
  });
}

int test(MpiRequest handle) {
  auto* request = static_cast<MPI_Request*>(handle);
  int done = 0;
  if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return -1;
  if (done != 0) delete request;
  return done;
}

void cancel(MpiRequest handle) {
  auto* request = static_cast<MPI_Request*>(handle);
  MPI_Cancel(request);
  MPI_Wait(request, MPI_STATUS_IGNORE);
  delete request;
}

constexpr ssd::MpiFunctions functions{.begin = begin,
                                      .end = end,
                                      .abort = abort,
                                      .sum = sum,
                                      .gather = gather,
                                      .broadcast = broadcast,
                                      .send = send,
                                      .receive = receive,
                                      .send_notice = send_notice,
                                      .receive_notice = receive_notice,
                                      .send_value = send_value,
                                      .find_value = find_value,
                                      .receive_value = receive_value,
                                      .test = test,
                                      .cancel = cancel};

}  // namespace

extern "C" __attribute__((visibility("default"))) const ssd::MpiFunctions* ssd_mpi_functions() {
  return &functions;
}
