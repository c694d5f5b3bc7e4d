#include "bot/webhook/json_depth.h"

namespace swage {
namespace {

// The position after the string that begins at json[at] == '"'.
std::size_t SkipString(std::string_view json, std::size_t at) {
  for (std::size_t end = json.find('"', at + 1); end != json.npos; end = json.find('"', end + 1)) {
    std::size_t first = end;
    while (json[first - 1] == '\\') --first;  // stops at the opening quote at the latest
    if ((end - first) % 2 == 0) return end + 1;
  }
  return json.size();
}

}  // namespace

bool NestsDeeperThan(std::string_view json, int depth) {
  int open = 0;
  for (std::size_t i = 0; i < json.size();) {
    switch (json[i]) {
      case '"':
        i = SkipString(json, i);
        continue;
      case '[':
      case '{':
        if (++open > depth) return true;
        break;
      case ']':
      case '}':
        if (open > 0) --open;
        break;
    }
    ++i;
  }
  return false;
}

}  // namespace swage
