#include "data/loader/loader.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "boxes/match.h"

namespace ssd {
namespace {

// Images in a row that may be bad before it is taken for a fault of the whole set.
constexpr std::uint32_t most_replacements = 1000;

constexpr int box_granularity = 16;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::span<std::uint8_t> image_of(Batch& batch, std::size_t slot) {
  return batch.images.as<std::uint8_t>().subspan(slot * Augmenter::image_bytes, Augmenter::image_bytes);
}

// The message without the file's name, which some begin with.
std::string reason_of(const Error& error, const std::string& file) {
  const std::string_view message = error.what();
  return std::string(message.starts_with(file + ": ") ? message.substr(file.size() + 2) : message);
}

}  // namespace

struct Loader::Work {
  struct Bad {
    std::size_t slot = 0;
    BadImage image;
  };

  Batch batch;
  int buffer = 0;                      // its place among the loader's
  std::vector<std::uint32_t> samples;  // (N) as planned
  std::vector<std::uint32_t> epochs;   // (N)
  std::size_t planned = 0;             // slots to fill: batch.valid
  std::size_t filled = 0;
  std::vector<Bad> bad;
  std::size_t replaced = 0;
  std::exception_ptr error;
};

struct Loader::Worker {
  Augmenter augmenter;
  std::vector<std::byte> file;
  std::vector<LabeledBox> kept;
  std::vector<Box> boxes;
  MatchScratch scratch;
  LoaderTimes times;  // of the sample at hand

  Worker(const AugmentOptions& options, int max_boxes) : augmenter(options) {
    kept.reserve(static_cast<std::size_t>(max_boxes));
    boxes.reserve(static_cast<std::size_t>(max_boxes));
  }
};

Loader::Loader(const Dataset& dataset, const LoaderOptions& options)
    : dataset_(dataset),
      options_(options),
      max_boxes_(std::max(1, (dataset.max_boxes + box_granularity - 1) / box_granularity) * box_granularity),
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

// Fills a slot with its sample, or with the next one that is not bad.
void Loader::fill_slot(Worker& worker, Work& work, std::size_t slot) {
  const std::size_t ahead = slot + static_cast<std::size_t>(options_.threads);
  if (ahead < work.planned) dataset_.images->prefetch(dataset_.samples[work.samples[ahead]]);
  const auto samples = static_cast<std::uint32_t>(dataset_.samples.size());
  const std::uint32_t attempts = std::min(samples, most_replacements);
  for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
    const auto sample = static_cast<std::uint32_t>((std::uint64_t{work.samples[slot]} + attempt) % samples);
    const std::string& file = dataset_.samples[sample].file;
    try {
      make_sample(worker, work, slot, sample);
      return;
    } catch (const Error& error) {
      const std::string reason = reason_of(error, file);
      if (options_.bad_images == LoaderOptions::BadImages::fail)
        throw Error("{}: {}; repair or remove it, or let bad images be replaced", file, reason);
      const std::scoped_lock lock(mutex_);
      if (attempt == 0) ++work.replaced;
      work.bad.push_back({slot, {sample, file, reason}});
    }
    if (options_.mode == LoaderOptions::Mode::evaluate) {
      clear_slot(work.batch, slot);
      return;
    }
  }
  const std::scoped_lock lock(mutex_);
  const BadImage& last = work.bad.back().image;
  throw Error("{} images in a row could not be read, the last one {}: {}; is the image folder right?",
              attempts, last.file, last.reason);
}

void Loader::make_sample(Worker& worker, Work& work, std::size_t slot, std::uint32_t sample) {
  Batch& batch = work.batch;
  const double start = seconds();
  const ImageSource source = dataset_.images->load(dataset_.samples[sample], worker.file);
  worker.times.read += seconds() - start;
  switch (options_.mode) {
    case LoaderOptions::Mode::train: {
      // The random numbers are those of the sample that was to stand here.
      Random random(options_.seed, work.epochs[slot], work.samples[slot]);
      worker.augmenter.train(source, dataset_.samples[sample].boxes, random, image_of(batch, slot),
                             worker.kept);
      const double targets = seconds();
      write_targets(worker, batch, slot);
      worker.times.match += seconds() - targets;
      break;
    }
    case LoaderOptions::Mode::evaluate:
      worker.augmenter.evaluate(source, image_of(batch, slot));
      break;
  }
  dataset_.images->check_used(dataset_.samples[sample]);
  batch.image_ids[slot] = dataset_.samples[sample].image_id;
  batch.sample_indices[slot] = sample;
  if (options_.after_sample) {
    const double after = seconds();
    options_.after_sample(batch, work.buffer, slot);
    worker.times.after += seconds() - after;
  }
}

void Loader::write_targets(Worker& worker, Batch& batch, std::size_t slot) const {
  const auto room = static_cast<std::size_t>(max_boxes_);
  const std::span<float> boxes = batch.boxes.as<float>().subspan(slot * room * 4, room * 4);
  const std::span<std::int32_t> labels = batch.labels.as<std::int32_t>().subspan(slot * room, room);
  assert(worker.kept.size() <= room);
  std::ranges::fill(boxes, 0.0f);
  std::ranges::fill(labels, 0);
  worker.boxes.clear();
  for (std::size_t i = 0; i < worker.kept.size(); ++i) {
    const LabeledBox& labeled = worker.kept[i];
    const CenterBox center = to_center(labeled.box);
    worker.boxes.push_back(labeled.box);
    boxes[4 * i] = center.cx;
    boxes[4 * i + 1] = center.cy;
    boxes[4 * i + 2] = center.width;
    boxes[4 * i + 3] = center.height;
    labels[i] = labeled.label;
  }
  match(worker.boxes, ssd300_default_boxes(),
        batch.match.as<std::int32_t>().subspan(slot * default_box_count, default_box_count), worker.scratch);
}

void Loader::clear_slot(Batch& batch, std::size_t slot) const {
  std::ranges::fill(image_of(batch, slot), std::uint8_t{0});
  batch.image_ids[slot] = -1;
  batch.sample_indices[slot] = Batch::no_sample;
}

Loader::BatchPointer Loader::next() {
  std::unique_lock lock(mutex_);
  if (options_.mode == LoaderOptions::Mode::evaluate && handed_out_ == batches_) return {nullptr, {this}};
  if (in_order_.empty() && free_.empty())
    throw Error("loader: all {} batches are held; give one back first", works_.size());
  const double start = seconds();
  done_.wait(
      lock, [this] { return !in_order_.empty() && in_order_.front()->filled == in_order_.front()->planned; });
  times_.wait += seconds() - start;
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
