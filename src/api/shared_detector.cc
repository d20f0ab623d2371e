#include "api/shared_detector.h"

#include <deque>
#include <utility>

#include "backend/cpu/cpu_device.h"
#include "base/error.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

TrainedModel with_options(TrainedModel model, const SharedDetector::Options& options) {
  model.model.compute = options.precision;
  if (options.stride_in) model.model.stride_in = *options.stride_in;
  return model;
}

NetworkThread::Options network_options(const SharedDetector::Options& options) {
  if (options.make_device) return {.batch = options.batch, .make_device = options.make_device};
  return {.batch = options.batch,
          .make_device = [threads = options.threads] { return cpu::make_device({.threads = threads}); }};
}

}  // namespace

SharedDetector::SharedDetector(const std::filesystem::path& path, const Options& options)
    : SharedDetector(read_model(path), options) {}

SharedDetector::SharedDetector(TrainedModel model, const Options& options)
    : model_(with_options(std::move(model), options)), batch_(options.batch) {
  network_ = std::make_unique<NetworkThread>(model_, network_options(options));
  model_.weights.clear();  // the network has its own
}

std::vector<ImageResult> SharedDetector::detect(std::span<const InputImage> images,
                                                const DetectorOptions& options) {
  check(options);
  struct InFlight {
    std::shared_ptr<Request> request;
    ImageResult& result;
  };
  // Two batches: the network has one to do while the next is read.
  const auto most = static_cast<std::size_t>(2 * batch_);
  std::vector<ImageResult> results(images.size());
  std::deque<InFlight> in_flight;
  const auto collect_oldest = [&] {
    collect(*in_flight.front().request, options, in_flight.front().result);
    in_flight.pop_front();
  };
  std::unique_ptr<Workspace> workspace = workspaces_.take();
  for (std::size_t i = 0; i < images.size(); ++i) {
    ImageResult& result = results[i];
    std::shared_ptr<Request> request;
    try {
      request = read(images[i], *workspace, result.found);
    } catch (const Error& error) {
      result.error = with_name(result.found.file, error.what());
      continue;
    }
    if (in_flight.size() == most) collect_oldest();
    network_->submit(request);
    in_flight.push_back({std::move(request), result});
  }
  workspaces_.give_back(std::move(workspace));
  while (!in_flight.empty()) collect_oldest();
  return results;
}

std::shared_ptr<NetworkThread::Request> SharedDetector::read(const InputImage& image, Workspace& workspace,
                                                             DetectedImage& found) const {
  auto request = std::make_shared<Request>();
  const auto decode = [&](std::span<const std::byte> bytes) {
    const Augmenter::Size size = workspace.augmenter.evaluate({.bytes = bytes}, request->image());
    found.width = size.width;
    found.height = size.height;
  };
  if (const auto* pixels = std::get_if<PixelBuffer>(&image)) {
    resize_to_input(*pixels, workspace.resizer, request->image());
    found.width = pixels->width;
    found.height = pixels->height;
  } else if (const auto* encoded = std::get_if<EncodedImage>(&image)) {
    decode(encoded->bytes);
  } else {
    found.file = std::get<ImageFile>(image).path.string();
    decode(read_file(found.file, workspace.bytes));
  }
  return request;
}

void SharedDetector::collect(Request& request, const DetectorOptions& options, ImageResult& result) {
  const NetworkOutputs outputs = network_->wait(request);
  const auto detections = ssd::detect(outputs, options);
  for (const Detection& detection : detections.at(0))
    result.found.objects.push_back(object_in(result.found, detection, model_.categories));
}

DetectorOptions default_detector_options() { return {.score = 0.3f, .iou = 0.45f}; }

void check(const DetectorOptions& options) {
  if (!(options.score >= 0 && options.score < 1))
    throw Error("score: got {}, expected a number from 0 to below 1", options.score);
  if (!(options.iou >= 0 && options.iou <= 1))
    throw Error("iou: got {}, expected a number from 0 to 1", options.iou);
  if (options.total < 1) throw Error("top: got {}, expected 1 or more", options.total);
}

}  // namespace ssd
