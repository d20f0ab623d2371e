// The largest of several errors, and where it was: how verify makes a row.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "verify/verify.h"

namespace ssd {

// Where both overflow alike there is none.
inline double difference(double a, double b) { return a == b ? 0 : std::abs(a - b); }

class Largest {
 public:
  Largest(std::string quantity, double tolerance) { row_ = {std::move(quantity), 0, tolerance, ""}; }

  // A NaN is larger than any number, and stays.
  bool exceeded_by(double error) const { return !std::isnan(row_.error) && !(error <= row_.error); }

  void add(double error, const std::string& where) {
    if (exceeded_by(error)) {
      row_.error = error;
      row_.where = where;
    }
    all_.push_back(error);
  }

  const VerifyRow& row() const { return row_; }

  // NaN where any error is NaN: there is no order then.
  double median() const {
    if (std::isnan(row_.error)) return std::numeric_limits<double>::quiet_NaN();
    std::vector<double> sorted = all_;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }

 private:
  VerifyRow row_;
  std::vector<double> all_;
};

}  // namespace ssd
