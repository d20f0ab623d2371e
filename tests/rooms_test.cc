// scripts/check-rooms and scripts/check-size find the faults that are planted, and no others.
#include <gtest/gtest.h>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// A source tree in which a script must find one fault or none.
class SourceTree : public testing::Test {
 protected:
  explicit SourceTree(const char* name) : script_(SSD_SOURCE_DIR + std::string("/scripts/") + name) {}

  void SetUp() override {
    if (run_program({"-c", ""}, "python3").exit_status != 0) GTEST_SKIP() << "no python3";
    make_tree();
  }
  virtual void make_tree() = 0;

  void expect_no_fault() const {
    const Outcome outcome = run_program({folder_.path().string()}, script_);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
  }

  // A line that begins so, and no other.
  void expect_fault(const std::string& begin) const {
    const Outcome outcome = run_program({folder_.path().string()}, script_);
    EXPECT_EQ(outcome.exit_status, 1) << outcome.out << outcome.err;
    EXPECT_EQ(count_lines(outcome.out), 1) << outcome.out;
    EXPECT_EQ(outcome.out.substr(0, begin.size()), begin);
  }

  const TemporaryFolder folder_;

 private:
  const std::string script_;
};

// On a copy of this tree.
class CheckRooms : public SourceTree {
 protected:
  CheckRooms() : SourceTree("check-rooms") {}

  void make_tree() override {
    for (const char* part : {"CMakeLists.txt", "HACKING.md", "src"})
      fs::copy(fs::path(SSD_SOURCE_DIR) / part, folder_.path() / part, fs::copy_options::recursive);
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
};

TEST_F(CheckRooms, FindsNoFaultInThisTree) { expect_no_fault(); }

TEST_F(CheckRooms, NamesAnIncludeOfARoomThatIsNotDeclared) {
  append("src/storage/checksum.cc", "#include \"graph/graph.h\"\n");
  expect_fault("src/storage/checksum.cc: includes \"graph/graph.h\", but storage does not use graph");
}

TEST_F(CheckRooms, NamesARoomThatUsesALaterOne) {
  append("src/storage/checksum.cc", "#include \"graph/graph.h\"\n");
  declare("storage", "USES graph");
  expect_fault("src/storage/CMakeLists.txt: uses graph, which does not stand before storage");
}

TEST_F(CheckRooms, NamesAnOutsideHeaderInAFileThatMayNotIncludeIt) {
  append("src/base/utf8.cc", "#include <simdjson.h>\n");
  expect_fault("src/base/utf8.cc: includes simdjson.h, which HACKING.md leaves to ");
}

TEST_F(CheckRooms, NamesADeclaredRoomOfWhichNothingIsIncluded) {
  declare("weights", "USES boxes");
  expect_fault("src/weights/CMakeLists.txt: uses boxes, of which no source includes anything");
}

TEST_F(CheckRooms, NamesAnIncludeOfNoRoomAndASourceInNone) {
  append("src/base/utf8.cc", "#include \"utf8.h\"\n");
  expect_fault("src/base/utf8.cc: includes \"utf8.h\", which lies in no room");
  fs::rename(folder_ / "src/base/utf8.cc", folder_ / "src/utf8.cc");
  expect_fault("src/utf8.cc: lies in no room");
}

// On a tree of one file, src/base/FILE.
class CheckSize : public SourceTree {
 protected:
  CheckSize() : SourceTree("check-size") {}

  void make_tree() override { fs::create_directories(folder_ / "src/base"); }
};

std::string lines(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

TEST_F(CheckSize, NamesALongFileUnlessItsTopSaysWhy) {
  const std::string file = "src/base/long.h";
  write_file(folder_ / file, lines(400, ""));
  expect_no_fault();
  write_file(folder_ / file, lines(401, ""));
  expect_fault("src/base/long.h: got 401 lines");
  write_file(folder_ / file, "// Over 400 lines: a table.\n" + lines(401, ""));
  expect_no_fault();
}

// Braces in strings, characters and comments are none; a lambda belongs to its function.
TEST_F(CheckSize, NamesALongFunctionUnlessALineAboveSaysWhy) {
  const std::string file = "src/base/long.cc";
  const std::string begin = "// Sums.\nint sum(int a,\n        int b = int{}) {\n";
  const std::string body =
      "  // }\n  use(\"}\", '}', R\"(}\n)\");\n  run([&] {\n" + lines(51, "    ++a;") + "  });\n";
  const std::string fits = begin + body + "}\n\nint next() { return 0; }\n";
  write_file(folder_ / file, fits);
  expect_no_fault();
  const std::string long_one = begin + body + "\n\n}\n";
  write_file(folder_ / file, "namespace ssd {\n" + long_one + "}\n");
  expect_fault("src/base/long.cc:3: function sum: got 61 lines");
  write_file(folder_ / file, "// Over 60 lines: one table.\n" + long_one.substr(long_one.find("int")));
  expect_no_fault();
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
  expect_no_fault();
  many("class", 13);
  expect_fault("src/base/many.h:1: class Many: got 13 members");
  many("struct", 13);
  expect_no_fault();
}

}  // namespace
}  // namespace ssd
