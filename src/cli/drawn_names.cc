#include "cli/drawn_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/counted.h"
#include "base/one_line.h"
#include "cli/output.h"
#include "report/draw.h"

namespace ssd::cli {

void tell_names_not_drawn(std::span<const CocoCategory> categories) {
  constexpr std::size_t named = 5;
  std::vector<std::string> first;
  std::size_t count = 0;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    if (can_draw(one_line(categories[i].name, 80))) continue;
    if (++count <= named) first.push_back(fmt::format("class {} is {}", i + 1, categories[i].name));
  }
  if (count == 0) return;
  tell(
      "drawings show numbers for {} that no font here has: {}{}; install one that has them "
      "(fonts-noto-cjk, fonts-noto-core), and Pango for Arabic and the like\n",
      counted(count, "class name[s]"), fmt::format("{}", fmt::join(first, ", ")),
      count > named ? ", ..." : "");
}

}  // namespace ssd::cli
