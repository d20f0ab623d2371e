#include "data/dataset/split_name.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace ssd {

bool has_word(std::string_view name, std::initializer_list<std::string_view> words) {
  const auto is_one = [&](const std::string& word) { return std::ranges::find(words, word) != words.end(); };
  std::string word;
  for (const char c : name) {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    if (is_one(word)) return true;
    word.clear();
  }
  return is_one(word);
}

SplitRole split_role(std::string_view name) {
  if (has_word(name, {"train", "training", "trainval"})) return SplitRole::train;
  if (has_word(name, {"val", "valid", "validation", "minival", "dev"})) return SplitRole::val;
  if (has_word(name, {"test", "testing"})) return SplitRole::test;
  return SplitRole::none;
}

}  // namespace ssd
