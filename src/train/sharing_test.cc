#include "train/sharing.h"

#include <gtest/gtest.h>

#include <array>

#include "base/error.h"
#include "testing/thread_communicator.h"

namespace ssd {
namespace {

Tensor vector_of(float first) {
  Tensor tensor(DType::f32, {3});
  tensor.as<float>()[0] = first;
  return tensor;
}

// What each of two processes threw; empty: nothing.
template <typename Body>
std::array<std::string, 2> errors_of(const Body& body) {
  std::array<std::string, 2> errors;
  ThreadGroup(2).run([&](Communicator& communicator) {
    try {
      body(communicator);
    } catch (const Error& error) {
      errors[static_cast<std::size_t>(communicator.rank())] = error.what();
    }
  });
  return errors;
}

TEST(Sharing, TheFirstSays) {
  ThreadGroup(2).run([](Communicator& communicator) {
    EXPECT_TRUE(first_says(communicator, communicator.is_first()));
    EXPECT_FALSE(first_says(communicator, !communicator.is_first()));
  });
}

TEST(Sharing, AllBeginWhereTheFirstDoes) {
  ThreadGroup(2).run([](Communicator& communicator) {
    TrainingStart own;
    if (communicator.is_first()) {
      own.state.model.classes = 3;
      own.state.categories = {{1, "cat"}, {7, "dog"}};
      own.state.step = 5;
      own.state.sample = 40;
      own.state.seed = 9;
      own.state.images_per_step = 8;
      own.state.samples = 100;
      own.origin = "somewhere";
      own.tensors.weights.emplace("w", vector_of(1));
      own.tensors.slots["momentum"].emplace("w", vector_of(2));
      own.tensors.averages["ema"].emplace("w", vector_of(3));
    }
    const TrainingStart start = broadcast(communicator, std::move(own));
    EXPECT_EQ(start.origin, "somewhere");
    EXPECT_EQ(start.state.step, 5);
    EXPECT_EQ(start.state.categories.at(1).name, "dog");
    EXPECT_EQ(start.tensors.weights.at("w").as<float>()[0], 1);
    EXPECT_EQ(start.tensors.slots.at("momentum").at("w").as<float>()[0], 2);
    EXPECT_EQ(start.tensors.averages.at("ema").at("w").as<float>()[0], 3);
  });
}

TEST(Sharing, WeightsThatDifferEndTheRunEverywhere) {
  EXPECT_EQ(errors_of([](Communicator& communicator) {
              TensorMap weights;
              weights.emplace("w", vector_of(1));
              // Statistics may differ: they are of each process's own images.
              weights.emplace("bn.running_mean", vector_of(static_cast<float>(communicator.rank())));
              expect_same_weights(communicator, weights);
            }),
            (std::array<std::string, 2>{}));
  const auto errors = errors_of([](Communicator& communicator) {
    TensorMap weights;
    weights.emplace("w", vector_of(static_cast<float>(communicator.rank())));
    expect_same_weights(communicator, weights);
  });
  for (const std::string& error : errors) EXPECT_NE(error.find("rank 1"), std::string::npos) << error;
}

TEST(Sharing, TheFirstTellsOfEveryonesBadImages) {
  std::array<std::vector<std::string>, 2> told;
  ThreadGroup(2).run([&](Communicator& communicator) {
    auto& own = told[static_cast<std::size_t>(communicator.rank())];
    BadImageReports reports(communicator, [&](const BadImage& image) { own.push_back(image.file); });
    reports.exchange();
    if (!communicator.is_first()) reports.add({7, "b\xff.jpg", "no image"});
    reports.exchange();
    reports.exchange();
    reports.add({1, communicator.is_first() ? "first" : "second", "missing"});
    reports.exchange();
  });
  EXPECT_EQ(told[0], (std::vector<std::string>{"b\xff.jpg", "first", "second"}));
  EXPECT_TRUE(told[1].empty());
}

TEST(Sharing, FactsThatDifferAreNamedEverywhere) {
  const auto errors = errors_of([](Communicator& communicator) {
    Facts facts{{"--seed", "1"}, {"--learning-rate", communicator.is_first() ? "0.1" : "0.5"}};
    expect_same_facts(communicator, facts);
  });
  for (const std::string& error : errors)
    EXPECT_EQ(error, "--learning-rate: rank 1 has 0.5, rank 0 has 0.1; start all processes alike");
  const auto missing = errors_of([](Communicator& communicator) {
    expect_same_facts(communicator, communicator.is_first() ? Facts{} : Facts{{"--amp", "true"}});
  });
  for (const std::string& error : missing)
    EXPECT_EQ(error, "--amp: rank 1 has true, rank 0 has none; start all processes alike");
}

}  // namespace
}  // namespace ssd
