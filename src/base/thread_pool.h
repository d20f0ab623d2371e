// A fixed set of worker threads.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ssd {

// Processors this process may use (processors.h), at least 1.
int available_processors();

// Runs tasks on `threads` workers, first come, first served. The destructor finishes what was submitted. The
// constructor throws Error where the system gives fewer threads.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()); }

  // The task must not throw.
  void submit(std::function<void()> task);

  // Calls body(i) for i in 0 .. count - 1, in any order, on the workers and the calling thread, and waits.
  // Rethrows the first exception a call threw; the remaining calls are then skipped. Not to be called from
  // one of the pool's own tasks.
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  void work();
  void stop();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace ssd
