// What a reader of YOLO or VOC noted, as findings.
#pragma once

#include "data/layouts/foreign_set.h"
#include "prepare/check/check.h"

namespace ssd {

// All places of all notes, but for what the check of boxes and images finds by itself.
void note_foreign(const ForeignSet& set, CheckReport& report);

}  // namespace ssd
