#include "prepare/download/download_http.h"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <mutex>
#include <string_view>

namespace ssd {
namespace {

// What the last response's header said; a redirect's header is forgotten when the next one begins.
struct Header {
  std::string etag;
  std::optional<std::uint64_t> content_length;
  std::optional<std::uint64_t> range_begin;
  std::optional<std::uint64_t> range_total;
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes 100-199/5000" (RFC 9110, 14.4).
void read_content_range(std::string_view value, Header& header) {
  constexpr std::string_view unit = "bytes ";
  const auto dash = value.find('-');
  const auto slash = value.find('/');
  if (!value.starts_with(unit) || dash == value.npos || slash == value.npos || dash > slash) return;
  header.range_begin = number(value.substr(unit.size(), dash - unit.size()));
  header.range_total = number(value.substr(slash + 1));
}

void read_header_line(std::string_view line, Header& header) {
  if (line.starts_with("HTTP/")) {
    header = Header{};
    return;
  }
  const auto colon = line.find(':');
  if (colon == line.npos) return;
  const std::string name(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (strcasecmp(name.c_str(), "etag") == 0) header.etag = value;
  if (strcasecmp(name.c_str(), "content-length") == 0) header.content_length = number(value);
  if (strcasecmp(name.c_str(), "content-range") == 0) read_content_range(value, header);
}

bool is_busy(long status) { return status >= 500 || status == 408 || status == 429; }

[[noreturn]] void refuse(const std::string& url, long status) {
  const std::string message =
      fmt::format("{}: got HTTP status {}, expected 200 or 206; check the address", url, status);
  if (is_busy(status)) throw RetryableError(message);
  throw Error(message);
}

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

struct HttpClient::State {
  CURL* handle = nullptr;
  char message[CURL_ERROR_SIZE] = {};
  Header header;
  // Of the transfer under way.
  const std::string* url = nullptr;
  const ByteRange* range = nullptr;
  const ByteSink* sink = nullptr;
  std::uint64_t received = 0;
  bool ended_by_sink = false;
  std::exception_ptr failure;  // thrown in a callback, carried past libcurl's C frames

  long status() const {
    long value = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &value);
    return value;
  }

  void check_response() const;
  bool take(std::span<const std::byte> bytes);
  CURLcode run(const std::string& address);
};

// Before the first byte goes to the sink: is this the piece that was asked for?
void HttpClient::State::check_response() const {
  if (status() != 200 && status() != 206) refuse(*url, status());
  if (!range->etag.empty() && !header.etag.empty() && header.etag != range->etag) {
    throw Error("{}: got a file with ETag {}, expected {}: it changed on the server; run again to start over",
                *url, header.etag, range->etag);
  }
  const std::uint64_t begin = status() == 206 ? header.range_begin.value_or(0) : 0;
  if (begin != range->begin) {
    throw RetryableError("{}: got bytes from {}, expected from {}; the server did not honour the range", *url,
                         begin, range->begin);
  }
}

bool HttpClient::State::take(std::span<const std::byte> bytes) {
  if (range == nullptr) {  // a probe wants the header, and of the file the one byte that it asked for
    received += bytes.size();
    return status() == 206 && received <= 1;
  }
  if (received == 0) check_response();
  if (bytes.size() > range->end - range->begin - received) {
    throw RetryableError("{}: got more than the {} bytes asked for", *url, range->end - range->begin);
  }
  received += bytes.size();
  if ((*sink)(bytes)) return true;
  ended_by_sink = true;
  return false;
}

CURLcode HttpClient::State::run(const std::string& address) {
  url = &address;
  header = Header{};
  received = 0;
  ended_by_sink = false;
  failure = nullptr;
  message[0] = '\0';
  curl_easy_setopt(handle, CURLOPT_URL, address.c_str());
  const CURLcode code = curl_easy_perform(handle);
  if (failure) std::rethrow_exception(failure);
  return code;
}

namespace {

std::size_t on_header(char* text, std::size_t size, std::size_t count, void* user) {
  read_header_line({text, size * count}, *static_cast<Header*>(user));
  return size * count;
}

// A count other than what came in makes libcurl end the transfer.
template <typename State>
std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& state = *static_cast<State*>(user);
  try {
    return state.take({reinterpret_cast<const std::byte*>(data), size * count}) ? size * count : 0;
  } catch (...) {
    state.failure = std::current_exception();
    return 0;
  }
}

std::string reason(const char* message, CURLcode code) {
  return message[0] != '\0' ? std::string(message) : std::string(curl_easy_strerror(code));
}

// What waiting does not mend: a malformed address, a protocol other than HTTP, a certificate refused.
bool is_final(CURLcode code) {
  constexpr CURLcode final_codes[] = {CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL,
                                      CURLE_PEER_FAILED_VERIFICATION, CURLE_TOO_MANY_REDIRECTS};
  return std::ranges::find(final_codes, code) != std::end(final_codes);
}

[[noreturn]] void fail(const std::string& url, const char* message, CURLcode code) {
  const std::string text = fmt::format("{}: {}", url, reason(message, code));
  if (is_final(code)) throw Error("{}; check the address", text);
  throw RetryableError(text);
}

}  // namespace

HttpClient::HttpClient(std::chrono::seconds stall) : state_(std::make_unique<State>()) {
  start_curl();
  state_->handle = curl_easy_init();
  if (state_->handle == nullptr) throw Error("libcurl: cannot make a handle; is memory short?");
  CURL* handle = state_->handle;
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, static_cast<long>(stall.count()));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall.count()));
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "singleshot");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, state_->message);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &state_->header);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body<State>);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, state_.get());
}

HttpClient::~HttpClient() { curl_easy_cleanup(state_->handle); }

RemoteFile HttpClient::probe(const std::string& url) {
  State& state = *state_;
  state.range = nullptr;
  // One byte, not HEAD: it also shows whether ranges work, and signed addresses often allow GET alone.
  curl_easy_setopt(state.handle, CURLOPT_RANGE, "0-0");
  const CURLcode code = state.run(url);
  if (code != CURLE_OK && code != CURLE_WRITE_ERROR) fail(url, state.message, code);
  if (state.status() == 206 && state.header.range_total) {
    return {*state.header.range_total, state.header.etag, true};
  }
  if (state.status() != 200) refuse(url, state.status());
  if (!state.header.content_length) {
    throw Error(
        "{}: got no size from the server, expected Content-Length or Content-Range; use another mirror", url);
  }
  return {*state.header.content_length, state.header.etag, false};
}

bool HttpClient::get(const std::string& url, const ByteRange& range, const ByteSink& sink) {
  State& state = *state_;
  state.range = &range;
  state.sink = &sink;
  const std::string text = fmt::format("{}-{}", range.begin, range.end - 1);
  curl_easy_setopt(state.handle, CURLOPT_RANGE, range.whole ? nullptr : text.c_str());
  const CURLcode code = state.run(url);
  if (state.ended_by_sink) return false;
  if (code != CURLE_OK) fail(url, state.message, code);
  if (state.received == 0) state.check_response();
  if (state.received != range.end - range.begin) {
    throw RetryableError("{}: got {} bytes, expected {}", url, state.received, range.end - range.begin);
  }
  return true;
}

}  // namespace ssd
