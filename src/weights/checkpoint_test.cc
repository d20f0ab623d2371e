#include "weights/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

// A checkpoint in which every tensor element, and the state, is the step's number.
Checkpoint checkpoint_of(std::int64_t step, std::int64_t elements) {
  Checkpoint checkpoint;
  for (TensorMap* const map : {&checkpoint.model, &checkpoint.optimizer}) {
    Tensor tensor(DType::i64, {elements});
    std::ranges::fill(tensor.as<std::int64_t>(), step);
    map->emplace("t", std::move(tensor));
  }
  checkpoint.state_json = "{\"step\": " + std::to_string(step) + "}\n";
  return checkpoint;
}

bool is_checkpoint_of(const Checkpoint& checkpoint, std::int64_t step) {
  for (const TensorMap* const map : {&checkpoint.model, &checkpoint.optimizer})
    for (const std::int64_t element : map->at("t").as<std::int64_t>())
      if (element != step) return false;
  return nlohmann::json::parse(checkpoint.state_json).at("step") == step;
}

std::vector<std::int64_t> steps_of(const fs::path& run) {
  std::vector<std::int64_t> steps;
  for (const CheckpointEntry& entry : list_checkpoints(run)) steps.push_back(entry.step);
  return steps;
}

TEST(Checkpoint, RoundTrips) {
  const TemporaryFolder run;
  const fs::path path = write_checkpoint(run.path(), 300, checkpoint_of(300, 5));
  EXPECT_EQ(path, run.path() / "checkpoints" / "step-000300");
  EXPECT_TRUE(is_checkpoint_of(read_checkpoint(path), 300));
  EXPECT_EQ(nlohmann::json::parse(read_checkpoint_state(path)).at("step"), 300);
  write_checkpoint(run.path(), 301, {{}, {}, "no JSON"});
  EXPECT_EQ(read_checkpoint_state(latest_checkpoint(run.path())->path), "no JSON");
}

TEST(Checkpoint, RefusesFilesOfAnotherStep) {
  const TemporaryFolder run;
  const fs::path one = write_checkpoint(run.path(), 1, checkpoint_of(1, 5));
  const fs::path two = write_checkpoint(run.path(), 2, checkpoint_of(2, 5));
  write_checkpoint_state(two, "{\"step\": 2, \"evaluated\": true}");
  EXPECT_TRUE(is_checkpoint_of(read_checkpoint(two), 2)) << "a state that is replaced keeps the checksums";
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    const fs::path mixed = run.path() / "mixed";
    fs::copy(two, mixed);
    fs::copy_file(one / name, mixed / name, fs::copy_options::overwrite_existing);
    const std::string message = message_of([&] { read_checkpoint(mixed); });
    EXPECT_NE(message.find("its checksum is"), std::string::npos) << name << ": " << message;
    fs::remove_all(mixed);
  }
}

TEST(Checkpoint, OfAnOlderVersionHasNoChecksums) {
  const TemporaryFolder run;
  const fs::path path = write_checkpoint(run.path(), 1, checkpoint_of(1, 5));
  std::ofstream(path / "state.json") << "{\"step\": 1}";
  EXPECT_TRUE(is_checkpoint_of(read_checkpoint(path), 1));
}

TEST(Checkpoint, OfTheSameStepIsReplaced) {
  const TemporaryFolder run;
  write_checkpoint(run.path(), 1, checkpoint_of(2, 5));
  write_checkpoint(run.path(), 1, checkpoint_of(1, 5));
  EXPECT_TRUE(is_checkpoint_of(read_checkpoint(latest_checkpoint(run.path())->path), 1));
  EXPECT_EQ(steps_of(run.path()), std::vector<std::int64_t>{1});
}

TEST(Checkpoint, LatestIsByStepAndNotByName) {
  const TemporaryFolder run;
  for (const std::int64_t step : {1000000, 999999, 2})
    write_checkpoint(run.path(), step, checkpoint_of(step, 1));
  EXPECT_EQ(steps_of(run.path()), (std::vector<std::int64_t>{2, 999999, 1000000}));
  EXPECT_EQ(latest_checkpoint(run.path())->step, 1000000);
}

TEST(Checkpoint, OfANewRunIsNone) {
  const TemporaryFolder run;
  EXPECT_FALSE(latest_checkpoint(run.path()).has_value());
  EXPECT_FALSE(latest_checkpoint(run.path() / "missing").has_value());
}

TEST(Checkpoint, FoldersOfOtherNamesAndIncompleteOnesDoNotCount) {
  const TemporaryFolder run;
  const fs::path whole = write_checkpoint(run.path(), 5, checkpoint_of(5, 1));
  for (const char* name : {"step-12345", "step-0000010x", "step-", "best", ".step-000010.tmp-1-0"})
    fs::copy(whole, whole.parent_path() / name);
  fs::copy(whole, whole.parent_path() / "step-000020");
  fs::remove(whole.parent_path() / "step-000020" / "state.json");
  EXPECT_EQ(steps_of(run.path()), std::vector<std::int64_t>{5});
}

TEST(Checkpoint, PruningKeepsTheLatest) {
  const TemporaryFolder run;
  for (std::int64_t step = 1; step <= 5; ++step) write_checkpoint(run.path(), step, checkpoint_of(step, 1));
  prune_checkpoints(run.path(), 2);
  EXPECT_EQ(steps_of(run.path()), (std::vector<std::int64_t>{4, 5}));
  prune_checkpoints(run.path(), 0);  // the last one always stays
  EXPECT_EQ(steps_of(run.path()), std::vector<std::int64_t>{5});
}

TEST(Checkpoint, ThatIsBrokenIsAnErrorWithItsFile) {
  const TemporaryFolder run;
  const fs::path path = write_checkpoint(run.path(), 1, checkpoint_of(1, 100));
  fs::resize_file(path / "optimizer.safetensors", 300);
  const std::string message = message_of([&] { read_checkpoint(path); });
  EXPECT_NE(message.find("step-000001/optimizer.safetensors"), std::string::npos);
}

// The writer of the next test: writes checkpoints and prunes old ones until it is killed.
[[noreturn]] void write_forever(const fs::path& run) {
  constexpr std::int64_t elements = 20000;
  const std::optional<CheckpointEntry> last = latest_checkpoint(run);
  for (std::int64_t step = last ? last->step : 1;; ++step) {
    write_checkpoint(run, step, checkpoint_of(step, elements));
    if (step % 3 == 0) write_checkpoint(run, step, checkpoint_of(step, elements));  // replaces it
    prune_checkpoints(run, 2);
  }
}

// So that each round gets somewhere, however slow the disk.
void wait_for_a_step_after(std::int64_t step, const fs::path& run) {
  for (int attempt = 0; attempt < 5000; ++attempt) {
    const std::optional<CheckpointEntry> latest = latest_checkpoint(run);
    if (latest && latest->step > step) return;
    ::usleep(2000);
  }
}

TEST(Checkpoint, CountsOnlyWhenWholeHoweverTheWriterIsKilled) {
  const TemporaryFolder run;
  Random random(11, 0, 0);
  std::int64_t last = 0;
  bool left_a_temporary = false;
  for (int round = 0; round < 40; ++round) {
    const pid_t writer = ::fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) write_forever(run.path());
    wait_for_a_step_after(last, run.path());
    ::usleep(static_cast<useconds_t>(random.below(20000)));
    ::kill(writer, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(writer, &status, 0), writer);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (const CheckpointEntry& entry : list_checkpoints(run.path()))
      ASSERT_TRUE(is_checkpoint_of(read_checkpoint(entry.path), entry.step)) << entry.path;
    const std::optional<CheckpointEntry> latest = latest_checkpoint(run.path());
    if (latest) {
      EXPECT_GT(latest->step, last);
      last = latest->step;
    }
    if (fs::exists(run.path() / "checkpoints"))
      for (const auto& entry : fs::directory_iterator(run.path() / "checkpoints"))
        left_a_temporary = left_a_temporary || entry.path().filename().string().front() == '.';
  }
  EXPECT_GT(last, 0);
  EXPECT_TRUE(left_a_temporary);  // some kills did come in the middle of a write
  write_checkpoint(run.path(), last + 1, checkpoint_of(last + 1, 1));
  for (const auto& entry : fs::directory_iterator(run.path() / "checkpoints"))
    EXPECT_EQ(entry.path().filename().string().find("step-"), 0u) << entry.path();
}

}  // namespace
}  // namespace ssd
