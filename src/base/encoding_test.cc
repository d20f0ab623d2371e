#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

using namespace std::string_literals;

std::string refusal(const std::string& bytes) {
  return message_of([&] { decode_text(bytes, "classes.txt"); });
}

// The bytes are those of Python's "cat\n\u72d7".encode(...).
TEST(Encoding, TextIsToldByItsMarkOrItsZeros) {
  const std::string text = "cat\n\xe7\x8b\x97";
  EXPECT_EQ(decode_text(text, ""), text);
  EXPECT_EQ(decode_text("\xef\xbb\xbf" + text, ""), text);
  EXPECT_EQ(decode_text("\xff\xfe"s + "c\0a\0t\0\n\0\xd7\x72"s, ""), text);
  EXPECT_EQ(decode_text("\xfe\xff"s + "\0c\0a\0t\0\n\x72\xd7"s, ""), text);
  EXPECT_EQ(decode_text("c\0a\0t\0\n\0\xd7\x72"s, ""), text);
  EXPECT_EQ(decode_text("\0c\0a\0t\0\n\x72\xd7"s, ""), text);
  EXPECT_EQ(decode_text("\xff\xfe\0\0c\0\0\0\xd7\x72\0\0"s, ""), "c\xe7\x8b\x97");
  EXPECT_EQ(decode_text("", ""), "");
  EXPECT_EQ(decode_text("\xff\xfe", ""), "");
}

TEST(Encoding, WhatIsNoTextIsRefusedByName) {
  EXPECT_NE(refusal("cat\n\xba\xec\xcf\xb8").find("classes.txt: byte 4 (line 2): this is no UTF-8 text"),
            std::string::npos)
      << refusal("cat\n\xba\xec\xcf\xb8");
  EXPECT_NE(refusal("ca\0t and more text follows"s).find("byte 2 (line 1): got a zero byte"),
            std::string::npos);
  EXPECT_NE(refusal("\xff\xfe"s + "c\0a"s).find("classes.txt: byte 2: this is no UTF-16LE text"),
            std::string::npos)
      << refusal("\xff\xfe"s + "c\0a"s);
  EXPECT_EQ(decode_text("b\xeate", "", UnknownEncoding::keep), "b\xeate");
}

TEST(Encoding, XmlMayDeclareIts) {
  const std::string head = R"(<?xml version="1.0" encoding=")";
  EXPECT_EQ(decode_xml(head + "GBK\"?><n>\xba\xec</n>", ""), head + "GBK\"?><n>\xe7\xba\xa2</n>");
  EXPECT_EQ(decode_xml(head + "iso-8859-1\"?><n>\xea</n>", ""), head + "iso-8859-1\"?><n>\xc3\xaa</n>");
  EXPECT_EQ(decode_xml(head + "utf-16\"?><n>\xc3\xaa</n>", ""), head + "utf-16\"?><n>\xc3\xaa</n>");
  EXPECT_THROW(decode_xml(head + "utf-8\"?><n>\xea</n>", ""), Error);
  EXPECT_THROW(decode_xml("<n>\xea</n>", ""), Error);
  EXPECT_THROW(decode_xml(head + "x-nobody\"?><n>\xea</n>", ""), Error);
}

}  // namespace
}  // namespace ssd
