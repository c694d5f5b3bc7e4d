// AskedThread as it lies in a row: a JSON text that only this pair of functions reads. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/store/store.h"

namespace swage {

/// Empty for none.
std::string EncodeThreads(const std::vector<AskedThread>& threads);
/// None for a text that cannot be read: an answer is lost then, and nothing else.
std::vector<AskedThread> DecodeThreads(std::string_view text);

}  // namespace swage
