// One delivery's plan in one transaction: the delivery, its task, its changes and its effects.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/store/asked_threads.h"
#include "pipeline/store/sql/operations.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

struct DeliveryRow {
  std::string state;
  WallTime received{};
};

class PlanApplier {
 public:
  PlanApplier(Tx& tx, const IntakePlan& plan) : tx_(tx), plan_(plan), received_(tx.now) {}

  Result<AppliedPlan> Apply() {
    SWAGE_ASSIGN_OR_RETURN(const bool open, DecideDelivery());
    if (open) {
      SWAGE_ASSIGN_OR_RETURN(const bool fresh, ObeyOnce());
      if (fresh) SWAGE_RETURN_IF_ERROR(CarryOut());
      SWAGE_RETURN_IF_ERROR(Audit(fresh));
    }
    return AppliedPlan{std::move(result_), decided_};
  }

 private:
  Result<void> CarryOut() {
    if (plan_.task.has_value()) SWAGE_RETURN_IF_ERROR(EnsureTask(*plan_.task));
    for (const TaskChange& change : plan_.changes) SWAGE_RETURN_IF_ERROR(Change(change));
    for (const DelegateChange& change : plan_.delegates) {
      SWAGE_RETURN_IF_ERROR(ChangeDelegate(change));
    }
    SWAGE_RETURN_IF_ERROR(AddAll(plan_.effects));
    if (result_.created) SWAGE_RETURN_IF_ERROR(AddAll(plan_.effects_for_new_task));
    return Ok();
  }

  Result<void> Audit(bool fresh) {
    if (plan_.ignored && !plan_.refused && !plan_.parked) return Ok();
    const DeliveryId id = plan_.delivery;
    const bool command = !plan_.command.empty();
    std::string subject = plan_.command;
    if (subject.empty() && id.value != 0) subject = fmt::format("delivery {}", id.value);
    std::string detail = command && !plan_.refused ? "obeyed: " + plan_.outcome : plan_.outcome;
    if (!fresh) detail = "nothing was done: this was obeyed before";
    return AddAudit(tx_, audit::Person(plan_.actor),
                    plan_.parked ? audit::kDeliveryParked
                    : command    ? audit::kCommand
                                 : audit::kDeliveryDecided,
                    task_key_, subject, detail);
  }

  // False when the delivery was decided before: a plan is applied once.
  Result<bool> DecideDelivery() {
    const DeliveryId id = plan_.delivery;
    if (id.value == 0) return true;
    const auto read = [](Row& row) { return DeliveryRow{row.Text(), row.Time()}; };
    SWAGE_ASSIGN_OR_RETURN(const auto row, tx_.db.One("DeliveryState", read, id));
    if (!row.has_value()) {
      return MakeError(ErrorCode::kNotFound, fmt::format("no delivery {}", id.value));
    }
    if (row->state != "pending") return false;
    received_ = row->received;
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("DecideDelivery", id, plan_.ignored ? "ignored" : "done",
                                      timeline::OneLine(plan_.outcome), tx_.now));
    if (plan_.parked) SWAGE_RETURN_IF_ERROR(tx_.db.Post("ParkDelivery", id));
    decided_ = true;
    return true;
  }

  Result<bool> ObeyOnce() {
    if (plan_.command_key.empty()) return true;
    SWAGE_ASSIGN_OR_RETURN(const int added, tx_.db.Run("AddCommand", plan_.command_key, tx_.now));
    return added == 1;
  }

  Result<void> EnsureTask(const NewTask& task) {
    SWAGE_ASSIGN_OR_RETURN(const std::int64_t repo, RepoRow(tx_, task.repo));
    SWAGE_ASSIGN_OR_RETURN(const auto newest,
                           FindTaskByIssue(tx_.db, task.repo, task.issue_number));
    int generation = 1;
    if (newest.has_value()) {
      const bool over = newest->state == TaskState::kMerged || newest->state == TaskState::kClosed;
      if (!over || !task.new_generation) {
        result_.task = newest->id;
        task_key_ = TaskKey(*newest);
        return Ok();
      }
      generation = newest->generation + 1;
    }
    return Create(task, repo, generation);
  }

  Result<void> Create(const NewTask& task, std::int64_t repo, int generation) {
    const std::string branch =
        BranchName(task.branch_prefix, task.issue_number, generation, task.text.title);
    SWAGE_ASSIGN_OR_RETURN(
        result_.task.value,
        tx_.db.Number("AddTask", repo, task.issue_number, generation, task.issue_url,
                      task.text.title, task.requester.id, task.requester.login,
                      task.requester.is_bot, task.profile, branch, tx_.engine_now, tx_.now));
    result_.created = true;
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("AddTaskText", result_.task, task.text.body, task.text.hash));
    if (task.by_label) SWAGE_RETURN_IF_ERROR(tx_.db.Post("SetByLabel", result_.task));
    SWAGE_RETURN_IF_ERROR(AddRemark(result_.task, task.remark, task.requester.login, {}));
    if (!task.base_branch.empty()) {
      SWAGE_RETURN_IF_ERROR(tx_.db.Post("SetWantedBase", result_.task, task.base_branch));
    }
    if (task.priority != Priority::kNormal) {
      SWAGE_RETURN_IF_ERROR(SetPriority(result_.task, task.priority));
    }
    SWAGE_RETURN_IF_ERROR(CountStart(task, repo));
    SWAGE_ASSIGN_OR_RETURN(const Task made, GetTask(tx_.db, result_.task));
    task_key_ = TaskKey(made);
    SWAGE_RETURN_IF_ERROR(AddAudit(tx_, audit::Person(task.requester.login), audit::kTaskCreated,
                                   task_key_, Name(made.state),
                                   fmt::format("text {}", task.text.hash)));
    // The story begins when the delivery came, not when it was decided.
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("AddTimeline", result_.task, received_, timeline::kReceived,
                                      timeline::Received(task.requester.login, generation)));
    return task.waits_for.empty() ? Ok() : WaitFor(made, task);
  }

  Result<void> CountStart(const NewTask& task, std::int64_t repo) {
    constexpr std::chrono::hours kKept{24};
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("DropOldStarts", tx_.now - kKept));
    return tx_.db.Post("AddStart", tx_.now, repo, task.repo.forge, task.requester.id);
  }

  Result<void> WaitFor(const Task& made, const NewTask& task) {
    for (const std::int64_t issue : task.waits_for) {
      SWAGE_RETURN_IF_ERROR(tx_.db.Post("AddDependency", made.id, issue));
    }
    SWAGE_RETURN_IF_ERROR(MoveTask(tx_, made, TaskState::kWaiting, task.waits_reason,
                                   audit::Person(task.requester.login)));
    return AddTimeline(tx_, made.id, timeline::KindOfMove(TaskState::kWaiting),
                       timeline::Moved(TaskState::kWaiting, task.waits_reason));
  }

  Result<void> Change(const TaskChange& change) {
    SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx_, change.task));
    task_key_ = TaskKey(task);
    switch (change.kind) {
      case TaskChangeKind::kRequeue:
        return AskForRun(task, change);
      case TaskChangeKind::kRemark:
        return Remark(task, change);
      case TaskChangeKind::kCancel:
        return End(task, TaskState::kCancelled, change);
      case TaskChangeKind::kClose:
        return End(task, TaskState::kClosed, change);
      case TaskChangeKind::kMerge:
        return End(task, TaskState::kMerged, change);
      case TaskChangeKind::kPause:
        return End(task, TaskState::kWaiting, change);
      case TaskChangeKind::kPrioritize:
        return Prioritize(task, change);
    }
    CheckFailed(__FILE__, __LINE__, "a value outside its enum");
  }

  // A run that is under way takes the text as a remark; so does one that is being published, and is
  // then followed by a run of its own (see RequeueIfRemarked).
  Result<void> AskForRun(const Task& task, const TaskChange& change) {
    if (task.state == TaskState::kQueued || task.state == TaskState::kRunning) {
      return Remark(task, change);
    }
    SWAGE_RETURN_IF_ERROR(AddRemark(task.id, change.remark, change.actor, change.threads));
    if (change.text) {
      SWAGE_RETURN_IF_ERROR(tx_.db.Post("SetTaskTitle", task.id, change.text->title));
      SWAGE_RETURN_IF_ERROR(
          tx_.db.Post("SetTaskText", task.id, change.text->body, change.text->hash));
    }
    if (!change.adopt.value.empty()) {
      SWAGE_RETURN_IF_ERROR(tx_.db.Post("AdoptHead", task.id, change.adopt));
    }
    SWAGE_RETURN_IF_ERROR(tx_.db.Post(change.by_label ? "SetByLabel" : "SetByCommand", task.id));
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("DropDependencies", task.id));
    return Requeue(tx_, task, change.run_kind, change.actor);
  }

  Result<void> Remark(const Task& task, const TaskChange& change) {
    if (task.state != TaskState::kQueued && task.state != TaskState::kRunning) {
      return MakeError(ErrorCode::kConflict, fmt::format("{} is {}: there is no run to remark on",
                                                         TaskKey(task), Name(task.state)));
    }
    if (change.remark.empty()) return Ok();
    SWAGE_RETURN_IF_ERROR(AddRemark(task.id, change.remark, change.actor, change.threads));
    if (change.actor.empty()) return Ok();  // the bot's own
    return AddTimeline(tx_, task.id, timeline::kRemark,
                       timeline::OneLine(fmt::format("remark from @{}", change.actor)));
  }

  Result<void> Prioritize(const Task& task, const TaskChange& change) {
    SWAGE_RETURN_IF_ERROR(SetPriority(task.id, change.priority));
    return AddTimeline(tx_, task.id, timeline::kPrioritized,
                       timeline::Prioritized(change.priority, change.actor));
  }

  Result<void> SetPriority(TaskId task, Priority priority) {
    return tx_.db.Post("SetPriority", task, static_cast<int>(priority));
  }

  Result<void> AddRemark(TaskId task, const std::string& remark, const std::string& actor,
                         const std::vector<AskedThread>& threads) {
    if (remark.empty()) return Ok();
    return tx_.db.Post("AddRemark", task, remark, actor, tx_.now, EncodeThreads(threads));
  }

  Result<void> ChangeDelegate(const DelegateChange& change) {
    SWAGE_RETURN_IF_ERROR(LockTask(tx_, change.task));
    const Delegate& who = change.who;
    if (change.may) {
      SWAGE_RETURN_IF_ERROR(
          tx_.db.Run("AddDelegate", change.task, who.account, who.login, who.by, tx_.now));
    } else {
      SWAGE_RETURN_IF_ERROR(tx_.db.Run("RemoveDelegate", change.task, who.account));
    }
    return AddTimeline(tx_, change.task, timeline::kDelegated, timeline::Delegated(change));
  }

  Result<void> End(const Task& task, TaskState to, const TaskChange& change) {
    if (task.state == to) return Ok();  // two deliveries may say the same
    const std::string by = change.actor.empty() ? "" : fmt::format("by @{}", change.actor);
    const std::string reason = change.reason.empty() ? by : change.reason;
    SWAGE_RETURN_IF_ERROR(MoveTask(tx_, task, to, reason, audit::Person(change.actor)));
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("RaiseEpoch", task.id));
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("SupersedeEffects", task.id, tx_.now));
    SWAGE_RETURN_IF_ERROR(tx_.db.Post("DropDependencies", task.id));
    SWAGE_RETURN_IF_ERROR(
        AddTimeline(tx_, task.id, timeline::KindOfMove(to), timeline::Moved(to, reason)));
    result_.cancelled.push_back(task.id);
    return Ok();
  }

  Result<void> AddAll(const std::vector<NewEffect>& effects) {
    for (const NewEffect& effect : effects) {
      if (effect.task.value != 0) {
        SWAGE_RETURN_IF_ERROR(AddEffect(tx_, effect));
        continue;
      }
      NewEffect tied = effect;
      tied.task = result_.task;
      SWAGE_RETURN_IF_ERROR(AddEffect(tx_, tied));
    }
    return Ok();
  }

  Tx& tx_;
  const IntakePlan& plan_;
  WallTime received_;
  IntakeResult result_;
  std::string task_key_;  ///< of the task that the plan was about, as far as known
  bool decided_ = false;
};

}  // namespace

Result<AppliedPlan> ApplyIntake(Tx& tx, const IntakePlan& plan) {
  return PlanApplier(tx, plan).Apply();
}

}  // namespace swage::sql
