// How a worker of the loader fills a slot of a batch.
#include <algorithm>
#include <cassert>

#include "base/error.h"
#include "boxes/match.h"
#include "data/loader/loader_work.h"
#include "data/loader/mosaic.h"

namespace ssd {
namespace {

// Images in a row that may be bad before it is taken for a fault of the whole set.
constexpr std::uint32_t most_replacements = 1000;

std::span<std::uint8_t> image_of(Batch& batch, std::size_t slot) {
  return batch.images.as<std::uint8_t>().subspan(slot * Augmenter::image_bytes, Augmenter::image_bytes);
}

// The message without the file's name, which some begin with.
std::string reason_of(const Error& error, const std::string& file) {
  const std::string_view message = error.what();
  return std::string(message.starts_with(file + ": ") ? message.substr(file.size() + 2) : message);
}

}  // namespace

// Fills a slot with its sample, or with the next one that is not bad.
void Loader::fill_slot(Worker& worker, Work& work, std::size_t slot) {
  const std::size_t ahead = slot + static_cast<std::size_t>(options_.threads);
  if (ahead < work.planned) dataset_.images->prefetch(dataset_.samples[work.samples[ahead]]);
  const auto samples = static_cast<std::uint32_t>(dataset_.samples.size());
  const std::uint32_t attempts = std::min(samples, most_replacements);
  for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
    const auto sample = static_cast<std::uint32_t>((std::uint64_t{work.samples[slot]} + attempt) % samples);
    try {
      make_sample(worker, work, slot, sample);
      return;
    } catch (const Error& error) {
      note_bad_image(work, slot, sample, error);
    }
    if (options_.bad_images == LoaderOptions::BadImages::fail) return;
    if (options_.mode == LoaderOptions::Mode::evaluate) {
      clear_slot(work.batch, slot);
      return;
    }
    if (attempt > 0) continue;
    const std::scoped_lock lock(mutex_);
    ++work.replaced;
  }
  const std::scoped_lock lock(mutex_);
  const BadImage& last = work.bad.back().image;
  throw Error("{} images in a row could not be read, the last one {}: {}; is the image folder right?",
              attempts, last.file, last.reason);
}

// For next() to tell: as a bad image, or as an error where bad images end everything.
void Loader::note_bad_image(Work& work, std::size_t slot, std::uint32_t sample, const Error& error) {
  const std::string& file = dataset_.samples[sample].file;
  const std::string reason = reason_of(error, file);
  const std::scoped_lock lock(mutex_);
  if (options_.bad_images == LoaderOptions::BadImages::replace)
    work.bad.push_back({slot, {sample, file, reason}});
  else if (!work.error)
    work.error = std::make_exception_ptr(
        Error("{}: {}; repair or remove it, or let bad images be replaced", file, reason));
}

void Loader::make_sample(Worker& worker, Work& work, std::size_t slot, std::uint32_t sample) {
  Batch& batch = work.batch;
  const double start = loader_seconds();
  const ImageSource source = dataset_.images->load(dataset_.samples[sample], worker.file);
  worker.times.read += loader_seconds() - start;
  switch (options_.mode) {
    case LoaderOptions::Mode::train: {
      // The random numbers are those of the sample that was to stand here.
      Random random(options_.seed, work.epochs[slot], work.samples[slot]);
      if (options_.augment.mosaic && random.coin(MosaicOptions().probability))
        make_mosaic(worker, work, slot, sample, random);
      else
        worker.augmenter.train(source, dataset_.samples[sample].boxes, random, image_of(batch, slot),
                               worker.kept);
      const double targets = loader_seconds();
      write_targets(worker, batch, slot);
      worker.times.match += loader_seconds() - targets;
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
    const double after = loader_seconds();
    options_.after_sample(batch, work.buffer, slot);
    worker.times.after += loader_seconds() - after;
  }
}

// The sample's own tile must be good, or another sample stands in for the whole; a tile that is not shows the
// sample once more.
void Loader::make_mosaic(Worker& worker, Work& work, std::size_t slot, std::uint32_t sample, Random& random) {
  const std::span<std::uint8_t> image = image_of(work.batch, slot);
  const auto add = [&](std::uint32_t shown, const PixelRect& tile) {
    const double start = loader_seconds();
    const ImageSource source = dataset_.images->load(dataset_.samples[shown], worker.file);
    worker.times.read += loader_seconds() - start;
    worker.augmenter.add_tile(source, dataset_.samples[shown].boxes, random, tile, image, worker.kept);
    dataset_.images->check_used(dataset_.samples[shown]);
  };
  const Mosaic mosaic = random_mosaic(random, static_cast<std::uint32_t>(dataset_.samples.size()));
  worker.kept.clear();
  add(sample, mosaic.tiles[0]);
  for (std::size_t i = 0; i < mosaic.others.size(); ++i) {
    const std::uint32_t other = mosaic.others[i];
    try {
      add(other, mosaic.tiles[i + 1]);
    } catch (const Error& error) {
      note_bad_image(work, slot, other, error);
      add(sample, mosaic.tiles[i + 1]);
    }
  }
  worker.augmenter.change_colours(random, image);
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

}  // namespace ssd
