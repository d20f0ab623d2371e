#include "train/sharing.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/state.h"
#include "storage/crc32c.h"
#include "weights/safetensors.h"

namespace ssd {
namespace {

TensorMap parse_tensors(const std::string& bytes) {
  const SafetensorsContent content = parse_safetensors(std::as_bytes(std::span(bytes)), "tensors of rank 0");
  TensorMap tensors;
  for (const auto& [name, view] : content.tensors) {
    Tensor tensor(view.dtype, view.shape);
    std::memcpy(tensor.data(), view.data, view.bytes());
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

// Everyone's text, in every process.
std::vector<std::string> gather_for_all(Communicator& communicator, const std::string& text) {
  nlohmann::json list = communicator.gather(text);
  return nlohmann::json::parse(communicator.broadcast(communicator.is_first() ? list.dump() : ""));
}

std::map<std::string, TensorMap> broadcast_all(Communicator& communicator,
                                               std::map<std::string, TensorMap>& groups) {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& [name, tensors] : groups) names.push_back(name);
  const std::vector<std::string> of_first = nlohmann::json::parse(communicator.broadcast(names.dump()));
  std::map<std::string, TensorMap> result;
  for (const std::string& name : of_first) result.emplace(name, broadcast(communicator, groups[name]));
  return result;
}

}  // namespace

bool first_says(Communicator& communicator, bool answer) {
  if (communicator.size() == 1) return answer;
  double said = communicator.is_first() && answer ? 1 : 0;
  communicator.all_reduce({&said, 1});
  return said > 0;
}

TensorMap broadcast(Communicator& communicator, const TensorMap& tensors) {
  if (communicator.size() == 1) return clone(tensors);
  return parse_tensors(communicator.broadcast(communicator.is_first() ? to_safetensors(tensors) : ""));
}

TrainingStart broadcast(Communicator& communicator, TrainingStart start) {
  if (communicator.size() == 1) return start;
  const std::string state = communicator.broadcast(communicator.is_first() ? to_json(start.state) : "");
  if (!communicator.is_first()) start.state = parse_run_state(state, "the state of rank 0");
  start.origin = communicator.broadcast(start.origin);
  start.tensors.weights = broadcast(communicator, start.tensors.weights);
  start.tensors.slots = broadcast_all(communicator, start.tensors.slots);
  start.tensors.averages = broadcast_all(communicator, start.tensors.averages);
  return start;
}

void BadImageReports::add(const BadImage& image) {
  if (communicator_.size() == 1)
    tell_(image);
  else
    found_.push_back(image);
}

void BadImageReports::exchange() {
  if (communicator_.size() == 1) return;
  auto count = static_cast<double>(found_.size());
  communicator_.all_reduce({&count, 1});
  if (count == 0) return;
  nlohmann::json list = nlohmann::json::array();
  for (const BadImage& image : std::exchange(found_, {}))
    list.push_back({image.sample, image.file, image.reason});
  // Bytes as they are: file names need not be UTF-8.
  const std::vector<std::uint8_t> bytes = nlohmann::json::to_msgpack(list);
  for (const std::string& of_rank : communicator_.gather(std::string(bytes.begin(), bytes.end())))
    for (const nlohmann::json& image : nlohmann::json::from_msgpack(of_rank))
      tell_({image[0].get<std::uint32_t>(), image[1].get<std::string>(), image[2].get<std::string>()});
}

void expect_same_weights(Communicator& communicator, const TensorMap& weights) {
  if (communicator.size() == 1) return;
  std::string checksums;
  for (const auto& [name, tensor] : weights)
    if (!model::is_statistic(name))
      checksums += fmt::format("{:08x}", crc32c(std::span(tensor.data(), tensor.bytes())));
  const std::vector<std::string> all = gather_for_all(communicator, checksums);
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0])
      throw Error(
          "training: the weights of rank {} are not those of rank 0; --resume goes on from the last "
          "checkpoint, and if it comes again, the memory or the network of one of them is faulty",
          rank);
}

void expect_same_facts(Communicator& communicator, const Facts& facts) {
  if (communicator.size() == 1) return;
  const std::vector<std::string> all = gather_for_all(communicator, nlohmann::json(facts).dump());
  const Facts of_first = nlohmann::json::parse(all[0]);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    Facts differing = nlohmann::json::parse(all[rank]);
    Facts names = of_first;
    names.insert(differing.begin(), differing.end());
    for (const auto& [name, value] : names) {
      const auto shown = [&key = name](const Facts& of) { return of.contains(key) ? of.at(key) : "none"; };
      if (shown(of_first) != shown(differing))
        throw Error("{}: rank {} has {}, rank 0 has {}; start all processes alike", name, rank,
                    shown(differing), shown(of_first));
    }
  }
}

}  // namespace ssd
