#include "config/base/redact.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <vector>

#include "config/base/json.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kShortestSecret = 6;
constexpr std::string_view kMask = "[redacted]";

// A secret inside a longer base64 text starts at one of three alignments; the characters that
// depend on its neighbours are left out, so each alignment gives one searchable core.
void AddBase64Cores(std::string_view secret, std::vector<std::string>& needles) {
  for (std::size_t shift = 0; shift < 3; ++shift) {
    const std::string padded = std::string(shift, '\0') + std::string(secret);
    const std::string encoded = Base64Encode(padded.substr(0, padded.size() / 3 * 3));
    const std::size_t skip = shift == 0 ? 0 : 4;
    if (encoded.size() < skip + 8) continue;
    std::string core = encoded.substr(skip);
    needles.push_back(ReplaceAll(ReplaceAll(core, "+", "-"), "/", "_"));  // RFC 4648, 5
    needles.push_back(std::move(core));
  }
}

// The secret as it may stand in a URL or in JSON.
std::vector<std::string> Spellings(std::string_view secret) {
  const std::string percent = PercentEncode(secret);
  const std::string json = DumpJson(nlohmann::json(std::string(secret)));
  std::vector<std::string> forms = {std::string(secret), Base64Encode(secret), percent,
                                    json.substr(1, json.size() - 2)};
  std::string lower = percent;
  for (std::size_t i = 0; i + 2 < lower.size(); ++i) {
    if (lower[i] == '%') lower.replace(i, 3, ToLower(lower.substr(i, 3)));
  }
  forms.push_back(std::move(lower));
  return forms;
}

std::vector<std::string> FormsOf(std::string_view secret) {
  std::vector<std::string> forms = Spellings(secret);
  AddBase64Cores(secret, forms);
  return forms;
}

}  // namespace

struct Redactor::State {
  mutable std::shared_mutex mutex;
  std::vector<std::string> needles;   ///< longest first
  std::vector<std::string> reversed;  ///< for Contains only
};

Redactor::Redactor() : state_(std::make_unique<State>()) {}
Redactor::~Redactor() = default;

bool Redactor::Add(std::string_view secret) {
  if (secret.size() < kShortestSecret) return false;
  std::vector<std::string> forms = FormsOf(secret);
  const std::unique_lock lock(state_->mutex);
  for (std::string& form : forms) {
    if (std::find(state_->needles.begin(), state_->needles.end(), form) == state_->needles.end()) {
      state_->needles.push_back(std::move(form));
    }
  }
  std::sort(state_->needles.begin(), state_->needles.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
  state_->reversed.emplace_back(secret.rbegin(), secret.rend());
  return true;
}

void Redactor::Forget(std::string_view secret) {
  const std::vector<std::string> forms = FormsOf(secret);
  const std::string reversed(secret.rbegin(), secret.rend());
  const std::unique_lock lock(state_->mutex);
  std::erase_if(state_->needles, [&](const std::string& needle) {
    return std::find(forms.begin(), forms.end(), needle) != forms.end();
  });
  std::erase(state_->reversed, reversed);
}

std::string Redactor::Apply(std::string_view text) const {
  std::string out(text);
  const std::shared_lock lock(state_->mutex);
  for (const std::string& needle : state_->needles) out = ReplaceAll(std::move(out), needle, kMask);
  return out;
}

bool Redactor::Contains(std::string_view text) const {
  const auto found = [&](const std::string& needle) {
    return text.find(needle) != std::string_view::npos;
  };
  const std::shared_lock lock(state_->mutex);
  return std::any_of(state_->needles.begin(), state_->needles.end(), found) ||
         std::any_of(state_->reversed.begin(), state_->reversed.end(), found);
}

}  // namespace swage
