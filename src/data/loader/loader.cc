#include "data/loader/loader.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/error.h"
#include "data/loader/loader_work.h"

namespace ssd {
namespace {

constexpr int box_granularity = 16;

int room_for_boxes(int most, const AugmentOptions& augment) {
  most = std::max(1, augment.mosaic ? 4 * most : most);
  return (most + box_granularity - 1) / box_granularity * box_granularity;
}

}  // namespace

Loader::Loader(const Dataset& dataset, const LoaderOptions& options)
    : dataset_(dataset),
      options_(options),
      max_boxes_(room_for_boxes(dataset.max_boxes, options.augment)),
      known_bad_(dataset.samples.size()),
      pool_(std::max(1, options.threads)) {
  check_options();
  const std::uint64_t samples = dataset.samples.size();
  const std::uint64_t global = std::uint64_t(options.batch_size) * std::uint64_t(options.world);
  if (options.mode == LoaderOptions::Mode::evaluate)
    batches_ = (samples + global - 1) / global;
  else
    stream_ = options.begin.epoch * samples + options.begin.sample;
  for (int i = 0; i < options.buffers; ++i) {
    works_.push_back(make_work(i));
    free_.push_back(works_.back().get());
  }
  in_order_.reserve(works_.size());
  order_.reserve(samples);
  for (int i = 0; i < options.threads; ++i)
    workers_.push_back(std::make_unique<Worker>(options.augment, max_boxes_));
  try {
    for (const auto& worker : workers_) pool_.submit([this, &memory = *worker] { run(memory); });
  } catch (...) {
    stop();  // those that run already
    throw;
  }
}

Loader::~Loader() { stop(); }

void Loader::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  may_claim_.notify_all();
}

void Loader::check_options() const {
  const auto at_least_one = [](const char* what, int value) {
    if (value < 1) throw Error("{}: got {}, expected 1 or more", what, value);
  };
  at_least_one("batch size", options_.batch_size);
  at_least_one("loader threads", options_.threads);
  at_least_one("loader buffers", options_.buffers);
  at_least_one("shards", options_.world);
  if (options_.rank < 0 || options_.rank >= options_.world)
    throw Error("shard: got {}, expected 0 to {}", options_.rank, options_.world - 1);
  if (dataset_.samples.empty() || dataset_.samples.size() >= Batch::no_sample)
    throw Error("data set: got {} samples, expected 1 to {}", dataset_.samples.size(), Batch::no_sample - 1);
  if (options_.begin.sample >= dataset_.samples.size())
    throw Error(
        "position in the epoch: got {}, expected less than the {} samples there are; is this another data "
        "set?",
        options_.begin.sample, dataset_.samples.size());
}

std::unique_ptr<Loader::Work> Loader::make_work(int buffer) const {
  auto work = std::make_unique<Work>();
  work->buffer = buffer;
  const std::int64_t n = options_.batch_size, g = max_boxes_;
  const bool targets = options_.mode == LoaderOptions::Mode::train;
  Batch& batch = work->batch;
  batch.images = Tensor(DType::u8, {n, image_size, image_size, 3});
  batch.match = Tensor(DType::i32, targets ? Shape{n, default_box_count} : Shape{0});
  batch.boxes = Tensor(DType::f32, targets ? Shape{n, g, 4} : Shape{0});
  batch.labels = Tensor(DType::i32, targets ? Shape{n, g} : Shape{0});
  batch.image_ids.resize(static_cast<std::size_t>(n));
  batch.sample_indices.resize(static_cast<std::size_t>(n));
  work->samples.resize(static_cast<std::size_t>(n));
  work->epochs.resize(static_cast<std::size_t>(n));
  return work;
}

// A worker's life. `mutex_` is held but while a slot is being filled.
void Loader::run(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (true) {
    may_claim_.wait(lock, [this] { return stopping_ || can_claim(); });
    if (stopping_) return;
    std::size_t slot = 0;
    Work& work = claim(slot);
    if (work.planned == 0) {
      done_.notify_all();
      continue;
    }
    lock.unlock();
    std::exception_ptr error;
    try {
      worker.times = {};
      fill_slot(worker, work, slot);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    const StageTimes stages = std::exchange(worker.augmenter.times(), {});
    times_.read += worker.times.read;
    times_.decode += stages.decode;
    times_.resize += stages.resize;
    times_.colour += stages.colour;
    times_.match += worker.times.match;
    times_.after += worker.times.after;
    if (error && !work.error) work.error = error;
    if (++work.filled == work.planned) done_.notify_all();
  }
}

bool Loader::can_claim() const {
  const bool more = options_.mode == LoaderOptions::Mode::train || handed_out_ + in_order_.size() < batches_;
  return open_ || (more && !free_.empty());
}

Loader::Work& Loader::claim(std::size_t& slot) {
  if (!open_) {
    open_ = free_.back();
    free_.pop_back();
    in_order_.push_back(open_);
    open(*open_);
    open_slot_ = 0;
  }
  Work& work = *open_;
  slot = open_slot_++;
  if (open_slot_ >= work.planned) open_ = nullptr;
  if (can_claim()) may_claim_.notify_one();
  return work;
}

void Loader::open(Work& work) {
  work.filled = 0;
  work.replaced = 0;
  work.bad.clear();
  work.error = nullptr;
  switch (options_.mode) {
    case LoaderOptions::Mode::train:
      plan_training(work);
      break;
    case LoaderOptions::Mode::evaluate:
      plan_evaluation(work);
      break;
  }
  work.batch.valid = static_cast<int>(work.planned);
}

void Loader::plan_training(Work& work) {
  const std::uint64_t samples = dataset_.samples.size(), slots = work.samples.size();
  const auto position = [samples](std::uint64_t at) {
    return StreamPosition{static_cast<std::uint32_t>(at / samples), at % samples};
  };
  const SampleOrderOptions order{.kind = options_.order, .seed = options_.seed};
  const std::uint64_t first = stream_ + slots * std::uint64_t(options_.rank);
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    const StreamPosition at = position(first + slot);
    if (order_.empty() || at.epoch != order_epoch_)
      order_epoch(order, order_epoch_ = at.epoch, static_cast<std::uint32_t>(samples), order_);
    work.samples[slot] = order_[at.sample];
    work.epochs[slot] = at.epoch;
  }
  work.planned = slots;
  work.batch.begin = position(stream_);
  stream_ += slots * std::uint64_t(options_.world);
  work.batch.next = position(stream_);
}

void Loader::plan_evaluation(Work& work) {
  const std::uint64_t samples = dataset_.samples.size(), slots = work.samples.size();
  const std::uint64_t first = stream_ + slots * std::uint64_t(options_.rank);
  work.planned = first < samples ? std::min(slots, samples - first) : 0;
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    work.samples[slot] = slot < work.planned ? static_cast<std::uint32_t>(first + slot) : Batch::no_sample;
    if (slot >= work.planned) clear_slot(work.batch, slot);
  }
  work.batch.begin = {0, stream_};
  stream_ += slots * std::uint64_t(options_.world);
  work.batch.next = {0, std::min(stream_, samples)};
}

Loader::BatchPointer Loader::next() {
  std::unique_lock lock(mutex_);
  if (options_.mode == LoaderOptions::Mode::evaluate && handed_out_ == batches_) return {nullptr, {this}};
  if (in_order_.empty() && free_.empty())
    throw Error("loader: all {} batches are held; give one back first", works_.size());
  const double start = loader_seconds();
  done_.wait(
      lock, [this] { return !in_order_.empty() && in_order_.front()->filled == in_order_.front()->planned; });
  times_.wait += loader_seconds() - start;
  Work& work = *in_order_.front();
  if (work.error) std::rethrow_exception(work.error);
  in_order_.erase(in_order_.begin());
  ++handed_out_;
  lock.unlock();
  report_bad_images(work);
  return {&work.batch, {this}};
}

bool Loader::ready() const {
  const std::scoped_lock lock(mutex_);
  return !in_order_.empty() && in_order_.front()->filled == in_order_.front()->planned;
}

// `work` is ready, so no worker touches it; the counters belong to next()'s thread.
void Loader::report_bad_images(Work& work) {
  if (options_.mode == LoaderOptions::Mode::train) replaced_ += work.replaced;
  std::ranges::stable_sort(work.bad, {}, &Work::Bad::slot);
  for (const Work::Bad& bad : work.bad) {
    if (known_bad_[bad.image.sample]) continue;
    known_bad_[bad.image.sample] = true;
    ++bad_images_;
    if (options_.on_bad_image) options_.on_bad_image(bad.image);
  }
}

void Loader::give_back(const Batch* batch) {
  const auto work = std::ranges::find_if(works_, [batch](const auto& w) { return &w->batch == batch; });
  assert(work != works_.end());
  {
    const std::scoped_lock lock(mutex_);
    free_.push_back(work->get());
  }
  may_claim_.notify_all();
}

LoaderTimes Loader::times() const {
  const std::scoped_lock lock(mutex_);
  return times_;
}

}  // namespace ssd
