// The processes of a run that MPI connects.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/communicator.h"
#include "processes/mpi_key_values.h"
#include "processes/mpi_link.h"
#include "processes/peer.h"
#include "processes/peer_watch.h"

namespace ssd {

class MpiCommunicator final : public Communicator {
 public:
  // Begins MPI and waits for all processes. Throws Error where that fails.
  MpiCommunicator(const MpiFunctions& functions, PeerWatch::Options options);
  // Ends MPI: all processes are to come here.
  ~MpiCommunicator() override;

  int rank() const override { return link_.rank(); }
  int size() const override { return link_.size(); }
  void all_reduce(std::span<double> values) override;
  std::vector<std::string> gather(const std::string& bytes) override;
  std::string broadcast(const std::string& bytes) override;
  std::vector<double> gather_in_group(std::span<const double> values, int group) override;
  void start_sum(std::span<float> values) override;
  SumTimes finish_sum() override { return link_.finish_sum(); }
  void at_step(std::int64_t step) override { watch_->at_step(step); }

  const std::vector<Peer>& peers() const { return peers_; }  // all processes by rank
  KeyValues& key_values() { return values_; }
  // Ends all processes at once.
  [[noreturn]] void abort(int exit_code);

 private:
  void settle_values();

  MpiLink link_;
  std::vector<Peer> peers_;
  MpiKeyValues values_;
  std::unique_ptr<PeerWatch> watch_;
};

}  // namespace ssd
