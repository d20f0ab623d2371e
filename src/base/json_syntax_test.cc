#include "base/json_syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace ssd {
namespace {

// "byte: problem", or nothing.
std::string fault_of(std::string_view text) {
  const auto fault = find_json_syntax_fault(text);
  return fault ? std::to_string(fault->byte) + ": " + fault->problem : "";
}

TEST(JsonSyntax, WhatIsJsonHasNoFault) {
  for (const char* text :
       {"[]", "{}", R"({"a": [1, -2.5e+3, 0, 1E-7, "x\"]", true, false, null, {}, []], "b": {"c": 0.5}})",
        " 7 ", "\"text\"", "[NaN, Infinity, -Infinity]", "[\"// no comment, ]\"]"})
    EXPECT_EQ(fault_of(text), "") << text;
}

TEST(JsonSyntax, FaultsOfHandsAreNamedWithTheirPlace) {
  EXPECT_EQ(fault_of("[1, 2,\n]"), "5: got a comma before ]; remove it");
  EXPECT_EQ(fault_of(R"({"a": 1, })"), "7: got a comma before }; remove it");
  EXPECT_EQ(fault_of("[1,, 2]"),
            "3: got a comma where a value has to stand; remove it or put the value there");
  EXPECT_EQ(fault_of("[1 // one\n]"), "3: got a comment, which JSON does not have; remove it");
  EXPECT_EQ(fault_of("/* sets */ []"), "0: got a comment, which JSON does not have; remove it");
  EXPECT_EQ(fault_of("[1\n# two\n]"), "3: got a comment, which JSON does not have; remove it");
  EXPECT_EQ(fault_of("[{} {}]"), "4: got an object without a comma before it; add one");
  EXPECT_EQ(fault_of(R"({"a": 1 "b": 2})"), "8: got \"b\" without a comma before it; add one");
  EXPECT_EQ(fault_of("{'a': 1}"), "1: got 'a' as a key, expected one in double quotes");
  EXPECT_EQ(fault_of("{a: 1}"), "1: got a as a key, expected one in double quotes");
  EXPECT_EQ(fault_of(R"({"a" 1})"), "5: got 1, expected a colon behind the key");
  EXPECT_EQ(fault_of(R"({"a": None})"), "6: got None, which JSON writes null");
  EXPECT_EQ(fault_of(R"({"a": })"), "6: got } where a value has to stand");
  EXPECT_EQ(fault_of("[1}"), "2: got } where ] has to stand");
  EXPECT_EQ(fault_of("[] []"), "3: got more text after the end of the JSON; remove it");
  EXPECT_EQ(fault_of("[\"a\n\"]"),
            "3: got a line end within a text; close its quotes before it, or write \\n");
  for (const char* number : {"+1", ".5", "1.", "01", "1e", "0x10", "'a'", "-"})
    EXPECT_TRUE(fault_of(number).starts_with("0: got " + std::string(number) + ", expected a value"))
        << number;
}

TEST(JsonSyntax, ATextThatEndsEarlyIsSaidToDoSo) {
  EXPECT_EQ(fault_of("[1, "), "4: the text ends within a list: is the file whole?");
  EXPECT_EQ(fault_of(R"({"a": [1])"), "9: the text ends within an object: is the file whole?");
  EXPECT_EQ(fault_of("[\"a"), "3: the text ends within a text in quotes: is the file whole?");
  EXPECT_EQ(fault_of("[tru"), "4: the text ends within a value: is the file whole?");
  EXPECT_EQ(fault_of(""), "0: got nothing, expected JSON; the file is empty");
  // However deep.
  EXPECT_EQ(fault_of(std::string(1000000, '[')), "1000000: the text ends within a list: is the file whole?");
}

}  // namespace
}  // namespace ssd
