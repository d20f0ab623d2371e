#include "base/json_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/one_line.h"

namespace ssd {
namespace {

constexpr std::string_view white_space = " \t\r\n";

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '+' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
}

// Digits from `at` on; the place behind them.
std::size_t past_digits(std::string_view word, std::size_t at) {
  return std::min(word.find_first_not_of("0123456789", at), word.size());
}

bool is_number(std::string_view word) {
  std::size_t at = word.starts_with('-') ? 1 : 0;
  const std::size_t whole = past_digits(word, at);
  if (whole == at || (word[at] == '0' && whole > at + 1)) return false;
  at = whole;
  if (at < word.size() && word[at] == '.') {
    const std::size_t end = past_digits(word, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
    const std::size_t digits =
        at + 1 < word.size() && (word[at + 1] == '+' || word[at + 1] == '-') ? at + 2 : at + 1;
    const std::size_t end = past_digits(word, digits);
    if (end == digits) return false;
    at = end;
  }
  return at == word.size();
}

// Goes over a text once. What may come next: a value, or `closable` the end of an empty list or object.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<JsonSyntaxFault> run() {
    while (!fault_ && !done_) step();
    return fault_;
  }

 private:
  enum class Expect { value, first_value, key, first_key, colon, comma, end };

  void step() {
    at_ = std::min(text_.find_first_not_of(white_space, at_), text_.size());
    if (at_ == text_.size()) return finish();
    const char c = text_[at_];
    if (c == '#' || text_.substr(at_, 2) == "//" || text_.substr(at_, 2) == "/*")
      return fail("got a comment, which JSON does not have; remove it");
    switch (expect_) {
      case Expect::value:
      case Expect::first_value:
        return value(c);
      case Expect::key:
      case Expect::first_key:
        return key(c);
      case Expect::colon:
        if (c != ':') return fail(fmt::format("got {}, expected a colon behind the key", shown()));
        ++at_;
        expect_ = Expect::value;
        return;
      case Expect::comma:
        return comma(c);
      case Expect::end:
        return fail("got more text after the end of the JSON; remove it");
    }
  }

  void finish() {
    done_ = true;
    if (expect_ == Expect::end) return;
    if (open_.empty()) return fail("got nothing, expected JSON; the file is empty");
    ended(open_.back() == '[' ? "a list" : "an object");
  }

  void ended(std::string_view within) {
    at_ = text_.size();
    fail(fmt::format("the text ends within {}: is the file whole?", within));
  }

  void value(char c) {
    if (c == '[' || c == '{') {
      open_.push_back(c);
      ++at_;
      expect_ = c == '[' ? Expect::first_value : Expect::first_key;
    } else if (c == ']' && expect_ == Expect::first_value) {
      close(c);
    } else if (c == '"') {
      string();
    } else if (c == ',') {
      fail("got a comma where a value has to stand; remove it or put the value there");
    } else if (c == ']' || c == '}') {
      missing_value(c);
    } else {
      word();
    }
  }

  // Behind a comma or a colon.
  void missing_value(char c) {
    const std::size_t before = text_.find_last_not_of(white_space, at_ - 1);
    if (before != text_.npos && text_[before] == ',') {
      at_ = before;
      return fail(fmt::format("got a comma before {}; remove it", c));
    }
    fail(fmt::format("got {} where a value has to stand", c));
  }

  void key(char c) {
    if (c == '"') {
      string();
      expect_ = Expect::colon;
    } else if (c == '}' && expect_ == Expect::first_key) {
      close(c);
    } else if (c == '}' || c == ']') {
      missing_value(c);
    } else if (c == ',') {
      fail("got a comma where a key has to stand; remove it");
    } else {
      fail(fmt::format("got {} as a key, expected one in double quotes", shown()));
    }
  }

  void comma(char c) {
    const bool list = open_.back() == '[';
    if (c == ',') {
      ++at_;
      expect_ = list ? Expect::value : Expect::key;
    } else if (c == (list ? ']' : '}')) {
      close(c);
    } else if (c == ']' || c == '}') {
      fail(fmt::format("got {} where {} has to stand", c, list ? ']' : '}'));
    } else {
      fail(fmt::format("got {} without a comma before it; add one", shown()));
    }
  }

  void close(char) {
    open_.pop_back();
    ++at_;
    after_value();
  }

  void after_value() { expect_ = open_.empty() ? Expect::end : Expect::comma; }

  void string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
      if (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r'))
        return fail("got a line end within a text; close its quotes before it, or write \\n");
    }
    if (at_ >= text_.size()) return ended("a text in quotes");
    ++at_;
    after_value();
  }

  void word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word_character(text_[at_])) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    constexpr std::array<std::string_view, 6> words{"true", "false", "null", "NaN", "Infinity", "-Infinity"};
    if (std::ranges::find(words, word) != words.end() || is_number(word)) return after_value();
    if (at_ == text_.size() && !open_.empty()) return ended("a value");
    at_ = begin;
    constexpr std::array<std::array<std::string_view, 2>, 3> python{
        {{"True", "true"}, {"False", "false"}, {"None", "null"}}};
    for (const auto& [written, json] : python)
      if (word == written) return fail(fmt::format("got {}, which JSON writes {}", written, json));
    fail(fmt::format("got {}, expected a value: a text in double quotes, a number, true, false or null",
                     shown()));
  }

  // What stands here, cut.
  std::string shown() const {
    constexpr std::size_t most = 30;
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n,:]}", at_ + 1), text_.size());
    const std::string_view here = text_.substr(at_, std::min(end - at_, most));
    return here.starts_with('{') ? "an object" : here.starts_with('[') ? "a list" : printable(here);
  }

  void fail(std::string problem) { fault_ = JsonSyntaxFault{at_, std::move(problem)}; }

  std::string_view text_;
  std::size_t at_ = 0;
  Expect expect_ = Expect::value;
  std::vector<char> open_;  // brackets
  bool done_ = false;
  std::optional<JsonSyntaxFault> fault_;
};

}  // namespace

std::optional<JsonSyntaxFault> find_json_syntax_fault(std::string_view text) { return Scanner(text).run(); }

}  // namespace ssd
