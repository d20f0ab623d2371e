// What detections cost in memory over time: threads that share one detector of the C library, and the
// process's resident memory as they go.
//   api_memory CHECKPOINT FOLDER [DETECTIONS, 10000] [THREADS, 8]      (FOLDER: of image files)
#include <singleshot/singleshot.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  return 0;
}

// Detects on one image after the other until `left` is used up; a line at every thousandth, and at the
// hundredth.
void work(singleshot_detector* detector, const std::vector<std::string>& files, std::atomic<int>& done,
          int most) {
  singleshot_error error;
  for (int i = done++; i < most; i = done++) {
    const std::string& file = files[static_cast<std::size_t>(i) % files.size()];
    singleshot_image image{};
    image.kind = SINGLESHOT_FILE;
    image.data = file.c_str();
    singleshot_results* results = nullptr;
    if (singleshot_detect(detector, &image, 1, nullptr, &results, &error) != SINGLESHOT_OK) {
      std::fprintf(stderr, "%s\n", error.message);
      std::exit(1);
    }
    singleshot_results_free(results);
    if (i + 1 == 100 || (i + 1) % 1000 == 0) {
      std::printf("%6d detections: %.1f MiB\n", i + 1, resident_mib());
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: api_memory CHECKPOINT FOLDER [DETECTIONS, 10000] [THREADS, 8]\n");
    return 2;
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2]))
    files.push_back(entry.path().string());
  const int most = argc > 3 ? std::atoi(argv[3]) : 10000, count = argc > 4 ? std::atoi(argv[4]) : 8;
  singleshot_error error;
  singleshot_detector* detector = nullptr;
  if (files.empty() || singleshot_detector_open(argv[1], nullptr, &detector, &error) != SINGLESHOT_OK) {
    std::fprintf(stderr, "%s\n", files.empty() ? "no images" : error.message);
    return 1;
  }
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&] { work(detector, files, done, most); });
  for (std::thread& thread : threads) thread.join();
  singleshot_detector_close(detector);
}
