// Writer: the one thread that writes, with group commit.
//
// Callers hand in work and block. The thread takes what has gathered, runs each piece in a
// savepoint of its own inside one transaction, commits once (one disk sync for all), then wakes the
// callers: what they see as ok is on disk. One piece that fails is rolled back alone. A batch of
// logged and fleeting work only is not synced: the body log holds what it wrote, or nobody needs
// it. The queue is bounded; a full one refuses at once, so that a stalled disk becomes a 503
// instead of a pile of threads.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "pipeline/store/sqlite/connection.h"

namespace swage::sqlite {

class Writer {
 public:
  static constexpr std::size_t kMaxQueued = 1024;
  static constexpr std::size_t kMaxBatch = 256;

  enum class Kind {
    kPlain,
    /// Rows of the body log. Its only failures are those of the disk, so it does without a
    /// savepoint and fails with its whole batch.
    kLogged,
    /// What nobody misses after a power cut: who holds what, for the next seconds.
    kFleeting,
  };

  /// `on_commit` runs on the writer thread after each commit, outside of any transaction.
  Writer(std::unique_ptr<Connection> db, std::function<void(Connection&)> on_commit);
  /// Finishes what was handed in.
  ~Writer();

  /// Runs `work(Connection&) -> Result<T>` and returns its result when it is on disk (kPlain) or
  /// committed (the others). Errors
  /// besides the work's own: kUnavailable (queue full, locked, disk full; nothing was written).
  template <class Work>
  auto Run(Kind kind, Work&& work) -> std::invoke_result_t<Work, Connection&>;

 private:
  /// Lives on the caller's stack while it waits.
  struct Job {
    explicit Job(Kind k) : kind(k) {}
    virtual ~Job() = default;
    virtual Result<void> Apply(Connection& db) = 0;

    const Kind kind;
    Result<void> result;
    std::mutex mutex;
    std::condition_variable done_signal;
    bool done = false;
  };

  Result<void> SubmitAndWait(Job& job);
  void Loop();
  void CommitBatch(const std::vector<Job*>& batch);
  /// Sets each job's own result; an error means that the batch is lost as a whole.
  Result<void> ApplyAll(const std::vector<Job*>& batch);
  Result<void> ApplyOne(Job& job);

  std::unique_ptr<Connection> db_;
  const std::function<void(Connection&)> on_commit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job*> queue_;
  bool idle_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

template <class Work>
auto Writer::Run(Kind kind, Work&& work) -> std::invoke_result_t<Work, Connection&> {
  using R = std::invoke_result_t<Work, Connection&>;
  struct TypedJob final : Job {
    TypedJob(Kind k, Work& w) : Job(k), work(w) {}
    Result<void> Apply(Connection& db) override {
      outcome.emplace(work(db));
      if (outcome->ok()) return Ok();
      return outcome->error();
    }
    Work& work;
    std::optional<R> outcome;
  };
  TypedJob job(kind, work);
  const Result<void> result = SubmitAndWait(job);
  if (!result.ok()) return result.error();
  return std::move(*job.outcome);
}

}  // namespace swage::sqlite
