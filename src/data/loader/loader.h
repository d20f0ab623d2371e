// Batches, one after the other, made by worker threads ahead of their use.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "data/dataset/dataset.h"
#include "data/loader/augment.h"
#include "data/loader/batch.h"
#include "data/loader/sample_order.h"

namespace ssd {

// An image that could not be used.
struct BadImage {
  std::uint32_t sample = 0;  // into Dataset::samples
  std::string file;
  std::string reason;
};

struct LoaderOptions {
  enum class Mode { train, evaluate };
  enum class BadImages { replace, fail };

  Mode mode = Mode::train;
  int batch_size = 32;  // samples a batch of this shard
  int threads = 1;
  int buffers = 4;  // batches that may exist at the same time, the ones held by the caller included
  std::uint64_t seed = 0;
  int rank = 0;  // this shard, of `world`; each global batch is cut into `world` parts, in order
  int world = 1;
  StreamPosition begin;                       // training: where to go on
  SampleOrder order = SampleOrder::shuffled;  // training
  AugmentOptions augment;                     // training
  BadImages bad_images = BadImages::replace;
  // Called by next(), on the caller's thread, once for every bad image.
  std::function<void(const BadImage&)> on_bad_image;
  // Called by the worker that filled a slot; `buffer` (0 .. buffers - 1) tells batches alive at the same time
  // apart.
  std::function<void(const Batch& batch, int buffer, std::size_t slot)> after_sample;
};

// Seconds since the start. The stages are summed over the workers; `wait` is how long next() had to wait.
struct LoaderTimes {
  double read = 0;  // files; of a record cache: its checksum at the first use
  double decode = 0;
  double resize = 0;  // crop and flip included
  double colour = 0;
  double match = 0;  // and writing the targets
  double after = 0;  // LoaderOptions::after_sample
  double wait = 0;
};

// Training: an endless stream of full batches. It is the epochs' orders put end to end: a batch at an epoch's
// end runs over into the next epoch, so every sample is used exactly once an epoch and every batch has the
// same size. Sample s of epoch e draws its random numbers from (seed, e, s) alone, so batches depend on
// neither the number of threads nor the shards nor where the stream was resumed. An image that cannot be
// read (missing, no image, truncated, its size not as annotated) is replaced by the next one in the data set
// that can, with its own random numbers.
//
// Evaluation: the samples in order, once, whole images, without targets. The last batch may hold fewer
// samples than slots, the rest being zero; every shard gets the same number of batches. A bad image's slot
// is zero and has no sample: nothing may stand for it.
//
// The workers write images and targets straight into the batch; buffers go round, and once every image
// size has been seen no memory is allocated but by the image formats' libraries. The data set must outlive
// the loader, and the loader its batches. next() belongs to one thread; batches may be given back from any.
// Over 12 members: one mutex guards the stream, its buffers and what is counted, which every claim changes
// together.
class Loader {
 public:
  // Gives a batch back to its loader.
  struct Return {
    Loader* loader = nullptr;
    void operator()(const Batch* batch) const { loader->give_back(batch); }
  };
  using BatchPointer = std::unique_ptr<const Batch, Return>;

  // Throws Error for options that make no sense.
  Loader(const Dataset& dataset, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch; null after an evaluation's last. Throws what a worker threw for this batch: an Error
  // naming the file under BadImages::fail, or when no image at all can be read. Throws Error if the caller
  // holds all buffers.
  BatchPointer next();
  // Whether next() would not have to wait.
  bool ready() const;

  // Batches of an evaluation (a shard's).
  std::uint64_t batches() const { return batches_; }
  // Boxes an image has room for: the data set's most (four times as many for mosaics), rounded up to a
  // multiple of 16.
  int max_boxes() const { return max_boxes_; }
  LoaderTimes times() const;
  // Different images found bad so far in batches handed out, and slots in which another stood in for one.
  std::size_t bad_images() const { return bad_images_; }
  std::size_t replaced() const { return replaced_; }

 private:
  struct Work;    // a batch being made
  struct Worker;  // a thread's memory

  void stop();
  void check_options() const;
  std::unique_ptr<Work> make_work(int buffer) const;
  void run(Worker& worker);
  bool can_claim() const;
  Work& claim(std::size_t& slot);
  void open(Work& work);
  void plan_training(Work& work);
  void plan_evaluation(Work& work);
  void fill_slot(Worker& worker, Work& work, std::size_t slot);
  void note_bad_image(Work& work, std::size_t slot, std::uint32_t sample, const Error& error);
  void make_sample(Worker& worker, Work& work, std::size_t slot, std::uint32_t sample);
  void make_mosaic(Worker& worker, Work& work, std::size_t slot, std::uint32_t sample, Random& random);
  void write_targets(Worker& worker, Batch& batch, std::size_t slot) const;
  void clear_slot(Batch& batch, std::size_t slot) const;
  void report_bad_images(Work& work);
  void give_back(const Batch* batch);

  const Dataset& dataset_;
  const LoaderOptions options_;
  const int max_boxes_;
  std::uint64_t batches_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable may_claim_;  // workers wait for a free buffer
  std::condition_variable done_;       // next() waits for its batch
  bool stopping_ = false;
  std::vector<std::unique_ptr<Work>> works_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Work*> free_;
  std::vector<Work*> in_order_;       // being made or ready, the next one first
  Work* open_ = nullptr;              // the one whose slots are being claimed
  std::size_t open_slot_ = 0;         // the next slot to claim
  std::uint64_t stream_ = 0;          // samples of the global stream that are planned
  std::uint64_t handed_out_ = 0;      // batches
  std::uint32_t order_epoch_ = 0;     // the epoch that order_ is of
  std::vector<std::uint32_t> order_;  // (samples)
  std::vector<bool> known_bad_;       // (samples)
  std::size_t bad_images_ = 0;
  std::size_t replaced_ = 0;
  LoaderTimes times_;

  ThreadPool pool_;  // the last member: it is stopped first
};

}  // namespace ssd
