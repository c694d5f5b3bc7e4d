#include "forge/event.h"

#include <string_view>

namespace swage {
namespace {

struct NameOf {
  std::string_view operator()(const IssueOpened&) const { return "IssueOpened"; }
  std::string_view operator()(const IssueLabeled&) const { return "IssueLabeled"; }
  std::string_view operator()(const IssueUnlabeled&) const { return "IssueUnlabeled"; }
  std::string_view operator()(const IssueAltered&) const { return "IssueAltered"; }
  std::string_view operator()(const IssueAssigned&) const { return "IssueAssigned"; }
  std::string_view operator()(const IssueUnassigned&) const { return "IssueUnassigned"; }
  std::string_view operator()(const IssueGone&) const { return "IssueGone"; }
  std::string_view operator()(const IssueReopened&) const { return "IssueReopened"; }
  std::string_view operator()(const CommentCreated&) const { return "CommentCreated"; }
  std::string_view operator()(const ReviewSubmitted&) const { return "ReviewSubmitted"; }
  std::string_view operator()(const PullRequestClosed&) const { return "PullRequestClosed"; }
  std::string_view operator()(const PullRequestPushed&) const { return "PullRequestPushed"; }
  std::string_view operator()(const ChecksRerequested&) const { return "ChecksRerequested"; }
  std::string_view operator()(const AccessChanged&) const { return "AccessChanged"; }
  std::string_view operator()(const Ignored&) const { return "Ignored"; }
};

struct RepoOf {
  const RepoRef* operator()(const Ignored&) const { return nullptr; }
  const RepoRef* operator()(const AccessChanged&) const { return nullptr; }
  template <class T>
  const RepoRef* operator()(const T& event) const {
    return &event.repo;
  }
};

struct ActorOf {
  const Actor* operator()(const Ignored&) const { return nullptr; }
  template <class T>
  const Actor* operator()(const T& event) const {
    return &event.actor;
  }
};

}  // namespace

std::string_view EventName(const Event& event) {
  return std::visit(NameOf{}, event);
}
const RepoRef* EventRepo(const Event& event) {
  return std::visit(RepoOf{}, event);
}
const Actor* EventActor(const Event& event) {
  return std::visit(ActorOf{}, event);
}

}  // namespace swage
