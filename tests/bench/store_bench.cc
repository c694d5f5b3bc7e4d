// The store alone, without a server or a worker around it.
//
// usage: swage_store_bench deliveries [SECONDS [THREADS [BODY_BYTES]]]
//            durable deliveries a second; each thread adds batches of kBatch, as the server does
//        swage_store_bench claims [ROWS]
//            claims a second over 1,000 rows and over ROWS (1M), while one repository is full
//        swage_store_bench runs [ROWS [THREADS [RUNS]]]
//            claims with their completions a second over 1,000 rows and over ROWS (1M)
//
// In SQLite files of their own, or, with SWAGE_BENCH_POSTGRES=URL, in that database, which must be
// empty and is emptied again.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/sqlite/connection.h"
#include "pipeline/store/store.h"

namespace swage {
namespace {

constexpr std::size_t kBatch = 32;

using SteadyClock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// JSON of the kind that forges send: repeated names, changing values.
std::string MakeBody(std::size_t bytes) {
  std::string body = "{\"action\":\"labeled\"";
  for (int i = 0; body.size() < bytes; ++i) {
    body += ",\"field_url_" + std::to_string(i) +
            "\":\"https://forge.example/api/v3/repos/acme/lib/" + RandomHex(8) + "\"";
  }
  body.resize(bytes - 1);
  return body + "}";
}

template <class T>
T OrExit(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

void OrExit(const Result<void>& result) {
  if (result.ok()) return;
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

/// One database for one measurement.
class Bench {
 public:
  Bench() {
    const char* url = std::getenv("SWAGE_BENCH_POSTGRES");
    options_.url = url == nullptr ? "" : url;
    Clear();
  }
  ~Bench() { Clear(); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  std::unique_ptr<Store> Open() const {
    if (options_.url.empty()) return OrExit(OpenSqliteStore(dir_.path() / "bench.db", clock_));
    return OrExit(OpenPostgresStore(options_, clock_));
  }

  /// `rows` tasks, queued over 100 repositories, put in by one statement because intake is not
  /// measured.
  void FillQueue(long rows) const {
    Open().reset();
    const std::string n = std::to_string(rows);
    Script(
        "BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "INSERT INTO repos (id, forge, forge_repo_id, path) "
        "SELECT i, 'forge', i, 'acme/lib' || i FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        n +
        ") "
        "INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,"
        " requester_login, requester_is_bot, profile, branch, queued_at_us, created_at_us, "
        "updated_at_us) "
        "SELECT i, 1 + i % 100, i, 1, '', 'title', '1', 'alice', 1 = 0, '', 'swage/' || i, i, i, i "
        "FROM n;"
        "INSERT INTO task_texts (task_id, body, hash) SELECT id, 'body', 'hash' FROM tasks;"
        "COMMIT;");
    Script(options_.url.empty() ? "PRAGMA wal_checkpoint(TRUNCATE);" : "ANALYZE;");
  }

 private:
  void Script(const std::string& sql) const {
    if (!options_.url.empty()) {
      const auto db =
          OrExit(postgres::Connection::Open(OrExit(postgres::ParseAddress(options_.url, ""))));
      OrExit(db->Script("SET statement_timeout = 0"));
      return OrExit(db->Script(sql));
    }
    const auto file = dir_.path() / "bench.db";
    OrExit(OrExit(sqlite::Connection::Open(file, sqlite::Connection::Mode::kWriter))->Script(sql));
  }
  void Clear() const {
    if (!options_.url.empty()) Script("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  }

  const TempDir dir_;
  const SystemClock clock_;
  PostgresOptions options_;
};

int MeasureDeliveries(std::chrono::seconds seconds, std::size_t threads, std::size_t body_bytes) {
  const Bench bench;
  const auto store = bench.Open();
  const std::string body = MakeBody(body_bytes);
  std::atomic<bool> stop{false};
  std::atomic<long> failed{0};
  std::vector<std::vector<double>> latencies(threads);
  std::vector<std::thread> pool;
  const double cpu = CpuSeconds();
  const auto begin = SteadyClock::now();
  for (auto& mine : latencies) {
    pool.emplace_back([&] {
      while (!stop) {
        std::vector<NewDelivery> batch;
        for (std::size_t i = 0; i < kBatch; ++i) {
          batch.push_back({"forge", RandomHex(16), "issues", body});
        }
        const auto start = SteadyClock::now();
        if (!store->AddDeliveries(batch).ok()) ++failed;
        mine.push_back(Milliseconds(SteadyClock::now() - start).count());
      }
    });
  }
  std::this_thread::sleep_for(seconds);
  stop = true;
  for (std::thread& thread : pool) thread.join();
  const double elapsed = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  std::vector<double> all;
  for (const auto& mine : latencies) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  const auto count = static_cast<double>(all.size() * kBatch);
  std::printf("figure store_deliveries %.0f 1/s\n", count / elapsed);
  std::printf("figure store_delivery_cpu %.1f us\n", (CpuSeconds() - cpu) / count * 1e6);
  std::printf("figure store_batch_p50 %.2f ms\n", all[all.size() / 2]);
  std::printf("figure store_batch_p99 %.2f ms\n", all[all.size() * 99 / 100]);
  return failed == 0 ? 0 : 1;
}

double ClaimsPerSecond(long rows) {
  constexpr int kThreads = 8;
  constexpr int kClaims = 100;  // by each thread
  const Bench bench;
  bench.FillQueue(rows);
  const auto store = bench.Open();
  const auto begin = SteadyClock::now();
  std::vector<std::thread> pool;
  for (int t = 0; t < kThreads; ++t) {
    pool.emplace_back([&] {
      for (int i = 0; i < kClaims; ++i) {
        // One repository is always full, so that the search has to look past its queue.
        const auto claimed = store->ClaimTask("bench", std::chrono::hours(1), {100'000, 8, 3});
        if (!claimed.ok() || !claimed->has_value()) std::exit(1);
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  return kThreads * kClaims / std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

int MeasureClaims(long rows) {
  const double small = ClaimsPerSecond(1'000);
  const double large = ClaimsPerSecond(rows);
  std::printf("figure store_claims_1k %.0f 1/s\n", small);
  std::printf("figure store_claims_%ld %.0f 1/s\n", rows, large);
  std::printf("ratio claims_1m_vs_1k %.2f\n", large / small);
  return 0;
}

/// Claims each task and ends its run at once.
double RunsPerSecond(long rows, int threads, int runs) {
  const Bench bench;
  bench.FillQueue(rows);
  const auto store = bench.Open();
  RunOutcome outcome;
  outcome.state = TaskState::kFailed;
  outcome.reason = "measured";
  const auto begin = SteadyClock::now();
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      for (int i = 0; i < runs / threads; ++i) {
        const auto claimed =
            OrExit(store->ClaimTask("bench", std::chrono::hours(1), {100'000, 100'000, 3}));
        if (!claimed.has_value()) std::exit(1);
        OrExit(store->FinishRun(claimed->lease, outcome));
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  return runs / std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

int MeasureRuns(long rows, int threads, int runs) {
  const double small = RunsPerSecond(1'000, threads, std::min(runs, 1'000));
  const double large = RunsPerSecond(rows, threads, runs);
  std::printf("figure store_runs_1k %.0f 1/s\n", small);
  std::printf("figure store_runs_%ld %.0f 1/s\n", rows, large);
  std::printf("ratio runs_1m_vs_1k %.2f\n", large / small);
  return 0;
}

long Argument(int argc, char** argv, int at, long fallback) {
  return argc > at ? std::strtol(argv[at], nullptr, 10) : fallback;
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "deliveries") {
    return swage::MeasureDeliveries(
        std::chrono::seconds(swage::Argument(argc, argv, 2, 5)),
        static_cast<std::size_t>(swage::Argument(argc, argv, 3, 4)),
        static_cast<std::size_t>(swage::Argument(argc, argv, 4, 12'288)));
  }
  if (what == "claims") return swage::MeasureClaims(swage::Argument(argc, argv, 2, 1'000'000));
  if (what == "runs") {
    return swage::MeasureRuns(swage::Argument(argc, argv, 2, 1'000'000),
                              static_cast<int>(swage::Argument(argc, argv, 3, 8)),
                              static_cast<int>(swage::Argument(argc, argv, 4, 4'000)));
  }
  std::fprintf(stderr, "usage: swage_store_bench deliveries|claims|runs [...]\n");
  return 2;
}
