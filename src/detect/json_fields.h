// The fields of our own JSON files, which may have been damaged or edited. Each function gives one field of
// an object and throws Error, without the file's name, where it is missing, of another type or out of its
// range:
// `"epoch": got -1, expected a whole number from 0 to 1000000`.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

struct WholeRange {
  std::int64_t least = 0, most = 0;
};
struct NumberRange {
  double least = 0, most = 0;
};

// The text as JSON. Throws Error that says where it breaks.
nlohmann::json parse_json(const std::string& text);

const nlohmann::json& object_field(const nlohmann::json& object, const char* key);
const nlohmann::json& list_field(const nlohmann::json& object, const char* key);
std::int64_t whole_field(const nlohmann::json& object, const char* key, WholeRange range);
std::uint64_t unsigned_field(const nlohmann::json& object, const char* key);
double number_field(const nlohmann::json& object, const char* key, NumberRange range);
std::string text_field(const nlohmann::json& object, const char* key);
// A list of {"id": 1, "name": "cat"}; an id may be a text.
std::vector<CocoCategory> categories_field(const nlohmann::json& object, const char* key);

nlohmann::ordered_json id_json(const CocoCategory& category);  // as its file writes it
nlohmann::ordered_json categories_json(std::span<const CocoCategory> categories);

}  // namespace ssd
