// The digest of failed gates that an agent reads, and the signature that tells whether it is stuck.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "pipeline/findings/text_rules.h"
#include "pipeline/gate.h"

namespace swage {
namespace {

// Required gates first: they decide.
std::vector<const GateVerdict*> FailedOnes(const std::vector<GateVerdict>& verdicts) {
  std::vector<const GateVerdict*> failed;
  for (const GateVerdict& v : verdicts) {
    if (v.Failed()) failed.push_back(&v);
  }
  std::stable_partition(failed.begin(), failed.end(), [](const auto* v) { return v->required; });
  return failed;
}

std::vector<const Finding*> WorstFirst(const std::vector<Finding>& findings) {
  std::vector<const Finding*> sorted;
  for (const Finding& f : findings) sorted.push_back(&f);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->severity < b->severity; });
  return sorted;
}

// A message gets at most a quarter of its gate's room, so that no single one hides the others.
std::string Describe(const Finding& f, std::size_t budget) {
  constexpr std::size_t kLongMessage = 1'000;
  const std::string message = Truncate(f.message, std::min(kLongMessage, budget / 4));
  std::string place = f.path;
  if (f.line > 0) place += fmt::format(":{}", f.line);
  if (!place.empty()) place += ": ";
  const std::string rule = f.rule.empty() ? "" : fmt::format(" [{}]", f.rule);
  return fmt::format("- {}{}: {}{}\n", place, Name(f.severity), ReplaceAll(message, "\n", "\n    "),
                     rule);
}

// The end of the log, indented so that nothing in it can pose as a heading of ours.
std::string LogSection(std::string_view log, std::size_t budget) {
  constexpr std::string_view kTitle = "The end of its output:\n";
  constexpr std::size_t kLeastUseful = 200;
  log = Trim(log);
  if (log.empty() || budget < kTitle.size() + kLeastUseful) return {};
  std::size_t room = budget - kTitle.size();
  std::vector<std::string> lines;
  const std::vector<std::string_view> all = SplitLines(log);
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    const std::size_t cost = it->size() + 5;
    if (cost > room) {
      if (lines.empty()) lines.push_back("    " + Truncate(*it, room - 5) + "\n");
      break;
    }
    room -= cost;
    lines.push_back(fmt::format("    {}\n", *it));
  }
  std::reverse(lines.begin(), lines.end());
  return std::string(kTitle) + Join(lines, "");
}

std::string GateSection(const GateVerdict& v, std::size_t budget) {
  std::string out = Truncate(
      fmt::format("## Gate {} ({}): {}\n", v.gate, v.required ? "required" : "advisory", v.summary),
      budget);
  constexpr std::size_t kForMore = 32;
  std::size_t shown = 0;
  for (const Finding* f : WorstFirst(v.findings)) {
    const std::string line = Describe(*f, budget);
    if (out.size() + line.size() + kForMore > budget) break;
    out += line;
    ++shown;
  }
  if (shown < v.findings.size() && out.size() + kForMore <= budget) {
    out += fmt::format("- and {} more\n", v.findings.size() - shown);
  }
  return out + LogSection(v.log_tail, budget - std::min(budget, out.size()));
}

// Splits `total` so that nobody who asks for less than an equal share is cut, and the others share
// the rest.
std::vector<std::size_t> FairShares(const std::vector<std::size_t>& wants, std::size_t total) {
  std::vector<std::size_t> order(wants.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return wants[a] < wants[b]; });
  std::vector<std::size_t> shares(wants.size());
  std::size_t left = total;
  for (std::size_t i = 0; i < order.size(); ++i) {
    shares[order[i]] = std::min(wants[order[i]], left / (order.size() - i));
    left -= shares[order[i]];
  }
  return shares;
}

}  // namespace

std::string FailureDigest(const std::vector<GateVerdict>& verdicts, std::size_t max_bytes) {
  const std::vector<const GateVerdict*> failed = FailedOnes(verdicts);
  std::vector<std::size_t> wants;
  for (const GateVerdict* v : failed) wants.push_back(GateSection(*v, max_bytes).size() + 1);
  const std::vector<std::size_t> shares = FairShares(wants, max_bytes);
  std::string out;
  for (std::size_t i = 0; i < failed.size(); ++i) {
    if (shares[i] < 2) continue;
    if (!out.empty()) out += '\n';
    // Who gets all it wants is rendered as when it was measured: cuts are made for the others.
    out += GateSection(*failed[i], shares[i] == wants[i] ? max_bytes : shares[i] - 1);
  }
  return out;
}

std::string FailureSignature(const std::vector<GateVerdict>& verdicts) {
  std::set<std::string> parts;
  for (const GateVerdict& v : verdicts) {
    if (!v.Blocks()) continue;
    const std::string gate = fmt::format("{} {}", v.gate, Name(v.outcome));
    for (const Finding& f : v.findings) parts.insert(fmt::format("{} {}", gate, f.fingerprint));
    if (v.findings.empty()) {
      parts.insert(fmt::format("{} {}", gate, Sha256Hex(WithoutNumbers(v.log_tail))));
    }
  }
  if (parts.empty()) return {};
  return Sha256Hex(Join({parts.begin(), parts.end()}, "\n"));
}

}  // namespace swage
