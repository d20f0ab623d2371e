// A network that many threads ask and one thread runs.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/tensor.h"
#include "detect/detector.h"
#include "detect/trained_model.h"
#include "graph/device.h"

namespace ssd {

// Owns a Predictor and the one thread that runs it. OpenMP keeps a team of threads for each thread that
// computes: with a thread of its own the network has one team, however many threads ask for results, and
// neither their number of OpenMP threads nor their treatment of denormal numbers is touched. Images that wait
// at the same time share a batch. All methods may be called from any thread.
class NetworkThread {
 public:
  // An image on its way, and what the network says of it.
  class Request {
   public:
    Request();
    // u8 (300, 300, 3), RGB: to be filled before it is submitted.
    std::span<std::uint8_t> image() { return image_; }

   private:
    friend class NetworkThread;
    std::vector<std::uint8_t> image_;
    std::shared_ptr<const std::vector<Tensor>> outputs_;  // of the batch that it was in
    std::int64_t slot_ = 0;                               // its place there
    std::string error_;
    bool done_ = false;
  };

  struct Options {
    std::int64_t batch = 1;                                       // images that run together, at most
    std::function<std::unique_ptr<graph::Device>()> make_device;  // called on the network's thread
  };

  // Throws Error where the network cannot be made.
  NetworkThread(const TrainedModel& model, const Options& options);
  // Ends what was submitted.
  ~NetworkThread();
  NetworkThread(const NetworkThread&) = delete;
  NetworkThread& operator=(const NetworkThread&) = delete;

  // Throws Error in a process that was forked off: it has the memory of the network, but not its thread.
  void submit(std::shared_ptr<Request> request);
  // Waits for the outputs of this image alone, (1, 8732, ...); they live as long as the request. Throws Error
  // where the network failed.
  NetworkOutputs wait(Request& request);

 private:
  void work(const TrainedModel& model, const Options& options);
  void serve(class Predictor& predictor);
  void finish(const std::vector<std::shared_ptr<Request>>& batch, std::vector<Tensor> outputs,
              const std::string& error);

  std::mutex mutex_;
  std::condition_variable submitted_, done_;
  std::deque<std::shared_ptr<Request>> waiting_;
  bool ready_ = false, stopping_ = false;
  std::string error_;  // why the network could not be made
  pid_t process_;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace ssd
