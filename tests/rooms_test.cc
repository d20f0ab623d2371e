// scripts/check-rooms and scripts/check-size, on this source tree and on copies of it with a fault.
#include <gtest/gtest.h>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// A copy of what the two scripts read.
class SourceTree : public testing::Test {
 protected:
  void SetUp() override {
    if (run_program({"-c", ""}, "python3").exit_status != 0) GTEST_SKIP() << "no python3";
    for (const char* part : {"CMakeLists.txt", "HACKING.md", "src"})
      fs::copy(fs::path(SSD_SOURCE_DIR) / part, folder_.path() / part, fs::copy_options::recursive);
  }

  Outcome check(const std::string& what) const {
    return run_program({folder_.path().string()}, SSD_SOURCE_DIR "/scripts/check-" + what);
  }

  // The script must find this fault and no other.
  void expect_fault(const std::string& what, const std::string& fault) const {
    const Outcome outcome = check(what);
    EXPECT_EQ(outcome.exit_status, 1) << outcome.out << outcome.err;
    EXPECT_EQ(count_lines(outcome.out), 1) << outcome.out;
    EXPECT_EQ(outcome.out.substr(0, fault.size()), fault);
  }

  void append(const std::string& file, const std::string& text) const {
    write_file(folder_ / file, read_file(folder_ / file) + text);
  }

  // Adds `words` to a room's call of ssd_room.
  void declare(const std::string& room, const std::string& words) const {
    const std::string file = folder_ / ("src/" + room + "/CMakeLists.txt");
    std::string text = read_file(file);
    const std::size_t end = text.find(')', text.find("ssd_room(" + room));
    ASSERT_NE(end, std::string::npos) << text;
    write_file(file, text.insert(end, "\n  " + words));
  }

  const TemporaryFolder folder_;
};

using CheckRooms = SourceTree;

TEST_F(CheckRooms, FindsNoFaultInThisTree) {
  const Outcome outcome = check("rooms");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

TEST_F(CheckRooms, NamesAnIncludeOfARoomThatIsNotDeclared) {
  append("src/storage/checksum.cc", "#include \"graph/graph.h\"\n");
  expect_fault("rooms",
               "src/storage/checksum.cc: includes \"graph/graph.h\", but storage does not use graph");
}

TEST_F(CheckRooms, NamesARoomThatUsesALaterOne) {
  append("src/storage/checksum.cc", "#include \"graph/graph.h\"\n");
  declare("storage", "USES graph");
  expect_fault("rooms", "src/storage/CMakeLists.txt: uses graph, which does not stand before storage");
}

TEST_F(CheckRooms, NamesAnOutsideHeaderInAFileThatMayNotIncludeIt) {
  append("src/base/utf8.cc", "#include <simdjson.h>\n");
  expect_fault("rooms", "src/base/utf8.cc: includes <simdjson.h>, which HACKING.md leaves to ");
}

TEST_F(CheckRooms, NamesADeclaredRoomOfWhichNothingIsIncluded) {
  declare("weights", "USES boxes");
  expect_fault("rooms", "src/weights/CMakeLists.txt: uses boxes, of which no source includes anything");
}

TEST_F(CheckRooms, NamesAnIncludeOfNoRoomAndASourceInNone) {
  append("src/base/utf8.cc", "#include \"utf8.h\"\n");
  expect_fault("rooms", "src/base/utf8.cc: includes \"utf8.h\", which lies in no room");
  fs::rename(folder_ / "src/base/utf8.cc", folder_ / "src/utf8.cc");
  expect_fault("rooms", "src/utf8.cc: lies in no room");
}

using CheckSize = SourceTree;

std::string lines(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

TEST_F(CheckSize, FindsNoFaultInThisTree) {
  const Outcome outcome = check("size");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

TEST_F(CheckSize, NamesALongFileUnlessItsTopSaysWhy) {
  const std::string file = "src/base/long.h";
  write_file(folder_ / file, lines(400, ""));
  EXPECT_EQ(check("size").exit_status, 0);
  write_file(folder_ / file, lines(401, ""));
  expect_fault("size", "src/base/long.h: got 401 lines");
  write_file(folder_ / file, "// Over 400 lines: a table.\n" + lines(401, ""));
  EXPECT_EQ(check("size").exit_status, 0);
}

// Braces in strings, characters and comments are none; a lambda belongs to its function.
TEST_F(CheckSize, NamesALongFunctionUnlessALineAboveSaysWhy) {
  const std::string file = "src/base/long.cc";
  const std::string begin = "// Sums.\nint sum(int a,\n        int b = int{}) {\n";
  const std::string body =
      "  // }\n  use(\"}\", '}', R\"(}\n)\");\n  run([&] {\n" + lines(51, "    ++a;") + "  });\n";
  const std::string fits = begin + body + "}\n\nint next() { return 0; }\n";
  write_file(folder_ / file, fits);
  EXPECT_EQ(check("size").exit_status, 0) << check("size").out;
  const std::string long_one = begin + body + "\n\n}\n";
  write_file(folder_ / file, "namespace ssd {\n" + long_one + "}\n");
  expect_fault("size", "src/base/long.cc:3: function sum: got 61 lines");
  write_file(folder_ / file, "// Over 60 lines: one table.\n" + long_one.substr(long_one.find("int")));
  EXPECT_EQ(check("size").exit_status, 0);
}

TEST_F(CheckSize, NamesAClassOfManyMembersButCountsNothingElse) {
  const std::string file = "src/base/many.h";
  const auto many = [&](const std::string& kind, int members) {
    std::string text =
        "template <class T>\n" + kind +
        " Many : public One {\n public:\n  explicit Many(int a) : a_{a} {}\n" +
        "  Many& operator=(const Many&) = delete;\n  int get() const { return 0; }\n" +
        "  struct Point { int x = 0, y{}; };\n  using Value = int;\n  static int of(int);\n private:\n";
    for (int i = 0; i < members; ++i)
      text += i % 2 == 0 ? "  std::function<void(int)> f_" + std::to_string(i) + "{get()};\n"
                         : "  const int n_" + std::to_string(i) + " = get();\n";
    write_file(folder_ / file, text + "};\n");
  };
  many("class", 12);
  EXPECT_EQ(check("size").exit_status, 0) << check("size").out;
  many("class", 13);
  expect_fault("size", "src/base/many.h:1: class Many: got 13 members");
  many("struct", 13);
  EXPECT_EQ(check("size").exit_status, 0) << check("size").out;
}

}  // namespace
}  // namespace ssd
