// Holding a data set to the classes of a network that was trained on another.
#pragma once

#include <span>
#include <string_view>

#include "data/dataset/dataset.h"

namespace ssd {

// Puts the data set's categories into the order of `classes` (label 1 is classes[0], and so on) and gives its
// boxes those labels; the categories keep the data set's own ids, so that detections fit its annotations. A
// class is found by its name, where several share one by name and id. Categories that `classes` lacks are
// dropped if no box is of them. Throws Error, with `name` (the annotation file) in front, for a class that
// the data set lacks or knows by another name and for boxes of a class that the network does not know.
void order_classes(Dataset& dataset, std::span<const CocoCategory> classes, std::string_view name);

}  // namespace ssd
