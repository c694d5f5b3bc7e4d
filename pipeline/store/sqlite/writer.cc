#include "pipeline/store/sqlite/writer.h"

#include <algorithm>
#include <utility>

namespace swage::sqlite {

Writer::Writer(std::unique_ptr<Connection> db, std::function<void(Connection&)> on_commit)
    : db_(std::move(db)), on_commit_(std::move(on_commit)), thread_([this] { Loop(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<void> Writer::SubmitAndWait(Job& job) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= kMaxQueued) {
      return MakeError(ErrorCode::kUnavailable, "too many writes are waiting for the disk");
    }
    queue_.push_back(&job);
    wake = std::exchange(idle_, false);
  }
  if (wake) wake_.notify_one();
  std::unique_lock lock(job.mutex);
  job.done_signal.wait(lock, [&] { return job.done; });
  return std::move(job.result);
}

void Writer::Loop() {
  std::vector<Job*> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      while (queue_.empty() && !stopping_) {
        idle_ = true;
        wake_.wait(lock);
      }
      idle_ = false;
      if (queue_.empty()) return;
      const std::size_t n = std::min(queue_.size(), kMaxBatch);
      batch.assign(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
    }
    CommitBatch(batch);
    on_commit_(*db_);
  }
}

void Writer::CommitBatch(const std::vector<Job*>& batch) {
  const Result<void> committed = ApplyAll(batch);
  for (Job* job : batch) {
    if (!committed.ok()) job->result = committed.error();
    // Signalled under the lock: the job is gone as soon as its owner can see `done`.
    const std::lock_guard lock(job->mutex);
    job->done = true;
    job->done_signal.notify_one();
  }
}

Result<void> Writer::ApplyAll(const std::vector<Job*>& batch) {
  const bool sync = std::any_of(batch.begin(), batch.end(),
                                [](const Job* job) { return job->kind == Kind::kPlain; });
  SWAGE_RETURN_IF_ERROR(db_->SyncCommits(sync));
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*db_));
  for (Job* job : batch) {
    job->result = ApplyOne(*job);
    if (job->result.ok()) continue;
    if (job->kind == Kind::kLogged || !db_->InTransaction()) return job->result.error();
  }
  return transaction.Commit();
}

Result<void> Writer::ApplyOne(Job& job) {
  if (job.kind == Kind::kLogged) return job.Apply(*db_);
  SWAGE_ASSIGN_OR_RETURN(Savepoint savepoint, Savepoint::Begin(*db_));
  SWAGE_RETURN_IF_ERROR(job.Apply(*db_));
  return savepoint.Release();
}

}  // namespace swage::sqlite
