// singleshot._core.Loader: batches of the input pipeline as arrays.
#include <nanobind/stl/string.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "bindings.h"
#include "boxes/default_boxes.h"
#include "data/cache/cache.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/coco_split.h"
#include "data/dataset/layout.h"
#include "data/loader/loader.h"

namespace ssd::python {
namespace {

namespace fs = std::filesystem;

struct DataPlace {
  fs::path data;         // a folder or a record cache; empty where both others are given
  std::string split;     // of a folder
  fs::path annotations;  // in place of the folder's
  fs::path images;
};

CocoPaths paths_of(const DataPlace& place) {
  CocoPaths paths{place.annotations, place.images};
  if (!paths.annotations.empty() && !paths.images.empty()) return paths;
  if (!fs::is_directory(place.data))
    throw Error("{}: no such folder or record cache; check the path", place.data.string());
  const auto found = find_coco_layout(place.data).find(place.split);
  if (!found && paths.annotations.empty())
    throw Error("{}: no annotations of the split '{}' are there; give annotations and images",
                place.data.string(), place.split);
  if (paths.annotations.empty()) paths.annotations = found->paths.annotations;
  if (paths.images.empty())
    paths.images = found ? found->paths.images : coco_paths(place.data, place.split).images;
  return paths;
}

Dataset dataset_of(const DataPlace& place, LoaderOptions::Mode mode) {
  const DatasetOptions options{mode == LoaderOptions::Mode::train ? DatasetOptions::EmptyImages::skip
                                                                  : DatasetOptions::EmptyImages::keep};
  if (place.annotations.empty() && !fs::is_directory(place.data) && is_cache_file(place.data))
    return cached_dataset(std::make_shared<const RecordCache>(place.data), options);
  const CocoPaths paths = paths_of(place);
  const CocoSplit read = read_coco_split(paths);
  if (!read.coco.images.empty() && read.located.missing.size() == read.coco.images.size())
    throw Error("{}: none of its {} images is there, the first is {}; check the images' folder",
                paths.annotations.string(), read.coco.images.size(), read.located.missing.front());
  return make_dataset(read.coco, paths.images, options, paths.annotations.string());
}

// The data set and its loader, which live until the last batch is given back, and how many batches Python
// has.
struct Stream {
  Stream(Dataset set, const LoaderOptions& options) : dataset(std::move(set)), loader(dataset, options) {}

  Dataset dataset;
  Loader loader;
  std::mutex mutex;  // next() belongs to one thread at a time
  std::atomic<int> held{0};
};

// A batch that Python's arrays look into.
struct HeldBatch {
  HeldBatch(std::shared_ptr<Stream> of, Loader::BatchPointer pointer)
      : stream(std::move(of)), batch(std::move(pointer)) {
    ++stream->held;
  }
  ~HeldBatch() {
    batch.reset();
    --stream->held;
  }
  HeldBatch(const HeldBatch&) = delete;
  HeldBatch& operator=(const HeldBatch&) = delete;

  std::shared_ptr<Stream> stream;
  Loader::BatchPointer batch;
};

// The first `valid` rows of a tensor: the batch's own memory where there is an owner, else a copy.
template <typename T>
nb::ndarray<nb::numpy, T> rows_of(const Tensor& tensor, int valid, nb::handle owner) {
  const Shape& shape = tensor.shape();
  std::vector<std::size_t> sizes;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    sizes.push_back(static_cast<std::size_t>(shape[axis]));
  if (!sizes.empty()) sizes[0] = std::min(sizes[0], static_cast<std::size_t>(valid));
  const auto elements = tensor.as<T>();
  if (owner.is_valid())
    // Whoever holds the batch may write to it: the workers fill all of it anew.
    return nb::ndarray<nb::numpy, T>(const_cast<T*>(elements.data()), sizes.size(), sizes.data(), owner);
  std::size_t count = 1;
  for (const std::size_t size : sizes) count *= size;
  auto copy = std::make_unique<std::vector<T>>(elements.begin(),
                                               elements.begin() + static_cast<std::ptrdiff_t>(count));
  T* data = copy->data();
  const nb::capsule own(copy.release(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T>(data, sizes.size(), sizes.data(), own);
}

class PythonLoader {
 public:
  PythonLoader(const DataPlace& place, const LoaderOptions& options)
      : buffers_(options.buffers),
        trains_(options.mode == LoaderOptions::Mode::train),
        stream_(made_in_this_process<Stream>(dataset_of(place, options.mode), options)) {}

  // images, match, boxes, labels, image ids, samples' indices, position (epoch, sample), next position; None
  // after the last.
  nb::object next() {
    std::unique_ptr<HeldBatch> held;
    {
      const nb::gil_scoped_release release;
      const std::lock_guard lock(stream_->mutex);
      Loader::BatchPointer batch = stream_->loader.next();
      if (batch) held = std::make_unique<HeldBatch>(stream_, std::move(batch));
    }
    if (!held) return nb::none();
    const Batch& batch = *held->batch;
    const auto filled = static_cast<std::size_t>(batch.valid);
    std::vector<std::int64_t> ids(batch.image_ids.begin(), batch.image_ids.begin() + batch.valid), samples;
    for (std::size_t i = 0; i < filled; ++i)
      samples.push_back(batch.sample_indices[i] == Batch::no_sample ? -1
                                                                    : std::int64_t{batch.sample_indices[i]});
    const nb::tuple begin = nb::make_tuple(batch.begin.epoch, batch.begin.sample);
    const nb::tuple end = nb::make_tuple(batch.next.epoch, batch.next.sample);
    // The workers need two buffers to go on while one is looked at; who holds more than that leaves gets
    // copies.
    const bool lend = stream_->held <= buffers_ - 2;
    nb::object owner;
    if (lend)
      owner = nb::capsule(held.release(), [](void* p) noexcept { delete static_cast<HeldBatch*>(p); });
    nb::object targets[3] = {nb::none(), nb::none(), nb::none()};
    if (trains_) {
      targets[0] = nb::cast(rows_of<std::int32_t>(batch.match, batch.valid, owner));
      targets[1] = nb::cast(rows_of<float>(batch.boxes, batch.valid, owner));
      targets[2] = nb::cast(rows_of<std::int32_t>(batch.labels, batch.valid, owner));
    }
    return nb::make_tuple(rows_of<std::uint8_t>(batch.images, batch.valid, owner), targets[0], targets[1],
                          targets[2], array_of(std::move(ids), filled), array_of(std::move(samples), filled),
                          begin, end);
  }

  std::size_t samples() const { return stream_->dataset.samples.size(); }
  std::uint64_t batches() const { return stream_->loader.batches(); }
  int max_boxes() const { return stream_->loader.max_boxes(); }
  std::size_t bad_images() const { return stream_->loader.bad_images(); }
  const std::vector<CocoCategory>& categories() const { return stream_->dataset.categories; }

 private:
  int buffers_;
  bool trains_;
  std::shared_ptr<Stream> stream_;
};

void construct(PythonLoader* self, const nb::dict& given) {
  const auto path = [&](const char* key) {
    const auto bytes = nb::cast<nb::bytes>(given[key]);
    return fs::path(std::string(bytes.c_str(), bytes.size()));
  };
  const auto number = [&](const char* key) { return nb::cast<int>(given[key]); };
  const auto flag = [&](const char* key) { return nb::cast<bool>(given[key]); };
  const DataPlace place{path("data"), nb::cast<std::string>(given["split"]), path("annotations"),
                        path("images")};
  const nb::tuple begin = nb::cast<nb::tuple>(given["begin"]);
  const LoaderOptions options{
      .mode = flag("train") ? LoaderOptions::Mode::train : LoaderOptions::Mode::evaluate,
      .batch_size = number("batch_size"),
      .threads = number("threads") > 0 ? number("threads") : available_processors(),
      .buffers = number("buffers"),
      .seed = nb::cast<std::uint64_t>(given["seed"]),
      .rank = number("rank"),
      .world = number("world"),
      .begin = {nb::cast<std::uint32_t>(begin[0]), nb::cast<std::uint64_t>(begin[1])},
      .order = flag("shuffle") ? SampleOrder::shuffled : SampleOrder::sequential,
      .augment = augment_options(nb::cast<std::string>(given["augment"])),
      .bad_images = flag("fail") ? LoaderOptions::BadImages::fail : LoaderOptions::BadImages::replace};
  const nb::gil_scoped_release release;
  new (self) PythonLoader(place, options);
}

}  // namespace

void bind_loader(nb::module_& module) {
  nb::class_<PythonLoader>(module, "Loader")
      .def("__init__", &construct)
      .def("next", &PythonLoader::next)
      .def_prop_ro("samples", &PythonLoader::samples)
      .def_prop_ro("batches", &PythonLoader::batches)
      .def_prop_ro("max_boxes", &PythonLoader::max_boxes)
      .def_prop_ro("bad_images", &PythonLoader::bad_images)
      .def("categories", [](const PythonLoader& self) {
        nb::list list;
        for (const CocoCategory& one : self.categories())
          list.append(nb::make_tuple(one.id, nb::bytes(one.name.data(), one.name.size())));
        return list;
      });
  // (8732, 4): cx, cy, width, height, normalized.
  module.def("default_boxes", [] {
    std::vector<float> boxes;
    for (const CenterBox& box : ssd300_default_boxes().centers())
      boxes.insert(boxes.end(), {box.cx, box.cy, box.width, box.height});
    return array_of(std::move(boxes), default_box_count, 4);
  });
}

}  // namespace ssd::python
