// Finds objects in pixels that a program has in memory, from several threads at one detector: detect_pixels
// CHECKPOINT
#include <iostream>
#include <singleshot/singleshot.hpp>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "Usage: detect_pixels CHECKPOINT\n";
    return 2;
  }
  try {
    const singleshot::Detector detector(argv[1]);
    // A frame as cameras give it: blue, green, red, and rows that begin every 1024 bytes.
    constexpr int width = 320, height = 240, stride = 1024;
    std::vector<std::uint8_t> frame(static_cast<std::size_t>(stride) * height, 128);
    std::vector<std::size_t> objects(2);
    std::vector<std::thread> threads;
    for (std::size_t& count : objects)
      threads.emplace_back([&detector, &frame, &count] {
        const auto image =
            singleshot::Image::pixels(frame.data(), width, height, singleshot::Pixels::bgr, stride);
        count = detector.detect(image).objects.size();
      });
    for (std::thread& thread : threads) thread.join();
    std::cout << "singleshot " << singleshot::version() << ": " << objects[0] << " and " << objects[1]
              << " objects of " << detector.category_count() << " classes\n";
    return 0;
  } catch (const singleshot::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
