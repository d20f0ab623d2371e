#include "weights/torch_writer.h"

#include <bit>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/one_line.h"
#include "base/utf8.h"
#include "weights/stored_zip.h"

namespace ssd::torch_save {
namespace {

constexpr std::string_view folder = "archive/";

std::string_view storage_class(DType type) {
  switch (type) {
    case DType::f64:
      return "DoubleStorage";
    case DType::f32:
      return "FloatStorage";
    case DType::f16:
      return "HalfStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::u8:
      return "ByteStorage";
    case DType::i32:
      return "IntStorage";
    case DType::i64:
      return "LongStorage";
  }
  return "";
}

// The instructions of a pickle machine that make a value (Python's pickletools.py describes each).
class Pickler {
 public:
  explicit Pickler(const std::string& file) : file_(file) { out_ = "\x80\x02"; }

  void put(const Value& value) {
    std::visit([this](const auto& data) { put(data); }, value.data);
  }
  std::string finish() { return out_ + '.'; }
  // By the numbers of their storages.
  const std::vector<TensorView>& tensors() const { return tensors_; }

 private:
  void put(None) { out_ += 'N'; }
  void put(bool value) { out_ += value ? '\x88' : '\x89'; }
  void put(std::int64_t value) {
    const bool is_short = value >= std::numeric_limits<std::int32_t>::min() &&
                          value <= std::numeric_limits<std::int32_t>::max();
    out_ += is_short ? "J" : "\x8a\x08";
    append_little_endian(static_cast<std::uint64_t>(value), is_short ? 4 : 8);
  }
  void put(double value) {
    out_ += 'G';
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift & 0xffu);
  }
  void put(const std::string& text) {
    if (first_invalid_utf8(text) < text.size())
      throw Error("{}: got the text '{}', expected UTF-8; rename it", file_, one_line(text));
    out_ += 'X';
    append_little_endian(text.size(), 4);
    out_ += text;
  }
  void put(const Dict& dict) {
    if (dict.kind == Dict::Kind::counter) put_global("collections", "Counter");
    if (dict.kind == Dict::Kind::ordered) {
      put_global("collections", "OrderedDict");
      out_ += ")R";
    } else {
      out_ += '}';
    }
    if (!dict.items.empty()) {
      out_ += '(';
      for (const auto& [key, value] : dict.items) {
        put(key);
        put(value);
      }
      out_ += 'u';
    }
    if (dict.kind == Dict::Kind::counter) out_ += "\x85R";
  }
  void put(const List& list) {
    out_ += ']';
    if (list.items.empty()) return;
    out_ += '(';
    for (const Value& item : list.items) put(item);
    out_ += 'e';
  }
  // torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward hooks).
  void put(const TensorView& tensor) {
    put_global("torch._utils", "_rebuild_tensor_v2");
    out_ += "((";
    put(std::string("storage"));
    put_global("torch", storage_class(tensor.dtype));
    put(std::to_string(tensors_.size()));
    put(std::string("cpu"));
    put(tensor.shape.elements());
    out_ += "tQ";
    put(std::int64_t{0});
    std::vector<std::int64_t> shape, strides(tensor.shape.rank());
    for (std::size_t axis = 0; axis < strides.size(); ++axis) shape.push_back(tensor.shape[axis]);
    std::int64_t stride = 1;
    for (std::size_t axis = strides.size(); axis-- > 0; stride *= shape[axis]) strides[axis] = stride;
    put_tuple(shape);
    put_tuple(strides);
    put(false);
    put(Dict{{}, Dict::Kind::ordered});
    out_ += "tR";
    tensors_.push_back(tensor);
  }
  void put_tuple(const std::vector<std::int64_t>& numbers) {
    out_ += '(';
    for (const std::int64_t number : numbers) put(number);
    out_ += 't';
  }
  void put_global(std::string_view module, std::string_view name) {
    ((out_ += 'c') += module) += '\n';
    (out_ += name) += '\n';
  }
  void append_little_endian(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(value >> (8 * i) & 0xffu);
  }

  const std::string& file_;
  std::string out_;
  std::vector<TensorView> tensors_;
};

}  // namespace

void Dict::add(Value key, Value value) { items.push_back({std::move(key), std::move(value)}); }

void write(const std::filesystem::path& path, const Value& root) {
  const std::string file = path.string();
  Pickler pickler(file);
  pickler.put(root);
  StoredZip zip(path);
  const std::string start(folder);
  zip.add(start + "data.pkl", pickler.finish());
  zip.add(start + "byteorder", "little");
  const std::vector<TensorView>& tensors = pickler.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    zip.add(start + "data/" + std::to_string(i), std::span(tensors[i].data, tensors[i].bytes()));
  zip.add(start + "version", "3\n");
  zip.commit();
}

}  // namespace ssd::torch_save
