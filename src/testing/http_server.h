// An HTTP/1.1 file server on 127.0.0.1 with the habits of bad ones, for tests.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ssd {

class TestServer {
 public:
  struct Habits {
    bool ranges = true;          // honours Range
    std::size_t drop_after = 0;  // body bytes after which a connection is cut; 0: never
    int drops = 0;               // how many responses are cut so
    int busy = 0;                // how many requests are answered 503 first
    std::string etag = "\"one\"";
    std::uint64_t stated_total = 0;  // in Content-Range, whatever the file has; 0: its size
  };

  explicit TestServer(std::map<std::string, std::string> files) : TestServer(std::move(files), Habits{}) {}
  TestServer(std::map<std::string, std::string> files, Habits habits);  // path ("/a/b.zip") to content
  ~TestServer();

  std::string url() const;  // "http://127.0.0.1:PORT"
  void set_habits(const Habits& habits);
  void set_file(const std::string& path, std::string content);

  int requests() const { return requests_; }
  int dropped() const { return dropped_; }
  std::size_t body_bytes() const { return body_bytes_; }

 private:
  struct Reply {
    std::string head;
    std::string body;
    bool cut = false;
  };

  void accept_all();
  void serve(int connection);
  Reply answer(const std::string& request);

  std::mutex mutex_;
  std::map<std::string, std::string> files_;
  Habits habits_;
  std::atomic<int> requests_{0}, dropped_{0};
  std::atomic<std::size_t> body_bytes_{0};
  std::atomic<bool> stopping_{false};
  int listener_ = -1;
  int port_ = 0;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace ssd
