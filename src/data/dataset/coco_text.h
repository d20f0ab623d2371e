// What COCO files say in texts.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// The last folder and the file of an address: "train2017/1.jpg" of "http://host/train2017/1.jpg".
std::string name_in_address(std::string_view address);

}  // namespace ssd
