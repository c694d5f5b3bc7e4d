// A node's door to the forge, through the same gate as the requests of a real one.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "forge/traffic_gate.h"
#include "forge/work_scope.h"
#include "pipeline/pace_keeper.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/node.h"

namespace swage::simulation {
namespace {

constexpr milliseconds kWriteInterval{1'000};

class ForgePort final : public Forge, private ForgeFeed {
 public:
  ForgePort(Node& node, Store& store)
      : node_(node),
        forge_(node.world().forge),
        pace_(
            store, node.world().log, node.machine().clock(), forge_.repo.forge, PaceRules{},
            Allowance{.write_gap = kWriteInterval},
            [&node](milliseconds time, std::stop_token stop) {
              node.machine().Sleep(time, nullptr, stop);
              return !node.dead && !stop.stop_requested();
            },
            static_cast<std::uint32_t>(node.machine().rng().Next())) {}

  const std::string& Name() const override { return forge_.repo.forge; }
  const ForgeLimits& Limits() const override { return limits_; }

  Result<Actor> GetSelf() override {
    return Ask("GetSelf", [] { return Result<Actor>(kBot); });
  }
  Result<Repo> GetRepo(std::string_view) override {
    return Ask("GetRepo", [&] {
      return Result<Repo>(Repo{forge_.repo, std::string(kBase), "", false});
    });
  }
  Result<Issue> GetIssue(const RepoRef&, std::int64_t number) override {
    return Ask("GetIssue", [&]() -> Result<Issue> {
      const auto it = forge_.issues.find(number);
      if (it == forge_.issues.end()) return MakeError(ErrorCode::kNotFound, "no such issue");
      looked_at_[{node_.machine().Current(), number}] = node_.machine().Now();
      return it->second.issue;
    });
  }
  Result<Actor> FindAccount(std::string_view) override {
    return Ask("FindAccount",
               [] { return Result<Actor>(MakeError(ErrorCode::kNotFound, "no such account")); });
  }
  Result<Role> GetRole(const RepoRef&, const Actor& actor) override {
    return Ask("GetRole", [&] { return Result<Role>(ForgeWorld::RoleOf(actor)); });
  }
  Result<PullRequest> GetPullRequest(const RepoRef&, std::int64_t number) override {
    return Ask("GetPullRequest", [&]() -> Result<PullRequest> {
      const WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      return pull->pull;
    });
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef&,
                                                     std::string_view branch) override {
    return Ask("FindPullRequest", [&]() -> Result<std::optional<PullRequest>> {
      const WorldPull* pull = forge_.NewestPull(branch);
      return pull == nullptr ? std::nullopt : std::optional(pull->pull);
    });
  }
  ForgeFeed* Feed() override { return this; }
  Result<GitRemote> Remote(const RepoRef&, GitAccess) override {
    return GitRemote{"https://sim/acme/lib.git", "", "", ""};
  }
  std::string CommitEmail(const Actor& actor) const override { return actor.login + "@sim"; }

  Result<void> EnsureReaction(const RepoRef&, const Thread& thread, std::string_view comment,
                              Reaction reaction) override {
    const auto done = Tell("EnsureReaction", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "reaction", "");
      forge_.reactions.insert(
          fmt::format("{}/{}/{}", thread.number, comment, static_cast<int>(reaction)));
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }
  Result<Comment> EnsureComment(const RepoRef&, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view) override {
    // Two requests, as with the real ones: another node may act between them.
    auto known = Ask("list comments",
                     [&] { return Result<bool>(forge_.FindComment(thread, marker) != nullptr); });
    if (!known.ok()) return known.error();
    return Tell(*known ? "edit comment" : "create comment", [&]() -> Result<Comment> {
      CheckIntent(node_.world(), "comment", marker);
      if (*known) {
        forge_.EditComment(thread);
        return Comment{forge_.FindComment(thread, marker)->id, "", "", kBot};
      }
      return Comment{forge_.CreateComment(thread, marker, body).id, "", "", kBot};
    });
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef&, const PullRequestDraft& draft) override {
    auto newest = FindPullRequest(forge_.repo, draft.head_branch);
    if (!newest.ok()) return newest.error();
    if (newest->has_value() && (*newest)->state != PullRequestState::kOpen) {
      return MakeError(ErrorCode::kConflict, "the pull request was closed by a person");
    }
    return Tell("EnsurePullRequest", [&]() -> Result<PullRequest> {
      CheckIntent(node_.world(), "pull_request", draft.head_branch);
      if (WorldPull* found = forge_.NewestPull(draft.head_branch)) {
        const std::int64_t strangers = node_.world().store.Number(
            "SELECT count(*) FROM tasks WHERE branch = ? AND pr_number = 0", {draft.head_branch});
        if (strangers > 0) node_.machine().Sometimes("a pull request was adopted");
        found->pull.title = draft.title;
        found->pull.draft = draft.draft;
        return found->pull;
      }
      CheckEligible(IssueOfBranch(draft.head_branch));
      return forge_.CreatePull(draft);
    });
  }
  Result<void> ClosePullRequest(const RepoRef&, std::int64_t number) override {
    const auto done = Tell("ClosePullRequest", [&]() -> Result<bool> {
      WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      const bool open = pull->pull.state == PullRequestState::kOpen;
      if (open) pull->pull.state = PullRequestState::kClosed;
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }
  Result<PostedReview> EnsureReview(const RepoRef&, std::int64_t number,
                                    const ReviewDraft& review) override {
    auto there = Ask("list reviews", [&] {
      const WorldPull* pull = forge_.FindPull(number);
      return Result<bool>(pull != nullptr && pull->reviews.contains(review.marker));
    });
    if (!there.ok()) return there.error();
    return Tell("EnsureReview", [&]() -> Result<PostedReview> {
      CheckIntent(node_.world(), "review", review.marker);
      WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      if (!*there && !pull->reviews.insert(review.marker).second) {
        node_.machine().Violated("I4", "a second review " + review.marker);
      }
      PostedReview posted{"1", "", {}};
      for (const LineComment& comment : review.comments) {
        posted.comments.push_back(
            {comment.fingerprint, ThreadOf(*pull, comment.fingerprint), CommentPlace::kLine});
      }
      return posted;
    });
  }
  Result<void> ResolveThread(const RepoRef&, std::int64_t number, std::string_view thread,
                             std::string_view) override {
    const auto done = Tell("ResolveThread", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "resolve", thread);
      WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      for (WorldThread& one : pull->threads) {
        if (one.id == thread) one.resolved = true;
      }
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }
  Result<Review> GetReview(const ReviewSubmitted&) override {
    return Ask("GetReview",
               [] { return Result<Review>(MakeError(ErrorCode::kNotFound, "no such review")); });
  }
  // Nobody here comments on lines.
  Result<void> EnsureReplies(const RepoRef&, std::int64_t,
                             const std::vector<ThreadReply>&) override {
    return MakeError(ErrorCode::kInvalid, "an answer that nobody asked for");
  }
  Result<void> EnsureStatus(const RepoRef&, const CommitStatus& status) override {
    const auto done = Tell("EnsureStatus", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "status", status.sha.value);
      CheckStatus(node_.world(), status);
      forge_.statuses[status.sha.value + " " + status.context] = status.state;
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }

 private:
  // --- what a poll asks
  Result<WallTime> GetTime(const RepoRef&) override {
    return Ask("GetTime", [&] { return Result<WallTime>(node_.machine().clock().Now()); });
  }
  Result<std::vector<Repo>> ListRepos() override {
    return Ask("ListRepos", [&] {
      return Result<std::vector<Repo>>({Repo{forge_.repo, std::string(kBase), "", false}});
    });
  }
  Result<std::vector<std::string>> ListLabels(const RepoRef&) override {
    return Ask("ListLabels",
               [] { return Result<std::vector<std::string>>({std::string(kLabel)}); });
  }
  Result<std::vector<Issue>> ListLabelled(const RepoRef&, std::string_view) override {
    return Ask("ListLabelled", [&] {
      std::vector<Issue> found;
      for (const auto& [number, in] : forge_.issues) {
        if (in.issue.open && !in.issue.labels.empty()) found.push_back(in.issue);
      }
      return Result(std::move(found));
    });
  }
  Result<ChangePage> ListChanges(const RepoRef&, WallTime since, std::string_view etag) override {
    return Ask("ListChanges", [&] {
      node_.asked_for_changes = node_.machine().Now();
      return Result(ChangesSince(since, etag));
    });
  }
  Result<CommentPage> ListComments(const RepoRef&, WallTime since,
                                   const std::vector<ThreadChange>&) override {
    return Ask("ListComments", [&] {
      CommentPage page;
      for (const FoundComment& found : forge_.said) {
        if (found.created < since) continue;
        page.comments.push_back(found);
        page.up_to = found.created;
      }
      return Result(std::move(page));
    });
  }
  Result<std::vector<Review>> ListReviews(const RepoRef&, std::int64_t) override {
    return Ask("ListReviews", [] { return Result<std::vector<Review>>(std::vector<Review>()); });
  }
  Result<std::vector<ThreadAct>> ListActs(const RepoRef&, const Thread& thread) override {
    return Ask("ListActs", [&]() -> Result<std::vector<ThreadAct>> {
      if (thread.kind == ThreadKind::kIssue) {
        return forge_.issues.at(thread.number).history.acts;
      }
      const WorldPull* pull = forge_.FindPull(thread.number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      return pull->history.acts;
    });
  }
  bool KeepsDeliveries() const override { return node_.world().keeps_deliveries; }
  Result<std::vector<Hook>> ListHooks(const RepoRef&) override {
    return Ask("ListHooks", [] {
      return Result<std::vector<Hook>>({Hook{1, "https://swage.example/hooks/sim"}});
    });
  }
  Result<std::vector<HookDelivery>> ListDeliveries(const RepoRef&, std::int64_t,
                                                   std::int64_t after) override {
    return Ask("ListDeliveries", [&] {
      std::vector<HookDelivery> found;
      const std::vector<Sent>& sent = node_.world().sent;
      for (std::int64_t id = std::ssize(sent); id > after; --id) {
        const Sent& one = sent[static_cast<std::size_t>(id - 1)];
        found.push_back({id, DeliveryKey(id - 1), "event", one.acknowledged ? 200 : 0});
      }
      return Result(std::move(found));
    });
  }
  Result<std::string> GetDeliveryBody(const RepoRef&, std::int64_t, std::int64_t id) override {
    return Ask("GetDeliveryBody", [&] {
      node_.machine().Sometimes("a lost webhook was found in the forge's list");
      return Result(std::to_string(id - 1));
    });
  }

  ChangePage ChangesSince(WallTime since, std::string_view etag) const {
    ChangePage page;
    page.etag = fmt::format("{} from {}", forge_.revision, ToMicros(since));
    page.unchanged = page.etag == etag;
    if (page.unchanged) return page;
    for (const auto& [number, in] : forge_.issues) {
      if (in.history.changed < since) continue;
      page.changes.push_back({{ThreadKind::kIssue, number}, in.history.changed, in.issue});
    }
    for (const WorldPull& in : forge_.pulls) {
      if (in.history.changed < since) continue;
      page.changes.push_back(
          {{ThreadKind::kPullRequest, in.pull.number}, in.history.changed, std::nullopt});
    }
    std::ranges::stable_sort(page.changes, {}, &ThreadChange::updated);
    if (!page.changes.empty()) page.up_to = page.changes.back().updated;
    return page;
  }

  // --- requests
  template <class Act>
  auto Ask(std::string_view name, Act&& act) -> decltype(act()) {
    return Request(name, false, std::forward<Act>(act));
  }
  template <class Act>
  auto Tell(std::string_view name, Act&& act) -> decltype(act()) {
    return Request(name, true, std::forward<Act>(act));
  }

  template <class Act>
  auto Request(std::string_view name, bool writes, Act&& act) -> decltype(act()) {
    const MonotonicTime asked = node_.machine().Now();
    const Traffic traffic{.writes = writes, .makes_content = writes};
    if (auto passed = Pass(pace_, traffic); !passed.ok()) {
      NoteUnsent(passed.error());
      return passed.error();
    }
    if (node_.world().order.Forbids(asked, Now()) || node_.order.Forbids(asked, Now())) {
      node_.machine().Violated("I9", fmt::format("{} before the time that was ordered", name));
    }
    Link link;
    auto answer = Send(name, writes, std::forward<Act>(act), link);
    if (!link.sent) {
      NoteUnsent(answer.error());
      return answer;
    }
    // That this very thing is not there is an answer too.
    const bool answered = answer.ok() || !FailureOf(answer.error(), writes);
    pace_.Leave(traffic, answered ? Ok() : Result<void>(answer.error()), std::nullopt);
    if (!answered) ++node_.failed_requests;
    if (link.ordered > Now()) NoteOrder(link.ordered);
    return answer;
  }

  /// What became of one request.
  struct Link {
    bool sent = false;
    MonotonicTime ordered{};  ///< nothing before
  };

  MonotonicTime Now() const { return node_.machine().Now(); }

  void NoteUnsent(const Error& error) {
    ++node_.failed_requests;
    if (error.code == ErrorCode::kLeaseLost) {
      node_.machine().Sometimes("a write was held back: its hold was too old");
    }
  }

  // From now on it is known: to all nodes, or to this one when the store did not take it.
  void NoteOrder(MonotonicTime until) {
    const auto left = std::chrono::duration_cast<microseconds>(until - Now());
    const std::int64_t kept =
        node_.world().store.Number("SELECT max(paused_until_at_us) FROM paces");
    const bool by_all = kept >= ToMicros(node_.machine().clock().Now() + left);
    Order& order = by_all ? node_.world().order : node_.order;
    if (until > order.until) order = {Now(), until};
  }

  template <class Act>
  auto Send(std::string_view name, bool writes, Act&& act, Link& link) -> decltype(act()) {
    Machine& machine = node_.machine();
    if (writes && machine.rng().Percent(node_.world().faults.node_stops)) {
      machine.Note(node_, "stands still before ", name);
      machine.Sometimes("a node stood still right before a write");
      node_.paused_until =
          std::max(node_.paused_until, Now() + machine.rng().Time({}, seconds(90)));
    }
    // The connection, and the last moment before the request leaves.
    machine.Sleep(machine.rng().Time(milliseconds(1), milliseconds(100)));
    if (node_.dead) return Node::Dead();
    if (const auto may = WorkScope::Check(writes); !may.ok()) return may.error();
    link.sent = true;
    const MonotonicTime sent = Now();
    machine.Sleep(machine.rng().Time(milliseconds(1), milliseconds(100)));
    if (node_.dead) return Node::Dead();
    if (auto trouble = TroubleOf(name, sent, link)) return *std::move(trouble);
    auto result = act();
    machine.Note(node_, name, result.ok() ? "" : " refused");
    if (machine.rng().Percent(node_.world().faults.forge_silent)) {
      machine.Note(node_, "  (no answer)");
      if (writes) machine.Sometimes("the forge's answer to a write was lost");
      return MakeError(ErrorCode::kTimeout, "no answer");
    }
    machine.Sleep(machine.rng().Time(milliseconds(1), milliseconds(50)));
    if (node_.dead) return Node::Dead();
    return result;
  }

  std::optional<Error> TroubleOf(std::string_view name, MonotonicTime sent, Link& link) {
    Machine& machine = node_.machine();
    const Faults& faults = node_.world().faults;
    if (Now() < node_.forge_cut_until) {
      machine.Sleep(machine.rng().Time(seconds(1), seconds(5)));
      return node_.dead ? Node::Dead()
                        : MakeError(ErrorCode::kTimeout, "the forge is out of reach");
    }
    // A connection does not outlive a long standstill.
    if (Now() - sent > seconds(2)) return MakeError(ErrorCode::kTimeout, "connection lost");
    if (machine.rng().Percent(faults.forge_limits)) {
      const milliseconds wait(machine.rng().Between(1'000, 60'000));
      machine.Note(node_, name, " limited");
      machine.Sometimes("the forge ordered to wait");
      link.ordered = Now() + wait;
      return Error{ErrorCode::kRateLimited, "slow down", wait};
    }
    if (machine.rng().Percent(faults.forge_fails)) {
      machine.Note(node_, name, " fails");
      return MakeError(ErrorCode::kUnavailable, "502");
    }
    return std::nullopt;
  }

  // I6: closed before this strand's last look, and still closed.
  void CheckEligible(std::int64_t number) {
    const auto issue = forge_.issues.find(number);
    if (issue == forge_.issues.end() || issue->second.issue.open) return;
    const auto look = looked_at_.find({node_.machine().Current(), number});
    if (look == looked_at_.end() || look->second > issue->second.ineligible_since) {
      node_.machine().Violated("I6", fmt::format("a pull request for the closed issue {}", number));
    }
  }

  std::string ThreadOf(WorldPull& pull, const std::string& fingerprint) {
    for (const WorldThread& thread : pull.threads) {
      if (thread.fingerprint == fingerprint) return thread.id;
    }
    pull.threads.push_back({"t" + forge_.NewId(), fingerprint, false});
    return pull.threads.back().id;
  }

  Node& node_;
  ForgeWorld& forge_;
  PaceKeeper pace_;
  ForgeLimits limits_;
  /// By strand and issue.
  std::map<std::pair<const void*, std::int64_t>, MonotonicTime> looked_at_;
};

}  // namespace

std::unique_ptr<Forge> MakeForgePort(Node& node, Store& store) {
  return std::make_unique<ForgePort>(node, store);
}

}  // namespace swage::simulation
