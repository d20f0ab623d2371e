// Which split a name means: of a file, of a folder, or as a user writes it.
#pragma once

#include <initializer_list>
#include <string_view>

namespace ssd {

// Whether one of the words, in small letters, stands in the name: runs of letters are its words.
bool has_word(std::string_view name, std::initializer_list<std::string_view> words);

enum class SplitRole { none, train, val, test };

// By words: "lvis_v1_train", "Training", "valid", "dev" and "test2017" tell, "retrained" does not.
SplitRole split_role(std::string_view name);

}  // namespace ssd
