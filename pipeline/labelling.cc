#include "pipeline/labelling.h"

#include "config/base/text.h"

namespace swage {
namespace {

// "docs" of "swage:docs", "" of "swage".
std::optional<std::string> ProfileOf(std::string_view label, std::string_view trigger) {
  if (EqualsIgnoreCase(label, trigger)) return "";
  if (label.size() > trigger.size() + 1 && label[trigger.size()] == ':' &&
      EqualsIgnoreCase(label.substr(0, trigger.size()), trigger)) {
    return std::string(label.substr(trigger.size() + 1));
  }
  return std::nullopt;
}

bool HasLabel(ThreadAct::Kind kind) {
  return kind == ThreadAct::Kind::kLabeled || kind == ThreadAct::Kind::kUnlabeled;
}

}  // namespace

bool IsTrigger(std::string_view label, std::string_view trigger) {
  return ProfileOf(label, trigger).has_value();
}

std::optional<std::string> TriggerProfile(const std::vector<std::string>& labels,
                                          std::string_view trigger) {
  for (const std::string& label : labels) {
    if (auto profile = ProfileOf(label, trigger)) return profile;
  }
  return std::nullopt;
}

std::optional<Labelling> CurrentLabelling(const std::vector<ThreadAct>& acts,
                                          std::string_view trigger) {
  std::optional<Labelling> current;
  for (const ThreadAct& act : acts) {
    if (act.kind == ThreadAct::Kind::kLabeled && IsTrigger(act.label, trigger)) {
      current = Labelling{act};
      continue;
    }
    if (!current) continue;
    if (HasLabel(act.kind) && act.actor.id == current->act.actor.id) {
      current->last_of_setter = false;
    }
    if (act.kind == ThreadAct::Kind::kUnlabeled &&
        EqualsIgnoreCase(act.label, current->act.label)) {
      current.reset();
    } else if (act.kind == ThreadAct::Kind::kTextEdited && act.at > current->act.at) {
      current->edited_since = true;
    }
  }
  return current;
}

const ThreadAct* LastAct(const std::vector<ThreadAct>& acts, ThreadAct::Kind kind,
                         std::string_view trigger) {
  for (auto act = acts.rbegin(); act != acts.rend(); ++act) {
    const bool meant = act->kind == kind && (!HasLabel(kind) || IsTrigger(act->label, trigger));
    if (meant) return &*act;
  }
  return nullptr;
}

}  // namespace swage
