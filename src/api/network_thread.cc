#include "api/network_thread.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "boxes/ssd300.h"
#include "detect/predictor.h"

namespace ssd {
namespace {

constexpr std::size_t pixels = 3u * image_size * image_size;

// The message of the exception that is being handled.
std::string current_message() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return "memory: there is not enough for the network; free some, or need less: a smaller batch";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

NetworkThread::Request::Request() : image_(pixels) {}

NetworkThread::NetworkThread(const TrainedModel& model, const Options& options) : process_(::getpid()) {
  if (options.batch < 1) throw Error("batch: got {}, expected 1 or more", options.batch);
  try {
    thread_ = std::thread([this, &model, &options] { work(model, options); });
  } catch (const std::system_error& error) {
    throw Error("the network's thread cannot be started: {}; end some other threads", error.what());
  }
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return ready_; });
  if (error_.empty()) return;
  lock.unlock();
  thread_.join();
  throw Error(error_);
}

NetworkThread::~NetworkThread() {
  if (::getpid() != process_) {
    thread_.detach();  // it runs in the parent alone
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  submitted_.notify_all();
  thread_.join();
}

void NetworkThread::submit(std::shared_ptr<Request> request) {
  if (::getpid() != process_)
    throw Error(
        "detector: got a call in a forked process, expected one in the process that opened it; open the "
        "detector after the fork");
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(request));
  }
  submitted_.notify_one();
}

NetworkOutputs NetworkThread::wait(Request& request) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return request.done_; });
  if (!request.error_.empty()) throw Error(request.error_);
  const TensorView loc = request.outputs_->at(0), conf = request.outputs_->at(1);
  return {loc.slices(request.slot_, 1), conf.slices(request.slot_, 1)};
}

void NetworkThread::work(const TrainedModel& model, const Options& options) {
  std::unique_ptr<graph::Device> device;
  std::unique_ptr<Predictor> predictor;
  std::string error;
  try {
    device = options.make_device();
    predictor = std::make_unique<Predictor>(*device, model.model,
                                            Predictor::Options{.batch = options.batch, .detector = {}});
    predictor->load(model.weights);
  } catch (...) {
    error = current_message();
  }
  {
    // From here on the constructor goes on: its arguments are gone.
    const std::lock_guard lock(mutex_);
    ready_ = true;
    error_ = error;
  }
  done_.notify_all();
  if (error.empty()) serve(*predictor);
}

void NetworkThread::serve(Predictor& predictor) {
  Tensor images(DType::u8, {predictor.batch(), image_size, image_size, 3});
  std::vector<std::shared_ptr<Request>> batch;
  while (true) {
    batch.clear();
    {
      std::unique_lock lock(mutex_);
      submitted_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      while (!waiting_.empty() && static_cast<std::int64_t>(batch.size()) < predictor.batch()) {
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
    }
    std::vector<Tensor> outputs;
    std::string error;
    try {
      for (std::size_t i = 0; i < batch.size(); ++i)
        std::ranges::copy(batch[i]->image_, images.as<std::uint8_t>().subspan(i * pixels).begin());
      predictor.start(images);
      outputs = predictor.finish_outputs();
    } catch (...) {
      error = current_message();
    }
    finish(batch, std::move(outputs), error);
  }
}

void NetworkThread::finish(const std::vector<std::shared_ptr<Request>>& batch, std::vector<Tensor> outputs,
                           const std::string& error) {
  const auto shared = std::make_shared<const std::vector<Tensor>>(std::move(outputs));
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      batch[i]->outputs_ = shared;
      batch[i]->slot_ = static_cast<std::int64_t>(i);
      batch[i]->error_ = error;
      batch[i]->done_ = true;
    }
  }
  done_.notify_all();
}

}  // namespace ssd
