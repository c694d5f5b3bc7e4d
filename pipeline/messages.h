// Messages: every sentence a person reads on a forge, in one place. Pure.
//
// Form: outcome, cause, next step, link. Text of strangers (issue titles, agent output, findings)
// passes through forge/markdown.h here and nowhere else. Each function has a golden file
// (tests/unit/golden).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "forge/event.h"
#include "forge/model.h"
#include "forge/push_refusal.h"
#include "pipeline/agent.h"
#include "pipeline/command.h"
#include "pipeline/findings/finding.h"
#include "pipeline/gate.h"
#include "pipeline/pace.h"
#include "pipeline/store/store.h"
#include "pipeline/task.h"
#include "pipeline/workspace/workspace.h"

namespace swage::messages {

// --- comments on the issue or pull request
// -----------------------------------------------------------------

/// The task's one status comment, edited in place (A12). `public_url` may be empty.
std::string StickyMarker(const Task& task);
std::string Sticky(const Task& task, const std::vector<Step>& steps,
                   const std::vector<LevelStep>& levels, std::string_view public_url,
                   std::string_view prefix);

/// An answer to one comment; `key` makes the marker unique.
std::string ReplyMarker(std::string_view comment_id);
std::string Help(std::string_view marker, std::string_view prefix);
std::string Status(std::string_view marker, const Task& task,
                   const std::vector<Delegate>& delegates, std::string_view public_url);
/// "LOGIN: nothing was done: SENTENCE".
std::string Answer(std::string_view marker, std::string_view login, std::string_view sentence);
/// A line for Status; empty without delegates.
std::string DelegatesLine(const std::vector<Delegate>& delegates);
/// Who may command the task now, and how that is taken back.
std::string Delegated(std::string_view marker, std::string_view login, std::string_view delegate,
                      std::string_view prefix);
std::string Undelegated(std::string_view marker, std::string_view login,
                        const std::vector<Delegate>& gone);

/// Sentences for Answer. `prefix` is "/swage".
std::string UnknownCommand(const BadCommand& bad, std::string_view prefix);
std::string MayNot(Role has, Role needs);
/// Follows MayNot where there is a task that somebody could let `login` command.
std::string OrBeDelegated(std::string_view login, std::string_view prefix);
std::string NoSuchAccount(std::string_view login);
std::string BotIsNotListed(std::string_view login);
std::string TooManyDelegates(std::size_t most);
/// `login` empty: the task has none at all.
std::string NoSuchDelegate(std::string_view login, const std::vector<Delegate>& delegates);
std::string NoTaskHere(std::string_view prefix);
std::string NotMyPullRequest(bool from_fork);
std::string RunNeedsAnIssue(std::string_view prefix);
std::string ThreadClosed();
std::string AlreadyWorking(const Task& task);
std::string AlreadyInReview(const Task& task, std::string_view prefix);
std::string NothingToStop(const Task& task);
std::string NothingToRetry(const Task& task, std::string_view prefix);
std::string NoPullRequestYet(const Task& task);
/// For a label that a poll found on a text that is not the one it was set for (T18).
std::string EditedSinceLabelled(std::string_view label, std::string_view prefix);
std::string EditedSinceAssigned(std::string_view prefix);
std::string ClosedIsFinal(const Task& task, std::string_view prefix);

// --- the pull request
// ----------------------------------------------------------------------------------------

/// What a finished run did; the source of the pull request's body and of the review.
struct RunReport {
  Task task;
  CommitSha head;
  std::string agent;                  ///< preset name
  std::string summary;                ///< the agent's own words; not trusted
  std::vector<std::string> earlier;   ///< its last words of earlier runs, oldest first
  std::vector<GateVerdict> verdicts;  ///< of the last cycle
  std::vector<CycleHistory> cycles;   ///< of this run
  std::vector<LevelStep> levels;      ///< the last one is where it ended
  std::vector<BlockedHost> blocked;   ///< hosts that its commands were kept from
  AgentUsage usage;                   ///< summed; zeros = unknown
  std::vector<std::string> warnings;  ///< of snapshots: nested repositories moved out, ...
  std::string stopped_because;        ///< why gates stayed red; empty when green
  std::string public_url;
  bool green = false;
};

std::string PullRequestTitle(const Task& task);
std::string PullRequestBody(const RunReport& report);
/// With when_red = comment: what is posted on the issue instead of a pull request.
std::string RedReport(std::string_view marker, const RunReport& report);

/// What a task of a profile that only reads was asked for (C4).
inline constexpr std::size_t kMaxAnswerBytes = 20'000;
std::string ReaderAnswer(std::string_view marker, const Task& task, std::string_view answer,
                         std::string_view public_url);

/// An open pull request that a run could not bring any further: said there, where it was asked for.
std::string RunFailed(std::string_view marker, std::string_view reason, std::string_view prefix);

/// Somebody pushed to the bot's branch (F8).
std::string TookOver(std::string_view marker, std::string_view prefix);

/// The base was rewritten while the pull request is in review (X22).
std::string BaseRewritten(std::string_view marker, const Task& task, std::string_view prefix);

/// A label that picks a profile which the repository's policy does not have.
std::string UnknownProfile(std::string_view marker, std::string_view label,
                           const std::vector<std::string>& known);

std::string ReviewMarker(const Task& task, const CommitSha& head);
/// Findings without a line of their own are listed in the body.
std::string ReviewBody(const RunReport& report, const std::vector<Finding>& unplaced);
std::string LineCommentBody(const Finding& finding);
std::string ResolvedNote(const CommitSha& head);

/// What came of a remark in a thread of the diff.
struct ThreadOutcome {
  std::string path;                  ///< of the thread; may be empty
  std::vector<std::string> changed;  ///< paths, by all that the run published
  std::string words;                 ///< the agent's, of this thread; not trusted, may be empty
};
std::string ThreadAnswer(const ThreadOutcome& outcome, const RunReport& report,
                         std::string_view prefix);
/// To whoever asks for changes of work that rests (a sentence for Answer).
std::string ReviewNotTakenUp(const Task& task, std::string_view prefix);

/// "swage/tests" and one line for the commit status.
std::string StatusContext(std::string_view gate);
std::string StatusDescription(const GateVerdict& verdict);
/// What a check says above its annotations, of which there are so many.
std::string CheckSummary(const GateVerdict& verdict, std::size_t annotated);
/// To whoever asks for the checks of a commit that is not the head any more.
std::string ChecksOfOldHead(std::string_view prefix);

/// The checkpoint commit: subject, why, and trailers: the person who asked as co-author, the bot's
/// sign-off, the task (F11).
std::string CommitMessage(const Task& task, int cycle, std::string_view requester_email,
                          const CommitIdentity& bot);
/// The line of it by which the bot knows its own work for a task.
std::string TaskTrailer(const Task& task);

// --- reasons shown in the sticky comment, the CLI and the dashboard
// ------------------------------------------

std::string StoppedBy(std::string_view login);
std::string IssueIsNotOpen(std::string_view repo, std::int64_t issue);
std::string LabelRemovedBy(std::string_view login);
std::string UnassignedBy(std::string_view login);
std::string IssueGoneReason(GoneReason reason, std::string_view login);
/// Whether a task's reason is that its issue was closed: then reopening takes the work up again.
bool TellsOfClosing(std::string_view reason);
std::string PullRequestClosedBy(std::string_view login, bool merged);
/// The forge lets the bot in no more, by decision of `owner`.
std::string AccessLost(AccessChanged::Kind kind, std::string_view owner);
/// Whether a task's reason is that: then it goes on when access is given back.
bool TellsOfLostAccess(std::string_view reason);
/// For the log of deliveries.
std::string AccessOutcome(AccessChanged::Kind kind, std::string_view owner, std::size_t tasks);
std::string NoChange(std::string_view agent);
std::string AgentFailed(std::string_view agent, std::string_view how);
std::string NothingNewForRemark();
std::string SecretInChange(std::string_view path);
/// For a change that edits the policy file (T23).
std::string PolicyChanged();
/// "the cache was left out" -> "The cache was left out."
/// A failure, and where its log lies below the server's data_dir.
std::string WithLog(std::string_view failure, std::string_view log_path);
/// Files for Git LFS that a task changed without it.
std::string LfsFilesTouched(const std::vector<std::string>& paths);
std::string AsSentence(std::string_view text);
/// C14: hosts that the policy allows and the server does not.
std::string HostsBeyondServer(const std::vector<std::string>& hosts);
std::string ClosedBeforePullRequest();
std::string TakenBackBeforePullRequest();
std::string HumanTookOver();
/// X22. The first is a thing to notice, the second a note, the others end a run.
std::string BaseMovedOn(const Task& task, const CommitSha& tip);
std::string BaseWasRewritten(const Task& task);
std::string BaseRewrittenAgain(const Task& task);
std::string BaseRewrittenUnderOthersWork(const Task& task);
std::string RepoOutOfSight(std::string_view path);
std::string RepoArchived(std::string_view path);
/// The repository has no commit, or none on its default branch.
std::string NoCommitYet(std::string_view path, std::string_view branch);
/// Rules of the repository took no push; `said` is the forge's own answer.
std::string PushRefused(PushRefusal why, std::string_view path, std::string_view branch,
                        std::string_view said);
std::string ForgeNotConfigured(std::string_view forge);
// Why a run ends without a result, and what comes next.
std::string Interrupted();
std::string ClaimWasNotHeard();
std::string WaitsForTheForge(std::string_view why);
std::string GivenUp(int attempts, std::string_view last);
std::string AttemptFailed(int attempt, std::string_view why, std::chrono::milliseconds rest);
/// This node's copy of what the forge shows is broken.
std::string PushedWorkIsLost(const Task& task);
/// The task's branch holds what the bot did not make (X26).
std::string BranchIsForeign(std::string_view branch);
/// What to do about a forge that is left alone, for the log and the first page.
std::string PaceFix(PauseCause cause);
/// The alarm of a forge whose news only polling finds (X13).
std::string WebhooksAreSilent(std::string_view forge, WallTime since);
// Sentences with a full stop, but for NothingLeftToRebase:
std::string StandsOnNewestBase(const Task& task);
std::string CannotRebaseOthersWork();
std::string PutOnto(const Task& task, const CommitSha& onto,
                    const std::vector<std::string>& left_out);
std::string NothingLeftToRebase(const Task& task);
/// To the agent.
std::string MakeAnew(const Task& task, const CommitSha& onto,
                     const std::vector<std::string>& left_out);
/// A sentence with a full stop.
std::string OldPolicyCounts(const CommitSha& commit, std::string_view faults);
std::string HeldBy(std::string_view login, std::string_view prefix);
std::string GivenUpBy(std::string_view login);
/// The last comment under a pull request that the bot closes.
std::string ClosesPullRequest(std::string_view marker, std::string_view login,
                              std::string_view prefix);
std::string NothingToHold(const Task& task);
std::string NothingToUnhold(const Task& task);
std::string NothingToTakeOver(const Task& task);
/// The steps of the task's last run; links only with a `public_url`.
std::string Logs(std::string_view marker, const Task& task, const std::vector<Step>& steps,
                 std::string_view public_url);
std::string OverQuota(const Starts& starts, int of_repo, int of_account);
/// "it waits for #12, #34 to be closed": as a task's reason.
std::string WaitsForIssues(const std::vector<std::int64_t>& issues);
std::string NoSuchAgent(std::string_view wanted, std::string_view there_is);
std::string FrontMatterFaults(const std::vector<std::string>& faults);
std::string NoSuchBase(std::string_view branch);
std::string BrokenPolicy(std::string_view faults);
/// A line of the gate's own log.
std::string GateRunsAgain(std::string_view summary);
std::string SameTreeTwice();
std::string SameFailureTwice();
std::string CyclesUsedUp(int cycles);

// --- isolation (C3)
// --------------------------------------------------------------------------------------------

/// Reasons for a level, without a full stop.
std::string LevelAskedFor(IsolationLevel level);
std::string LevelOfPolicy();
std::string LevelOfServer();
std::string LeastLevel(IsolationLevel level);
/// Reasons for kWaiting. `servers`: the ceiling is the server's, not the policy's.
std::string LevelAboveCeiling(IsolationLevel level, std::string_view because,
                              IsolationLevel ceiling, bool servers);
/// `lacks`: why not, of each node, with the fix.
std::string NoNodeGives(IsolationLevel level, std::string_view lacks);
/// Why a node gives a task back.
std::string AnotherNodeGives(IsolationLevel level, std::string_view node);
/// A thing to notice.
std::string HeldAtCeiling(IsolationLevel wanted, IsolationLevel ceiling);
/// Folded: each level with its reasons, and the hosts; empty without a level.
std::string IsolationDetails(const std::vector<LevelStep>& levels,
                             const std::vector<BlockedHost>& blocked);
/// A line for the status comment.
std::string IsolationLine(const std::vector<LevelStep>& levels);
/// How a task ends whose profile only reads, or does not.
std::string Answered();
std::string NoAnswer(std::string_view agent);
std::string SecretInAnswer();
/// In place of an agent's words.
std::string WordsWithheld();

/// The task's page; empty without a public address.
/// "in review".
std::string Words(TaskState state);
std::string TaskUrl(TaskId id, std::string_view public_url);

// --- lines of the timeline that a worker writes
/// What the files of a task are not; nothing when all is there. Also told to the agent and in the
/// pull request.
std::vector<std::string> NotFetched(const std::vector<std::string>& lfs_patterns,
                                    const std::vector<std::string>& submodules);
/// Nobody but `node` can go on from the newest checkpoint.
std::string CheckpointStays(std::string_view node, std::string_view why);
/// The database is older than the branch at the forge.
std::string GoesOnFromBranch(const CommitSha& head);
/// The checkpoint was made elsewhere and cannot be had. `pushed`: an older one is at the forge.
std::string StartsAgain(bool pushed, std::string_view why);

}  // namespace swage::messages
