#include "backend/pjrt/plugins.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "backend/pjrt/nvidia.h"
#include "base/error.h"
#include "testing/graph_feeds.h"
#include "testing/message_of.h"

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

// A variable of the environment, set for one test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_.empty())
      unsetenv(name_);
    else
      setenv(name_, before_.c_str(), 1);
  }

 private:
  const char* name_;
  std::string before_;
};

class Folder : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(path_); }
  void TearDown() override { fs::remove_all(path_); }
  fs::path file(const std::string& name) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << "no library";
    return path_ / name;
  }
  fs::path path_ = testing::TempDir() + "singleshot-plugins-test-" + std::to_string(::getpid());
};

TEST_F(Folder, APluginInTheCurrentFolderIsFoundThere) {
  const fs::path plugin = file("here.so"), before = fs::current_path();
  fs::current_path(path_);
  EXPECT_EQ(find_plugin("pjrt:here.so"), fs::current_path() / "here.so");
  {
    const Variable variable("SINGLESHOT_PJRT_PLUGIN", "here.so");
    EXPECT_EQ(find_plugin("tpu"), fs::current_path() / "here.so");
  }
  fs::current_path(before);
}

TEST(Plugins, AMissingPluginListsWhatWasTried) {
  const std::string message = message_of([] { find_plugin("cuda"); });
  if (message.empty()) GTEST_SKIP() << "this machine has a CUDA plugin";
  for (const char* part : {"xla_cuda13", "xla_cuda12", "jax-cuda13-pjrt"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Plugins, AFileThatAVariableNamesMustBeThere) {
  {
    const Variable named("SINGLESHOT_PJRT_PLUGIN", "/nowhere/plugin.so");
    const std::string message = message_of([] { find_plugin("tpu"); });
    EXPECT_NE(message.find("/nowhere/plugin.so"), std::string::npos) << message;
    EXPECT_NE(message.find("SINGLESHOT_PJRT_PLUGIN"), std::string::npos) << message;
  }
  const Variable named("PJRT_NAMES_AND_LIBRARY_PATHS", "cuda:/nowhere/cuda.so,tpu:/nowhere/tpu.so");
  const std::string message = message_of([] { find_plugin("tpu"); });
  EXPECT_NE(message.find("/nowhere/tpu.so"), std::string::npos) << message;
  EXPECT_EQ(message.find("/nowhere/cuda.so"), std::string::npos) << message;
}

TEST(Plugins, OneForAnotherKindOfDeviceIsRefused) {
  SSD_NEEDS_CPU_PLUGIN();
  const Variable named("SINGLESHOT_PJRT_PLUGIN", cpu_plugin());
  const std::string message = message_of([] { make_device({.device = "cuda"}); });
  EXPECT_NE(message.find("for cpu, expected one for cuda"), std::string::npos) << message;
}

TEST_F(Folder, PluginsAreFoundInTheSitePackagesOfAPythonOnPath) {
  const fs::path plugin = file("venv/lib/python3.13/site-packages/libtpu/libtpu.so");
  fs::create_directories(path_ / "venv/bin");
  fs::create_symlink("/usr/bin/env", path_ / "venv/bin/python3");
  const Variable path("PATH", (path_ / "venv/bin").string() + "/");
  const std::string message = message_of([] { find_plugin("tpu"); });
  ASSERT_EQ(message, "");
  const std::string found = find_plugin("tpu");
  EXPECT_TRUE(found == plugin || found.find("/.deps/") != std::string::npos) << found;
}

TEST_F(Folder, OfCudaPluginsThatBesideTheLibrariesIsPreferred) {
  file("bare/lib/python3.11/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so");
  const fs::path full = file("full/lib/python3.11/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so");
  file("full/lib/python3.11/site-packages/nvidia/cu13/lib/libcudart.so.13");
  for (const char* venv : {"bare", "full"}) {
    fs::create_directories(path_ / venv / "bin");
    fs::create_symlink("/usr/bin/env", path_ / venv / "bin/python3");
  }
  const Variable path("PATH", (path_ / "bare/bin").string() + ":" + (path_ / "full/bin").string());
  EXPECT_EQ(find_plugin("cuda"), full.string());
}

TEST_F(Folder, TheToolkitIsTheOneWithDeviceCode) {
  file("nvidia/cu13/include/cuda.h");
  file("nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc");
  EXPECT_EQ(cuda_toolkit(path_ / "nvidia"), path_ / "nvidia/cuda_nvcc");
}

TEST_F(Folder, LibrariesThatDoNotLoadArePassedOver) {
  file("nvidia/cu13/lib/libcudart.so.13");
  file("nvidia/cudnn/lib/libcudnn.so.9");
  EXPECT_EQ(preload_nvidia_libraries(path_ / "nvidia"), 0);
}

TEST(Plugins, AFileThatIsNoPluginIsAnErrorThatNamesIt) {
  for (const std::string device : {"pjrt:/nowhere.so", "pjrt:/etc/passwd", "quantum"}) {
    const std::string message = message_of([&] { make_device({.device = device}); });
    EXPECT_NE(message.find(device.substr(device.find(':') + 1)), std::string::npos) << message;
  }
}

TEST(Plugins, AskingForMoreReplicasThanDevicesIsAnError) {
  SSD_NEEDS_CPU_PLUGIN();
  EXPECT_THROW(make_device({.device = "pjrt:" + cpu_plugin(), .replicas = 3, .cpu_devices = 2}), Error);
}

}  // namespace
}  // namespace ssd::pjrt
