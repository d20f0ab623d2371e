#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <system_error>

#include "base/error.h"
#include "base/processors.h"

namespace ssd {

int available_processors() { return processors().count; }

ThreadPool::ThreadPool(int threads) {
  const int wanted = std::max(1, threads);
  workers_.reserve(static_cast<std::size_t>(wanted));
  try {
    while (static_cast<int>(workers_.size()) < wanted) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    const std::size_t made = workers_.size();
    stop();
    throw Error(
        "threads: the system gave {} of {} ({}); ask for fewer with --threads, or raise the limits on "
        "processes and memory (ulimit -u, -v)",
        made, wanted, error.code().message());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::submit(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  ready_.notify_one();
}

void ThreadPool::work() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void ThreadPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  std::condition_variable done;
  const std::size_t helpers = count < 2 ? 0 : std::min(count - 1, workers_.size());
  std::size_t running = helpers;

  const auto drain = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  const auto help = [&] {
    drain();
    const std::scoped_lock lock(mutex);
    if (--running == 0) done.notify_one();
  };
  for (std::size_t i = 0; i < helpers; ++i) {
    try {
      submit(help);
    } catch (const std::bad_alloc&) {  // then fewer help
      const std::scoped_lock lock(mutex);
      --running;
    }
  }
  drain();
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return running == 0; });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace ssd
