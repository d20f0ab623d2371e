#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "base/error.h"
#include "testing/test_jpeg.h"

extern char** environ;

namespace ssd {
namespace {

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "singleshot-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw Error("mkdtemp: cannot make {}; check that the temporary folder is writable", name);
  }
  return name;
}

// Standard output and error go to files in `folder`: no pipe can fill up.
pid_t spawn(const std::string& program, const std::vector<std::string>& arguments,
            const std::filesystem::path& folder) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  const std::string out = folder / "out";
  const std::string err = folder / "err";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  pid_t process = -1;
  const int failure = posix_spawnp(&process, program.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw Error("posix_spawnp: cannot run {}; build the target singleshot", program);
  return process;
}

}  // namespace

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> small_training(const std::string& data, const std::string& run,
                                        const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"train", "--data", data, "--save", run};
  constexpr std::pair<const char*, const char*> usual[] = {
      {"--pretrained", "none"},    {"--backbone", "resnet18"}, {"--preset", "reference"},
      {"--batch-size", "2"},       {"--iterations", "1"},      {"--evaluation", "-1"},
      {"--batch-norm-images", "2"}};
  for (const auto& [option, value] : usual)
    if (std::ranges::find(more, option) == more.end()) arguments.insert(arguments.end(), {option, value});
  return with(std::move(arguments), more);
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, const std::string& program)
    : folder_(make_folder()), process_(spawn(program, arguments, folder_)) {}

RunningProgram::~RunningProgram() {
  if (running()) {
    send(SIGKILL);
    reap(0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RunningProgram::reap(int options) {
  if (!ended_ && waitpid(process_, &status_, options) == process_) ended_ = true;
}

void RunningProgram::send(int signal) { kill(process_, signal); }

void RunningProgram::send_once_caught(int signal) {
  const std::string status = "/proc/" + std::to_string(process_) + "/status";
  bool caught = false;
  for (int tries = 0; tries < 10000 && !caught; ++tries) {
    std::istringstream lines(read_file(status));
    for (std::string line; std::getline(lines, line);)
      caught = caught || (line.starts_with("SigCgt:") &&
                          (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1u) != 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  send(signal);
}

bool RunningProgram::running() {
  reap(WNOHANG);
  return !ended_;
}

Outcome RunningProgram::wait() {
  reap(0);
  Outcome outcome;
  if (WIFEXITED(status_)) outcome.exit_status = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
  outcome.out = read_file(folder_ / "out");
  outcome.err = read_file(folder_ / "err");
  return outcome;
}

Outcome run_program(const std::vector<std::string>& arguments, const std::string& program) {
  RunningProgram running(arguments, program);
  return running.wait();
}

TemporaryFolder::TemporaryFolder() : path_(make_folder()) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error("{}: cannot be read; expected a file", path.string());
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream stream(path, std::ios::binary);
  stream << content;
  if (!stream.flush()) throw Error("{}: cannot be written; check the folder and the space", path.string());
}

void write_jpeg(const std::filesystem::path& path, int width, int height) {
  const std::vector<std::byte> bytes = encode_jpeg(test_image(width, height));
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

int count_lines(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

std::string sample_data() { return SSD_SOURCE_DIR "/samples/blood-cells"; }

std::string shared_file(const std::string& at) {
  const std::filesystem::path path = std::filesystem::path(SSD_SOURCE_DIR "/../shared") / at;
  return std::filesystem::exists(path) ? path.string() : std::string();
}

std::string cpu_plugin() {
  for (const char* name :
       {"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"}) {
    const std::filesystem::path path = std::filesystem::path(SSD_SOURCE_DIR "/.deps/pjrt") / name;
    if (std::filesystem::exists(path)) return path.string();
  }
  return "";
}

std::filesystem::path checkpoint(const std::string& run, const std::string& step) {
  return std::filesystem::path(run) / "checkpoints" / ("step-" + step);
}

std::string lines_of(const std::string& run, const std::string& event) {
  std::istringstream log(read_file(std::filesystem::path(run) / "log.jsonl"));
  std::string lines;
  for (std::string line; std::getline(log, line);) {
    if (line.find("\"event\":\"" + event + "\"") != std::string::npos) lines += line + "\n";
  }
  return lines;
}

std::vector<double> losses_of(const std::string& run) {
  std::istringstream lines(lines_of(run, "step"));
  std::vector<double> losses;
  for (std::string line; std::getline(lines, line);)
    losses.push_back(nlohmann::json::parse(line).at("loss").get<double>());
  return losses;
}

void wait_for_file(const std::filesystem::path& file, RunningProgram& program) {
  namespace fs = std::filesystem;
  for (int tenths = 0; tenths < 600 && program.running(); ++tenths) {
    if (fs::is_directory(file) || (fs::exists(file) && fs::file_size(file) > 0)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  FAIL() << file << " did not appear: " << program.wait().err;
}

void wait_for_entry(const std::filesystem::path& folder, RunningProgram& program) {
  for (int tenths = 0; tenths < 600 && program.running(); ++tenths) {
    if (!std::filesystem::is_empty(folder)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  FAIL() << folder << " stayed empty: " << program.wait().err;
}

void make_small_data(const std::filesystem::path& folder, int count) {
  namespace fs = std::filesystem;
  fs::create_directories(folder / "annotations");
  for (const std::string split : {"train2017", "val2017"}) {
    const std::string file = "annotations/instances_" + split + ".json";
    nlohmann::json json = nlohmann::json::parse(read_file(fs::path(sample_data()) / file));
    nlohmann::json& images = json["images"];
    images.erase(images.begin() + count, images.end());
    fs::create_directories(folder / split);
    std::set<nlohmann::json> ids;
    for (const nlohmann::json& image : images) {
      const std::string name = image["file_name"];
      fs::copy_file(fs::path(sample_data()) / split / name, folder / split / name);
      ids.insert(image["id"]);
    }
    nlohmann::json boxes = nlohmann::json::array();
    for (const nlohmann::json& box : json["annotations"])
      if (ids.contains(box["image_id"])) boxes.push_back(box);
    json["annotations"] = boxes;
    write_file(folder / file, json.dump());
  }
}

}  // namespace ssd
