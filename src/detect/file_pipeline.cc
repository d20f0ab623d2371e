#include "detect/file_pipeline.h"

#include <algorithm>
#include <utility>

#include "boxes/ssd300.h"

namespace ssd {
namespace {

constexpr std::size_t most_bytes = std::size_t{256} << 20;  // of files in memory, where they are several

Tensor new_batch(const Predictor& predictor) {
  return {DType::u8, {predictor.batch(), image_size, image_size, 3}};
}

}  // namespace

FilePipeline::FilePipeline(Predictor& predictor, std::span<const CocoCategory> categories,
                           std::span<const std::string> files, const DetectFilesOptions& options)
    : predictor_(predictor),
      files_(files),
      options_(options),
      most_on_their_way_(
          static_cast<std::size_t>(predictor.batch() * (predictor.depth() + 1) + 2 * options.threads)),
      in_flight_(predictor),
      workers_(predictor, categories, options) {
  images_.push_back(new_batch(predictor));
}

void FilePipeline::run() {
  while (handed_out_ < files_.size()) {
    read_ahead();
    if (looked_at_ < on_their_way_.size()) {
      look_at(on_their_way_[looked_at_++]);
      hand_out_what_is_done();
    } else {  // nothing more can be read before something is out
      bring_through_the_oldest();
    }
  }
}

void FilePipeline::read_ahead() {
  const auto room = [&] {
    return on_their_way_.empty() ||
           (on_their_way_.size() < most_on_their_way_ && workers_.bytes_in_memory() < most_bytes);
  };
  for (std::size_t next = handed_out_ + on_their_way_.size(); next < files_.size() && room(); ++next) {
    auto file = std::make_shared<FileOnItsWay>();
    file->image.file = files_[next];
    on_their_way_.push_back(file);
    workers_.read(file);
  }
}

void FilePipeline::look_at(const FilePointer& file) {
  workers_.wait_while(*file, Stage::reading);
  if (file->failure || !file->unread.empty()) {
    workers_.set_stage(*file, Stage::done);
    return;
  }
  if (options_.draw) file->image.drawing = options_.name_drawing(file->image);
  const auto slot = images_.back().as<std::uint8_t>().subspan(filling_.size() * Augmenter::image_bytes);
  std::ranges::copy(file->pixels, slot.begin());
  std::vector<std::uint8_t>().swap(file->pixels);
  workers_.set_stage(*file, Stage::in_batch);
  filling_.push_back(file);
  if (static_cast<std::int64_t>(filling_.size()) == predictor_.batch()) start_batch();
}

void FilePipeline::start_batch() {
  for (const FilePointer& file : filling_) workers_.set_stage(*file, Stage::in_network);
  in_network_.push_back(std::exchange(filling_, {}));
  try {
    in_flight_.start(images_.back());
  } catch (...) {
    hand_out_what_left_the_network();
    throw;
  }
  images_.push_back(new_batch(predictor_));
  if (in_flight_.full()) finish_oldest_batch();
}

void FilePipeline::finish_oldest_batch() {
  FileWorkers::Outputs outputs;
  try {
    outputs = std::make_shared<const std::vector<Tensor>>(in_flight_.finish());
  } catch (...) {
    hand_out_what_left_the_network();
    throw;
  }
  images_.pop_front();
  const std::vector<FilePointer> batch = std::move(in_network_.front());
  in_network_.pop_front();
  for (std::size_t i = 0; i < batch.size(); ++i) workers_.conclude(batch[i], outputs, static_cast<int>(i));
}

void FilePipeline::hand_out_what_left_the_network() {
  while (!on_their_way_.empty() && workers_.stage_of(*on_their_way_.front()) >= Stage::leaving)
    bring_through_the_oldest();
}

void FilePipeline::hand_out_the_oldest() {
  const FilePointer file = on_their_way_.front();
  if (file->failure) std::rethrow_exception(file->failure);
  on_their_way_.pop_front();
  --looked_at_;
  ++handed_out_;
  if (!file->unread.empty()) {
    if (options_.on_bad_image) options_.on_bad_image(file->image.file, file->unread);
  } else {
    if (!file->undrawn.empty() && options_.on_undrawn) options_.on_undrawn(file->image.file, file->undrawn);
    if (options_.on_image) options_.on_image(std::move(file->image));
  }
  if (options_.progress) options_.progress(handed_out_, files_.size());
}

void FilePipeline::hand_out_what_is_done() {
  while (!on_their_way_.empty() && workers_.stage_of(*on_their_way_.front()) == Stage::done)
    hand_out_the_oldest();
}

void FilePipeline::bring_through_the_oldest() {
  const FileOnItsWay& oldest = *on_their_way_.front();
  if (workers_.stage_of(oldest) == Stage::in_batch) start_batch();
  while (workers_.stage_of(oldest) == Stage::in_network) finish_oldest_batch();
  workers_.wait_while(oldest, Stage::leaving);
  hand_out_the_oldest();
}

}  // namespace ssd
