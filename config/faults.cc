#include "config/faults.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxQuotedBytes = 60;
constexpr std::size_t kMaxWordBytes = 64;

// Edits (insert, delete, replace, swap of neighbours) between two short words.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replace, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

// "timeLimit", "time-limit" and "TIME_LIMIT" are all meant as time_limit.
std::string Squashed(std::string_view word) {
  std::string out;
  for (const char c : ToLower(word)) {
    if (c != '_' && c != '-') out += c;
  }
  return out;
}

}  // namespace

void Faults::Add(int line, std::string_view setting, std::string_view what) {
  // Keys are somebody's text too: nothing in them may start a line of its own.
  const std::string text =
      fmt::format("{}:{}: {}{}{}", source_, line, setting, setting.empty() ? "" : ": ", what);
  faults_.push_back({line, ReplaceAll(StripControl(text), "\n", " ")});
}

Error Faults::ToError() const {
  std::vector<Fault> sorted = faults_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Fault& a, const Fault& b) { return a.line < b.line; });
  std::vector<std::string> lines;
  for (const Fault& fault : sorted) {
    if (lines.size() == kMaxFaultLines) {
      lines.push_back(fmt::format("... and {} more", sorted.size() - lines.size()));
      break;
    }
    lines.push_back(fault.text);
  }
  return MakeError(ErrorCode::kInvalid, Join(lines, "\n"));
}

std::string Quoted(std::string_view text) {
  std::string one_line = ReplaceAll(StripControl(ToValidUtf8(text)), "\n", " ");
  return "\"" + Truncate(one_line, kMaxQuotedBytes) + "\"";
}

std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kMaxWordBytes) return {};
  const std::string squashed = Squashed(word);
  const std::size_t allowed = squashed.size() <= 3 ? 1 : squashed.size() <= 6 ? 2 : 3;
  std::string best;
  std::size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = EditDistance(squashed, Squashed(candidate));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace swage
