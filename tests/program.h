// Runs the program as a user does, for the end-to-end tests.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace ssd {

struct Outcome {
  int exit_status = -1;  // -1 when a signal ended the program
  int signal = 0;
  std::string out;  // standard output and standard error, as written
  std::string err;
};
// `program` is looked for on PATH.
Outcome run_program(const std::vector<std::string>& arguments, const std::string& program = SSD_PROGRAM);

// One list of arguments, then the other.
std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more);
// `train` by the reference's numbers, of ResNet-18 from random weights; where `more` does not say otherwise,
// a step of two images, no evaluation, and statistics re-estimated from two images.
std::vector<std::string> small_training(const std::string& data, const std::string& run,
                                        const std::vector<std::string>& more = {});

// A program that runs beside the test. It is killed when the test leaves it running.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments,
                          const std::string& program = SSD_PROGRAM);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void send(int signal);
  // Sends it as soon as the program catches it, which it does from its first instruction.
  void send_once_caught(int signal);
  // True until the program ends by itself or by a signal.
  bool running();
  Outcome wait();

 private:
  void reap(int options);

  std::filesystem::path folder_;  // of its output
  pid_t process_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

// A fresh folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);
// A JPEG of synthetic content.
void write_jpeg(const std::filesystem::path& path, int width, int height);
int count_lines(const std::string& text);

// Folders of the source tree, and of the data that may lie beside it.
std::string sample_data();                       // samples/blood-cells
std::string shared_file(const std::string& at);  // "" where it is missing
// A PJRT plugin for the CPU that scripts/setup installs; "" where it is missing.
std::string cpu_plugin();

// What a run has written: the folder of a checkpoint ("000003"), the log's lines of one event, the losses of
// its steps.
std::filesystem::path checkpoint(const std::string& run, const std::string& step);
std::string lines_of(const std::string& run, const std::string& event);
std::vector<double> losses_of(const std::string& run);
// Waits until a checkpoint folder or log shows that steps are being done.
void wait_for_file(const std::filesystem::path& file, RunningProgram& program);
// Waits until anything lies in a folder.
void wait_for_entry(const std::filesystem::path& folder, RunningProgram& program);

// A COCO folder of the first images of each of the sample data's splits.
void make_small_data(const std::filesystem::path& folder, int count);

}  // namespace ssd
