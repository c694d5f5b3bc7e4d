// The store alone, without a server or a worker around it.
//
// usage: swage_store_bench deliveries [SECONDS [THREADS [BODY_BYTES]]]
//            durable deliveries a second; each thread adds batches of kBatch, as the server does
//        swage_store_bench runs [ROWS [SLOTS [RUNS]]]
//            runs a second from claim to completion, of a queue of ROWS, by a node's own scheduler
//            and workers with room for SLOTS tasks
//        swage_store_bench flat [ROWS [WHAT]]
//            the same (runs), claims beside a full repository, and deliveries, with 1,000 rows in
//            the table and with ROWS (1M), in turns; or only WHAT of these
//
// In SQLite files of their own, below TMPDIR, or, with SWAGE_BENCH_POSTGRES=URL, in schemas of that
// database that are made and dropped.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/log.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "pipeline/scheduler.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/sqlite/connection.h"
#include "pipeline/store/store.h"
#include "tests/harness/fake_process.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/plain_isolations.h"

namespace swage {
namespace {

constexpr std::size_t kBatch = 32;
constexpr std::chrono::minutes kPatience{5};

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
  explicit Bench(std::string name) : name_(std::move(name)), dir_("swage-bench-") {
    const char* url = std::getenv("SWAGE_BENCH_POSTGRES");
    if (url == nullptr) return;
    database_ = url;
    options_.url = database_ + (database_.find('?') == std::string::npos ? "?" : "&") +
                   "options=-csearch_path%3D" + name_;
    Clear();
    Run(database_, "CREATE SCHEMA " + name_);
  }
  ~Bench() {
    if (IsPostgres()) Clear();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  bool IsPostgres() const { return !database_.empty(); }
  std::unique_ptr<Store> Open() const {
    if (!IsPostgres()) return OrExit(OpenSqliteStore(dir_.path() / "bench.db", clock_));
    return OrExit(OpenPostgresStore(options_, clock_));
  }

  /// `rows` tasks, queued: every other one in one repository, the rest over 99 others. Put in by
  /// one statement because intake is not measured.
  void FillQueue(long rows) const {
    Open().reset();
    Script(
        "BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "INSERT INTO repos (id, forge, forge_repo_id, path) "
        "SELECT i, 'forge', i, 'acme/lib' || i FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        std::to_string(rows) +
        ") "
        "INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,"
        " requester_login, requester_is_bot, profile, branch, queued_at_us, created_at_us, "
        "updated_at_us) "
        "SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE 2 + (i / 2) % 99 END, i, 1, '', 'title', '1', "
        "'alice', 1 = 0, '', 'swage/' || i, i, i, i FROM n;"
        "INSERT INTO task_texts (task_id, body, hash) SELECT id, 'body', 'hash' FROM tasks;"
        "COMMIT;");
    Settle("tasks");
  }
  /// `rows` deliveries that were decided long ago.
  void FillInbox(long rows) const {
    Open().reset();
    const std::string key = IsPostgres() ? "md5(i::text)" : "lower(hex(randomblob(16)))";
    // No key comes twice, so any hash will do.
    const std::string body = IsPostgres() ? "body" : "hash, body_segment, body_position, body_size";
    Script("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
           std::to_string(rows) +
           ") "
           "INSERT INTO deliveries (forge, key, event, state, received_at_us, not_before_at_us,"
           " decided_at_us, " +
           body + ") SELECT 'forge', " + key + ", 'issues', 'done', i, i, i, " +
           (IsPostgres() ? "''" : "random(), 0, 0, 0") + " FROM n;");
    Settle("deliveries");
  }
  /// All tasks are as FillQueue left them.
  void Requeue() const {
    Script(
        "UPDATE tasks SET state = 'queued', stage = 'none', lease_node = '', lease_expires_at_us "
        "= 0, attempt = 0 WHERE state IN ('running', 'failed');");
    Settle("tasks");
  }

 private:
  // What a server does by itself sooner or later.
  void Settle(const char* table) const {
    Script(IsPostgres() ? std::string("VACUUM ANALYZE ") + table
                        : "PRAGMA wal_checkpoint(TRUNCATE);");
  }
  void Script(const std::string& sql) const {
    if (IsPostgres()) return Run(options_.url, sql);
    const auto file = dir_.path() / "bench.db";
    OrExit(OrExit(sqlite::Connection::Open(file, sqlite::Connection::Mode::kWriter))->Script(sql));
  }
  static void Run(const std::string& url, const std::string& sql) {
    const auto db = OrExit(postgres::Connection::Open(OrExit(postgres::ParseAddress(url, ""))));
    OrExit(db->Script("SET statement_timeout = 0"));
    OrExit(db->Script(sql));
  }
  void Clear() const { Run(database_, "DROP SCHEMA IF EXISTS " + name_ + " CASCADE"); }

  const std::string name_;
  const TempDir dir_;
  const SystemClock clock_;
  std::string database_;
  PostgresOptions options_;
};

int MeasureDeliveries(std::chrono::seconds seconds, std::size_t threads, std::size_t body_bytes) {
  const Bench bench("bench");
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

/// `work(thread)`, so many times on each of so many threads: how often a second.
double PerSecond(int threads, int times, const std::function<void()>& work) {
  const auto begin = SteadyClock::now();
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      for (int i = 0; i < times; ++i) work();
    });
  }
  for (std::thread& thread : pool) thread.join();
  return threads * times / std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

/// Never asked: a run whose forge is not in the settings ends before its agent begins.
class NoAgent final : public Agent {
  Result<AgentResult> Run(ProcessRunner&, const CommandContext&, const std::filesystem::path&,
                          const ProcessRunner::Sink&, std::stop_token) override {
    return MakeError(ErrorCode::kInternal, "nobody should have called");
  }
};

/// A node's scheduler and workers, as `swage serve` has them, with `slots` tasks at once, until
/// `runs` runs have ended: how many a second. A run does nothing: it fails because no forge is
/// known, with a status comment for the outbox.
double RunsPerSecond(Store& store, int slots, int runs) {
  Settings settings;
  settings.concurrent_tasks = slots;
  settings.concurrent_tasks_per_repo = slots;
  const Redactor redactor;
  Log log(LogLevel::kWarn, "text", redactor);
  const SystemClock clock;
  FakeWorkspaces workspaces;
  NoAgent agent;
  FakeProcessRunner processes;
  Isolations isolations = PlainIsolations(processes);
  std::atomic<int> ended{0};
  std::promise<void> done;
  Scheduler scheduler({store, workspaces, agent, isolations,
                       [](std::string_view) -> Forge* { return nullptr; }, settings, redactor, log},
                      clock, "bench", [&] {
                        if (++ended == runs) done.set_value();
                      });
  const auto begin = SteadyClock::now();
  scheduler.Start();
  if (done.get_future().wait_for(kPatience) != std::future_status::ready) {
    std::fprintf(stderr, "only %d of %d runs have ended\n", ended.load(), runs);
    std::exit(1);
  }
  const double elapsed = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  scheduler.StopClaiming();
  scheduler.Shutdown();
  return runs / elapsed;
}

int MeasureRuns(long rows, int slots, int runs) {
  const Bench bench("bench");
  bench.FillQueue(rows);
  std::printf("figure store_runs %.0f 1/s\n", RunsPerSecond(*bench.Open(), slots, runs));
  return 0;
}

// --- flat

constexpr int kRounds = 5;
constexpr int kThreads = 4;
constexpr int kAtOnce = 4;     // claims of a node that was idle
constexpr int kBatches = 300;  // of deliveries, by each thread: rounds of a second, not a blink

struct Side {
  Side(const std::string& name, long row_count) : bench(name), rows(row_count) {}
  const Bench bench;
  const long rows;
  std::unique_ptr<Store> store;
  std::vector<double> rates;
  double Median() {
    std::sort(rates.begin(), rates.end());
    return rates[rates.size() / 2];
  }
};

struct Flat {
  long rows;
  std::string only;  ///< empty: all
};

void Compare(const Flat& flat, const std::string& what, const std::function<void(Side&)>& prepare,
             const std::function<double(Store&)>& measure,
             const std::function<void(const Bench&)>& tidy) {
  if (!flat.only.empty() && flat.only != what) return;
  const long rows = flat.rows;
  Side small("small_" + what, 1'000), large("large_" + what, rows);
  for (Side* side : {&small, &large}) {
    prepare(*side);
    side->store = side->bench.Open();
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Side* side : {&small, &large}) {
      side->rates.push_back(measure(*side->store));
      tidy(side->bench);
    }
  }
  const char* engine = small.bench.IsPostgres() ? "postgres" : "sqlite";
  std::printf("figure %s_%s_1k %.0f 1/s\n", engine, what.c_str(), small.Median());
  std::printf("figure %s_%s_%ldk %.0f 1/s\n", engine, what.c_str(), rows / 1'000, large.Median());
  std::printf("ratio %s_%s_%ldk_vs_1k %.2f\n", engine, what.c_str(), rows / 1'000,
              large.Median() / small.Median());
  std::fflush(stdout);
}

int MeasureFlat(const Flat& flat) {
  const auto fill_queue = [](Side& side) { side.bench.FillQueue(side.rows); };
  const auto requeue = [](const Bench& bench) { bench.Requeue(); };
  Compare(
      flat, "runs", fill_queue,
      [](Store& store) { return RunsPerSecond(store, Settings().concurrent_tasks, 800); }, requeue);
  // The first claims fill the repository that has half of the queue; all others look past it.
  Compare(
      flat, "claims", fill_queue,
      [](Store& store) {
        const ClaimLimits limits{100'000, 4, 3};
        return kAtOnce * PerSecond(kThreads, 25, [&] {
                 const auto claimed =
                     OrExit(store.ClaimTasks("bench", std::chrono::hours(1), limits, kAtOnce));
                 if (std::ssize(claimed) < kAtOnce) std::exit(1);
               });
      },
      requeue);
  const std::string body = MakeBody(12'288);
  Compare(
      flat, "deliveries", [](Side& side) { side.bench.FillInbox(side.rows); },
      [&](Store& store) {
        return kBatch * PerSecond(kThreads, kBatches, [&] {
                 std::vector<NewDelivery> batch;
                 for (std::size_t i = 0; i < kBatch; ++i) {
                   batch.push_back({"forge", RandomHex(16), "issues", body});
                 }
                 for (const bool fresh : OrExit(store.AddDeliveries(batch))) {
                   if (!fresh) std::exit(1);
                 }
               });
      },
      [](const Bench&) {});
  return 0;
}

long NumberAt(int argc, char** argv, int at, long fallback) {
  return argc > at ? std::strtol(argv[at], nullptr, 10) : fallback;
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "deliveries") {
    return swage::MeasureDeliveries(
        std::chrono::seconds(swage::NumberAt(argc, argv, 2, 5)),
        static_cast<std::size_t>(swage::NumberAt(argc, argv, 3, 4)),
        static_cast<std::size_t>(swage::NumberAt(argc, argv, 4, 12'288)));
  }
  if (what == "runs") {
    return swage::MeasureRuns(swage::NumberAt(argc, argv, 2, 4'000),
                              static_cast<int>(swage::NumberAt(argc, argv, 3, 4)),
                              static_cast<int>(swage::NumberAt(argc, argv, 4, 4'000)));
  }
  if (what == "flat") {
    return swage::MeasureFlat({swage::NumberAt(argc, argv, 2, 1'000'000), argc > 3 ? argv[3] : ""});
  }
  std::fprintf(stderr, "usage: swage_store_bench deliveries|runs|flat [...]\n");
  return 2;
}
