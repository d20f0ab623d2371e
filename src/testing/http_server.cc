#include "testing/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace ssd {
namespace {

bool send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// The header of the next request, or nothing when the client has gone.
std::string read_request(int connection) {
  std::string text;
  char byte = 0;
  while (!text.ends_with("\r\n\r\n")) {
    if (::recv(connection, &byte, 1, 0) != 1) return {};
    text += byte;
  }
  return text;
}

// "Range: bytes=A-B" as libcurl writes it.
bool find_range(const std::string& request, std::size_t& begin, std::size_t& end) {
  const auto at = request.find("Range: bytes=");
  if (at == std::string::npos) return false;
  unsigned long first = 0, last = 0;
  if (std::sscanf(request.c_str() + at, "Range: bytes=%lu-%lu", &first, &last) != 2) return false;
  begin = first;
  end = last + 1;
  return true;
}

}  // namespace

TestServer::TestServer(std::map<std::string, std::string> files, Habits habits)
    : files_(std::move(files)), habits_(std::move(habits)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("no loopback socket");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (const int connection : connections_) ::shutdown(connection, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int connection : connections_) ::close(connection);
  ::close(listener_);
}

std::string TestServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void TestServer::set_habits(const Habits& habits) {
  std::lock_guard lock(mutex_);
  habits_ = habits;
}

void TestServer::set_file(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  files_[path] = std::move(content);
}

void TestServer::accept_all() {
  while (!stopping_) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    std::lock_guard lock(mutex_);
    connections_.push_back(connection);
    threads_.emplace_back([this, connection] { serve(connection); });
  }
}

void TestServer::serve(int connection) {
  for (std::string request = read_request(connection); !request.empty(); request = read_request(connection)) {
    ++requests_;
    const Reply reply = answer(request);
    const bool sent = send_all(connection, reply.head) && send_all(connection, reply.body);
    body_bytes_ += reply.body.size();
    if (reply.cut) ++dropped_;
    if (reply.cut || !sent) break;
  }
  ::shutdown(connection, SHUT_RDWR);
}

TestServer::Reply TestServer::answer(const std::string& request) {
  std::lock_guard lock(mutex_);
  const std::string path = request.substr(4, request.find(' ', 4) - 4);
  const auto file = files_.find(path);
  if (habits_.busy > 0) {
    --habits_.busy;
    return {"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\n", "busy", false};
  }
  if (file == files_.end()) return {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n", "none", false};
  const std::string& content = file->second;
  std::size_t begin = 0, end = content.size();
  std::string status = "200 OK", extra;
  if (habits_.ranges && find_range(request, begin, end)) {
    end = std::min(end, content.size());
    status = "206 Partial Content";
    extra = "Content-Range: bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" +
            std::to_string(habits_.stated_total > 0 ? habits_.stated_total : content.size()) + "\r\n";
  }
  Reply reply{"HTTP/1.1 " + status + "\r\n" + extra + "ETag: " + habits_.etag +
                  "\r\nContent-Length: " + std::to_string(end - begin) + "\r\n\r\n",
              content.substr(begin, end - begin), false};
  if (habits_.drops > 0 && habits_.drop_after > 0 && reply.body.size() > habits_.drop_after) {
    --habits_.drops;
    reply.body.resize(habits_.drop_after);
    reply.cut = true;
  }
  return reply;
}

}  // namespace ssd
