#include "weights/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/one_line.h"
#include "weights/pickle_budget.h"

namespace ssd::pickle {
namespace {

struct GlobalName {
  std::string_view name;  // module.attribute
  Global global;
};

constexpr GlobalName known_globals[] = {
    {"collections.OrderedDict", Global::ordered_dict},
    {"collections.Counter", Global::counter},
    {"argparse.Namespace", Global::name_space},
    {"torch.Size", Global::size},
    {"torch._utils._rebuild_tensor", Global::rebuild_tensor},
    {"torch._utils._rebuild_tensor_v2", Global::rebuild_tensor_v2},
    {"torch._utils._rebuild_parameter", Global::rebuild_parameter},
    {"torch.DoubleStorage", Global::double_storage},
    {"torch.FloatStorage", Global::float_storage},
    {"torch.HalfStorage", Global::half_storage},
    {"torch.BFloat16Storage", Global::bfloat16_storage},
    {"torch.LongStorage", Global::long_storage},
    {"torch.IntStorage", Global::int_storage},
    {"torch.ByteStorage", Global::byte_storage},
    {"torch.BoolStorage", Global::bool_storage},
};

// The element type of a storage class; nothing for the other globals.
std::optional<DType> storage_dtype(Global global) {
  switch (global) {
    case Global::double_storage:
      return DType::f64;
    case Global::float_storage:
      return DType::f32;
    case Global::half_storage:
      return DType::f16;
    case Global::bfloat16_storage:
      return DType::bf16;
    case Global::long_storage:
      return DType::i64;
    case Global::int_storage:
      return DType::i32;
    case Global::byte_storage:
    case Global::bool_storage:
      return DType::u8;
    case Global::ordered_dict:
    case Global::counter:
    case Global::name_space:
    case Global::size:
    case Global::rebuild_tensor:
    case Global::rebuild_tensor_v2:
    case Global::rebuild_parameter:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

// The pickle machine: a stack of values, marks in it, and a memo of values by number.
class Machine {
 public:
  Machine(std::span<const std::byte> stream, const std::string& name) : stream_(stream), name_(name) {}

  Document run() {
    while (document_.root_ == nullptr) {
      if (position_ > budget.bytes) fail("got more bytes than the budget of {}", budget.bytes);
      if (++steps_ > budget.steps) fail("got more opcodes than the budget of {}", budget.steps);
      opcode_at_ = position_;
      const std::uint8_t opcode = static_cast<std::uint8_t>(read_uint(1));
      const Action action = actions()[opcode];
      if (action == nullptr) fail("got opcode 0x{:02x}, expected one that PyTorch writes", opcode);
      action(*this);
    }
    document_.bytes_ = position_;
    return std::move(document_);
  }

 private:
  using Action = void (*)(Machine&);
  struct Opcode {
    int code;
    Action action;
  };

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error("{}: pickle byte {}: {}; save the weights again with torch.save or as safetensors", name_,
                opcode_at_, one_line(fmt::format(format, std::forward<Args>(args)...)));
  }

  // One line an opcode, under the names of Python's pickletools.
  static const std::array<Action, 256>& actions() {
    static constexpr Opcode opcodes[] = {
        {0x80, [](Machine& m) { m.read_protocol(); }},                         // PROTO
        {0x95, [](Machine& m) { m.read_uint(8); }},                            // FRAME
        {'.', [](Machine& m) { m.document_.root_ = m.pop(); }},                // STOP
        {'N', [](Machine& m) { m.push(None{}); }},                             // NONE
        {0x88, [](Machine& m) { m.push(true); }},                              // NEWTRUE
        {0x89, [](Machine& m) { m.push(false); }},                             // NEWFALSE
        {'J', [](Machine& m) { m.push(m.read_int(4)); }},                      // BININT
        {'K', [](Machine& m) { m.push(m.read_count(1)); }},                    // BININT1
        {'M', [](Machine& m) { m.push(m.read_count(2)); }},                    // BININT2
        {0x8a, [](Machine& m) { m.push_long(); }},                             // LONG1
        {'G', [](Machine& m) { m.push_real(); }},                              // BINFLOAT
        {'X', [](Machine& m) { m.push(m.read_text(m.read_uint(4))); }},        // BINUNICODE
        {0x8c, [](Machine& m) { m.push(m.read_text(m.read_uint(1))); }},       // SHORT_BINUNICODE
        {'U', [](Machine& m) { m.push(m.read_text(m.read_uint(1))); }},        // SHORT_BINSTRING
        {'(', [](Machine& m) { m.marks_.push_back(m.stack_.size()); }},        // MARK
        {')', [](Machine& m) { m.push(Tuple{}); }},                            // EMPTY_TUPLE
        {'t', [](Machine& m) { m.push(Tuple{m.pop_to_mark()}); }},             // TUPLE
        {0x85, [](Machine& m) { m.push(Tuple{m.pop_last(1)}); }},              // TUPLE1
        {0x86, [](Machine& m) { m.push(Tuple{m.pop_last(2)}); }},              // TUPLE2
        {0x87, [](Machine& m) { m.push(Tuple{m.pop_last(3)}); }},              // TUPLE3
        {']', [](Machine& m) { m.push(List{}); }},                             // EMPTY_LIST
        {'a', [](Machine& m) { m.append(m.pop_last(1)); }},                    // APPEND
        {'e', [](Machine& m) { m.append(m.pop_to_mark()); }},                  // APPENDS
        {'}', [](Machine& m) { m.push(Dict{}); }},                             // EMPTY_DICT
        {'s', [](Machine& m) { m.set_items(m.pop_last(2)); }},                 // SETITEM
        {'u', [](Machine& m) { m.set_items(m.pop_to_mark()); }},               // SETITEMS
        {'q', [](Machine& m) { m.memo_[m.read_uint(1)] = m.top(); }},          // BINPUT
        {'r', [](Machine& m) { m.memo_[m.read_uint(4)] = m.top(); }},          // LONG_BINPUT
        {0x94, [](Machine& m) { m.memo_.emplace(m.memo_.size(), m.top()); }},  // MEMOIZE
        {'h', [](Machine& m) { m.recall(m.read_uint(1)); }},                   // BINGET
        {'j', [](Machine& m) { m.recall(m.read_uint(4)); }},                   // LONG_BINGET
        {'0', [](Machine& m) { m.pop(); }},                                    // POP
        {'c', [](Machine& m) { m.push_line_global(); }},                       // GLOBAL
        {0x93, [](Machine& m) { m.push_stack_global(); }},                     // STACK_GLOBAL
        {'Q', [](Machine& m) { m.push_storage(); }},                           // BINPERSID
        {'R', [](Machine& m) { m.reduce(); }},                                 // REDUCE
        {0x81, [](Machine& m) { m.reduce(); }},  // NEWOBJ: a class and its arguments
        {'b', [](Machine& m) { m.build(); }},    // BUILD
    };
    static constexpr std::array<Action, 256> actions = [] {
      std::array<Action, 256> table{};
      for (const Opcode& opcode : opcodes) table[static_cast<std::size_t>(opcode.code)] = opcode.action;
      return table;
    }();
    return actions;
  }

  // --- the stream ---
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > stream_.size() - position_) fail("got the end of the data, expected {} bytes more", count);
    const auto bytes = stream_.subspan(position_, static_cast<std::size_t>(count));
    position_ += bytes.size();
    return bytes;
  }
  std::uint64_t read_uint(std::size_t bytes) {  // little-endian
    std::uint64_t value = 0;
    int shift = 0;
    for (const std::byte byte : take(bytes)) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return value;
  }
  std::int64_t read_count(std::size_t bytes) { return static_cast<std::int64_t>(read_uint(bytes)); }
  // Two's complement of 1 to 8 bytes.
  std::int64_t read_int(std::size_t bytes) {
    const int unused = 64 - 8 * static_cast<int>(bytes);
    return static_cast<std::int64_t>(read_uint(bytes) << unused) >> unused;
  }
  std::string read_text(std::uint64_t size) {
    const std::span<const std::byte> bytes = take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string read_line() {
    std::string line;
    for (char c = read_char(); c != '\n'; c = read_char()) line.push_back(c);
    return line;
  }
  char read_char() { return static_cast<char>(read_uint(1)); }
  void read_protocol() {
    const std::uint64_t protocol = read_uint(1);
    if (protocol < 2 || protocol > 5) fail("got protocol {}, expected 2 to 5", protocol);
  }

  // --- the stack ---
  template <typename T>
  void push(T data) {
    document_.values_.push_back(Value{std::move(data)});
    stack_.push_back(&document_.values_.back());
  }
  // Values below the last mark belong to an unfinished container.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Value* top() const {
    if (available() == 0) fail("got an empty stack");
    return stack_.back();
  }
  Value* pop() {
    Value* const value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<Ref> pop_last(std::size_t count) {
    if (available() < count) fail("got {} values on the stack, expected {}", available(), count);
    const std::vector<Ref> values(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return values;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) fail("got no mark on the stack");
    charge(available());
    std::vector<Ref> values = pop_last(available());
    marks_.pop_back();
    return values;
  }
  void recall(std::uint64_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) fail("got memo entry {} that was never set", number);
    stack_.push_back(found->second);
  }

  template <typename T>
  const T& as(Ref value, std::string_view expected) const {
    const T* const data = std::get_if<T>(&value->data);
    if (data == nullptr) fail("got a value of another kind, expected {}", expected);
    return *data;
  }
  std::vector<std::int64_t> integers(Ref value, std::string_view expected) const {
    std::vector<std::int64_t> result;
    const std::vector<Ref>& items = as<Tuple>(value, expected).items;
    if (items.size() > budget.axes)
      fail("got {} {}, over the budget of {}", items.size(), expected, budget.axes);
    for (const Ref item : items) result.push_back(as<std::int64_t>(item, expected));
    return result;
  }

  // Values may be shared: a call that copies one, time after time, grows without the stream.
  void charge(std::size_t items) {
    items_ += items;
    if (items_ > budget.items)
      fail("got more items in tuples, lists and dicts than the budget of {}", budget.items);
  }

  // --- scalars and containers ---
  // An integer past 64 bits (a random seed) is nobody's shape: it is read as None.
  void push_long() {
    const std::size_t size = static_cast<std::size_t>(read_uint(1));
    if (size <= 8) return push(size == 0 ? std::int64_t{0} : read_int(size));
    take(size);
    push(None{});
  }
  void push_real() {  // big-endian
    std::uint64_t bits = 0;
    for (const std::byte byte : take(8)) bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
    push(std::bit_cast<double>(bits));
  }
  void append(const std::vector<Ref>& values) {
    List* const list = std::get_if<List>(&top()->data);
    if (list == nullptr) fail("got items for something that is no list");
    charge(values.size());
    list->items.insert(list->items.end(), values.begin(), values.end());
  }
  void set_items(const std::vector<Ref>& values) {
    Dict* const dict = std::get_if<Dict>(&top()->data);
    if (dict == nullptr || values.size() % 2 != 0) fail("got items for something that is no dict");
    charge(values.size());
    for (std::size_t i = 0; i < values.size(); i += 2) dict->items.emplace_back(values[i], values[i + 1]);
  }

  // --- objects ---
  void push_global(const std::string& module, const std::string& attribute) {
    const std::string wanted = module + "." + attribute;
    const auto found = std::ranges::find(known_globals, wanted, &GlobalName::name);
    if (found == std::end(known_globals))
      fail(
          "got global '{}', which is not among those that weights need; nothing of the file was run, do not "
          "load it elsewhere unless you trust its source",
          wanted);
    push(found->global);
  }
  void push_line_global() {
    const std::string module = read_line();
    push_global(module, read_line());
  }
  void push_stack_global() {
    const std::vector<Ref> names = pop_last(2);
    push_global(as<std::string>(names[0], "a module's name"), as<std::string>(names[1], "a name"));
  }
  void push_storage() {
    constexpr std::string_view expected = "('storage', class, key, location, count)";
    const std::vector<Ref> items = as<Tuple>(pop(), expected).items;
    // The format before PyTorch 1.6 has a view in the sixth place; None: the whole storage.
    const bool whole =
        items.size() == 5 || (items.size() == 6 && std::holds_alternative<None>(items[5]->data));
    if (!whole || as<std::string>(items[0], expected) != "storage")
      fail("got a persistent id, expected {}", expected);
    if (as<std::string>(items[2], expected).size() > budget.key_bytes)
      fail("got a storage's name over the budget of {} bytes", budget.key_bytes);
    const std::optional<DType> dtype = storage_dtype(as<Global>(items[1], expected));
    if (!dtype) fail("got a persistent id of no storage class, expected {}", expected);
    document_.storages_.insert_or_assign(as<std::string>(items[2], expected), *dtype);
    push(Storage{*dtype, as<std::string>(items[2], expected), as<std::int64_t>(items[4], expected)});
  }

  // A call: the function's name, then its arguments. Each is known, and made here as data.
  void reduce() {
    const std::vector<Ref> call = pop_last(2);
    const std::vector<Ref>& arguments = as<Tuple>(call[1], "a tuple of arguments").items;
    switch (as<Global>(call[0], "a function")) {
      case Global::ordered_dict:
      case Global::counter:
      case Global::name_space:
        return push_dict(arguments);
      case Global::size:
        if (arguments.size() != 1) fail("got {} arguments of torch.Size, expected 1", arguments.size());
        charge(as<Tuple>(arguments[0], "a tuple").items.size());
        return push(as<Tuple>(arguments[0], "a tuple"));
      case Global::rebuild_tensor:
      case Global::rebuild_tensor_v2:
        return push_tensor(arguments);
      case Global::rebuild_parameter:
        if (arguments.empty()) fail("got a parameter without its tensor");
        return push(as<StridedTensor>(arguments[0], "a tensor"));
      case Global::double_storage:
      case Global::float_storage:
      case Global::half_storage:
      case Global::bfloat16_storage:
      case Global::long_storage:
      case Global::int_storage:
      case Global::byte_storage:
      case Global::bool_storage:
        fail("got a call of a storage class");
    }
  }
  // Python 2's OrderedDict comes as a list of pairs, a Counter as a dict, the others empty.
  void push_dict(const std::vector<Ref>& arguments) {
    Dict dict;
    if (arguments.size() > 1) fail("got {} arguments of a dict, expected 0 or 1", arguments.size());
    if (!arguments.empty()) {
      if (const Dict* items = std::get_if<Dict>(&arguments[0]->data)) {
        charge(items->items.size());
        return push(*items);
      }
      charge(as<List>(arguments[0], "a list of pairs").items.size());
      for (const Ref item : as<List>(arguments[0], "a list of pairs").items) {
        const List* const pair_list = std::get_if<List>(&item->data);
        const std::vector<Ref>& pair = pair_list ? pair_list->items : as<Tuple>(item, "a pair").items;
        if (pair.size() != 2) fail("got a list item of {} values, expected a pair", pair.size());
        dict.items.emplace_back(pair[0], pair[1]);
      }
    }
    push(std::move(dict));
  }
  void push_tensor(const std::vector<Ref>& arguments) {
    if (arguments.size() < 4) fail("got {} arguments of a tensor, expected 4 or more", arguments.size());
    push(StridedTensor{as<Storage>(arguments[0], "a storage"), as<std::int64_t>(arguments[1], "an offset"),
                       integers(arguments[2], "a shape"), integers(arguments[3], "strides")});
  }
  // An object's attributes. Only a namespace's are data; a state_dict's `_metadata` (layer versions) is not.
  void build() {
    const std::vector<Ref> state = pop_last(1);
    Dict* const dict = std::get_if<Dict>(&top()->data);
    if (dict == nullptr) fail("got attributes for something that has none");
    const Dict& attributes = as<Dict>(state[0], "a dict of attributes");
    const bool is_state_dict = std::ranges::any_of(attributes.items, [](const auto& item) {
      const std::string* const key = std::get_if<std::string>(&item.first->data);
      return key != nullptr && *key == "_metadata";
    });
    if (is_state_dict || &attributes == dict) return;
    charge(attributes.items.size());
    dict->items.insert(dict->items.end(), attributes.items.begin(), attributes.items.end());
  }

  std::span<const std::byte> stream_;
  const std::string& name_;
  std::size_t position_ = 0;
  std::size_t opcode_at_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t items_ = 0;
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, Value*> memo_;
  Document document_;
};

Document parse(std::span<const std::byte> stream, const std::string& name) {
  return Machine(stream, name).run();
}

}  // namespace ssd::pickle
