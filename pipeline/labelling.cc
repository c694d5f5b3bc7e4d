#include "pipeline/labelling.h"

#include <algorithm>

#include "config/base/text.h"
#include "config/settings.h"

namespace swage {
namespace {

// "docs" of "swage:docs", "" of "swage".
std::optional<std::string> ProfileOf(std::string_view label, std::string_view trigger) {
  if (trigger.empty()) return std::nullopt;  // labels ask for nothing
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

// Some forges name an account by its login alone.
bool IsSame(const Actor& whom, const Actor& self) {
  return whom.id.empty() ? EqualsIgnoreCase(whom.login, self.login) : whom.id == self.id;
}

template <class Begins, class Ends>
std::optional<Wish> CurrentWish(const std::vector<ThreadAct>& acts, Begins begins, Ends ends) {
  std::optional<Wish> current;
  for (const ThreadAct& act : acts) {
    if (begins(act)) {
      current = Wish{act};
      continue;
    }
    if (!current) continue;
    if (HasLabel(act.kind) && act.actor.id == current->act.actor.id) {
      current->last_of_setter = false;
    }
    if (ends(act, current->act)) {
      current.reset();
    } else if (act.kind == ThreadAct::Kind::kTextEdited && act.at > current->act.at) {
      current->edited_since = true;
    }
  }
  return current;
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

std::optional<Wish> CurrentLabelling(const std::vector<ThreadAct>& acts, std::string_view trigger) {
  return CurrentWish(
      acts,
      [&](const ThreadAct& act) {
        return act.kind == ThreadAct::Kind::kLabeled && IsTrigger(act.label, trigger);
      },
      [&](const ThreadAct& act, const ThreadAct& begun) {
        return act.kind == ThreadAct::Kind::kUnlabeled && EqualsIgnoreCase(act.label, begun.label);
      });
}

std::optional<Wish> CurrentAssignment(const std::vector<ThreadAct>& acts, const Actor& self) {
  return CurrentWish(
      acts,
      [&](const ThreadAct& act) {
        return act.kind == ThreadAct::Kind::kAssigned && IsSame(act.whom, self);
      },
      [&](const ThreadAct& act, const ThreadAct&) {
        return act.kind == ThreadAct::Kind::kUnassigned && IsSame(act.whom, self);
      });
}

bool Triggers::Means(const std::vector<std::string>& accounts, const Actor& self) const {
  return assignee && !self.id.empty() && std::ranges::find(accounts, self.id) != accounts.end();
}

Triggers TriggersFor(const Settings& settings) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(settings.triggers, name) != settings.triggers.end();
  };
  return {has("label") ? settings.trigger_label : "", has("assignee"), has("mention")};
}

bool IsWanted(const Issue& issue, const Triggers& triggers, const Actor& self) {
  return TriggerProfile(issue.labels, triggers.label) || triggers.Means(issue.assignees, self);
}

const ThreadAct* LastUnassignment(const std::vector<ThreadAct>& acts, const Actor& self) {
  const auto found = std::find_if(acts.rbegin(), acts.rend(), [&](const ThreadAct& act) {
    return act.kind == ThreadAct::Kind::kUnassigned && IsSame(act.whom, self);
  });
  return found == acts.rend() ? nullptr : &*found;
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
