// What makes a checkpoint a quantised one: how the activations of its network are rounded to 8 bits.
//
// quantization.json beside its state.json: {"format": 1, "images": 256, "activation_scales": {"normalize":
// 0.0208, ...}}. The weights stay f32 in the file; they are rounded when they are loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "detect/trained_model.h"

namespace ssd {

struct Quantization {
  std::map<std::string, double> activation_scales;  // as in model::ModelOptions
  std::int64_t images = 0;                          // that they were measured on
};

std::string to_json(const Quantization& quantization);
// Throws Error, with `name` in front, for text that is no quantization of that network.
Quantization parse_quantization(const std::string& json, const model::ModelOptions& model,
                                const std::string& name);

// Writes a checkpoint's folder that read_model() takes. It appears whole or not at all, and replaces one of
// that name. No run can be resumed from it.
void write_quantised_model(const std::filesystem::path& path, const TrainedModel& trained,
                           const Quantization& quantization);

}  // namespace ssd
