// A small HTTP client on libcurl: sizes of remote files and ranges of their bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace ssd {

// A transfer that may succeed when tried again: a dropped connection, a busy server (5xx, 408, 429).
class RetryableError : public Error {
 public:
  using Error::Error;
};

struct RemoteFile {
  std::uint64_t bytes = 0;
  std::string etag;     // as the server sent it; empty if it sent none
  bool ranges = false;  // answers range requests
};

// [begin, end) of a file of which `etag` is known (empty: not compared).
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool whole = false;  // ask for the whole file, without a range
  std::string etag;
};

// Takes the next bytes; false ends the transfer without an error.
using ByteSink = std::function<bool(std::span<const std::byte>)>;

// One connection, kept open between requests. Not to be shared by threads.
class HttpClient {
 public:
  explicit HttpClient(std::chrono::seconds stall);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Throws RetryableError, or Error for a refusal or a server that states no size.
  RemoteFile probe(const std::string& url);

  // Hands the range's bytes to the sink in order. Returns false if the sink ended it. Throws RetryableError
  // when the connection broke (what the sink got until then is right), Error for a refusal or a changed file.
  bool get(const std::string& url, const ByteRange& range, const ByteSink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ssd
