// The layers SSD300 is made of, appended to a graph either for training or for inference.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace ssd::model {

// A convolution of the network and the state that belongs to it. Weight: `name`.weight (out, in, kernel,
// kernel).
struct ConvolutionLayer {
  std::string name;        // "feature_extractor.feature_extractor.4.0.conv1"
  std::string batch_norm;  // name of the batch norm behind it; empty: the convolution has a bias
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t kernel = 1;
  bool frozen = false;  // does not learn; its batch norm is folded also for training
};

// What stands before the names of a frozen convolution's parameters, in which its batch norm is folded.
inline constexpr const char* folded_prefix = "folded/";

enum class Mode {
  training,   // batch norm over the batch, running statistics updated
  inference,  // batch norm folded into weights and biases
};

// How one convolution differs from the next.
struct ConvolutionShape {
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
};

// Appends layers to a graph and keeps a list of them.
class LayerBuilder {
 public:
  struct Options {
    Mode mode = Mode::training;
    DType compute = DType::f32;
    int batch_norm_group = 1;       // replicas that share batch-norm statistics
    double running_momentum = 0.1;  // weight of a step's statistics in the running ones
    std::map<std::string, double> activation_scales = {};  // as in ModelOptions
  };
  LayerBuilder(graph::Graph& graph, const Options& options) : graph_(graph), options_(options) {}

  struct Normed {
    bool relu = true;
    graph::Value residual;  // added before the ReLU, where there is one
  };
  // Whether the layers that follow are frozen: they then use their batch norms' running statistics, and
  // their parameters are none of trained().
  void freeze(bool frozen) { frozen_ = frozen; }

  // Images u8 (N,H,W,3) as the network takes them.
  graph::Value normalize(graph::Value images, const graph::NormalizeAttributes& attributes);
  // Convolution without bias, batch norm [, + residual] [, ReLU].
  graph::Value convolution_norm(graph::Value x, const std::string& convolution, const std::string& batch_norm,
                                const ConvolutionShape& shape, const Normed& normed);
  // Convolution with bias; f32 output.
  graph::Value convolution_bias(graph::Value x, const std::string& name, const ConvolutionShape& shape);
  graph::Value max_pool(graph::Value x, const std::string& name);

  graph::Graph& graph() { return graph_; }
  std::int64_t channels(graph::Value x) const { return graph_.type(x).shape[3]; }
  const std::vector<ConvolutionLayer>& layers() const { return layers_; }
  // The parameters that learn, in order of their making.
  const std::vector<graph::Value>& trained() const { return trained_; }

 private:
  graph::Value trained(const std::string& name, Shape shape);
  // With the batch norm folded into weight and bias.
  graph::Value folded(graph::Value x, const std::string& convolution, const ConvolutionShape& shape,
                      const Normed& normed);
  graph::ConvolutionAttributes attributes(const ConvolutionShape& shape) const;
  // Of what the node `name` makes.
  graph::Rounding rounding_named(const std::string& name, bool has_sign) const;
  // Of what is known to be rounded; none for all else.
  graph::Rounding rounding_of(graph::Value value) const;

  graph::Graph& graph_;
  Options options_;
  bool frozen_ = false;
  std::vector<ConvolutionLayer> layers_;
  std::vector<graph::Value> trained_;
  std::map<graph::Value, graph::Rounding> rounded_;
};

}  // namespace ssd::model
