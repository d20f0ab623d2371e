#include "backend/cpu/placement.h"

#include <algorithm>
#include <map>

namespace ssd::cpu {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Value;

class Placer {
 public:
  Placer(const Graph& graph, const Schedule& schedule,
         const std::vector<std::unique_ptr<Executor>>& executors)
      : graph_(graph),
        schedule_(schedule),
        executors_(executors),
        end_(static_cast<int>(schedule.tasks.size()) + 1) {
    for (const auto& node : graph.nodes()) result_.places.emplace_back(node.outputs.size());
    for (const int parameter : graph.parameters()) result_.places[parameter][0].parameter = parameter;
  }

  Placement run() {
    find_uses();
    place_updates();
    for (const int input : graph_.inputs()) open_slot({input, 0}, 0);
    for (int t = 0; t < static_cast<int>(schedule_.tasks.size()); ++t) place_outputs(t);
    result_.arena = plan_arena(result_.slots);
    return std::move(result_);
  }

 private:
  static int step_of(int task) { return task + 1; }
  Place& place_of(Value value) { return result_.places[value.node][value.output]; }
  std::size_t bytes_of(Value value) const { return schedule_.layouts[value.node][value.output].bytes(); }

  void use(Value value, int step) {
    int& last = last_use_[value];
    last = std::max(last, step);
  }
  void find_uses() {
    for (int t = 0; t < static_cast<int>(schedule_.tasks.size()); ++t) {
      task_of_[schedule_.tasks[t].id] = t;
      for (const Value input : schedule_.tasks[t].inputs) use(input, step_of(t));
    }
    for (const graph::Output& output : graph_.outputs()) use(schedule_.resolve(graph_, output.value), end_);
    for (const graph::Update& update : graph_.updates()) {
      const Value value = schedule_.resolve(graph_, update.value);
      // What a task makes may be made in place; other values are copied at the end.
      if (!task_of_.contains(value.node)) use(value, end_);
    }
  }

  // Whether task `t` may write its output `o` where the parameter lies.
  bool may_overwrite(Value parameter, int t, int o) const {
    const auto last = last_use_.find(parameter);
    if (last == last_use_.end() || last->second < step_of(t)) return true;
    if (last->second > step_of(t)) return false;
    const std::vector<Value>& inputs = schedule_.tasks[t].inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i] == parameter && !executors_[t]->in_place(static_cast<std::size_t>(o), i)) return false;
    return true;
  }
  void place_updates() {
    for (const graph::Update& update : graph_.updates()) {
      const Value value = schedule_.resolve(graph_, update.value);
      const auto task = task_of_.find(value.node);
      const bool placed = place_of(value).parameter >= 0;
      if (task != task_of_.end() && !placed &&
          may_overwrite({update.parameter, 0}, task->second, value.output)) {
        place_of(value).parameter = update.parameter;
      } else {
        result_.copies.push_back({update.parameter, value});
        use(value, end_);
      }
    }
  }

  void open_slot(Value value, int step) {
    const auto last = last_use_.find(value);
    place_of(value).slot = static_cast<int>(result_.slots.size());
    result_.slots.push_back(
        {bytes_of(value), step, last == last_use_.end() ? step : std::max(step, last->second)});
  }

  // An input of task `t` whose memory can become that of output `o`; -1: none.
  int dying_input(int t, int o, const std::vector<int>& taken) {
    const std::vector<Value>& inputs = schedule_.tasks[t].inputs;
    const Value output{schedule_.tasks[t].id, o};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Place place = place_of(inputs[i]);
      if (place.parameter >= 0 || !executors_[t]->in_place(static_cast<std::size_t>(o), i)) continue;
      const bool dies =
          last_use_.at(inputs[i]) == step_of(t) && std::count(inputs.begin(), inputs.end(), inputs[i]) == 1;
      const bool fits = bytes_of(inputs[i]) == bytes_of(output);
      if (dies && fits && std::find(taken.begin(), taken.end(), place.slot) == taken.end())
        return static_cast<int>(i);
    }
    return -1;
  }
  void place_outputs(int t) {
    const Task& task = schedule_.tasks[t];
    std::vector<int> taken;
    for (int o = 0; o < static_cast<int>(task.output_layouts.size()); ++o) {
      const Value output{task.id, o};
      if (place_of(output).parameter >= 0) continue;
      const int input = dying_input(t, o, taken);
      if (input < 0) {
        open_slot(output, step_of(t));
        continue;
      }
      const int slot = place_of(task.inputs[input]).slot;
      taken.push_back(slot);
      place_of(output).slot = slot;
      const auto last = last_use_.find(output);
      if (last != last_use_.end())
        result_.slots[slot].last = std::max(result_.slots[slot].last, last->second);
    }
    const std::size_t scratch = executors_[t]->scratch_bytes();
    result_.scratch.push_back(scratch ? static_cast<int>(result_.slots.size()) : -1);
    if (scratch) result_.slots.push_back({scratch, step_of(t), step_of(t)});
  }

  const Graph& graph_;
  const Schedule& schedule_;
  const std::vector<std::unique_ptr<Executor>>& executors_;
  int end_;
  std::map<Value, int> last_use_;  // steps
  std::map<int, int> task_of_;     // by node
  Placement result_;
};

}  // namespace

Placement place(const Graph& graph, const Schedule& schedule,
                const std::vector<std::unique_ptr<Executor>>& executors) {
  return Placer(graph, schedule, executors).run();
}

}  // namespace ssd::cpu
