// The store alone, without a server or a worker around it.
//
// usage: swage_store_bench deliveries [SECONDS [THREADS [BODY_BYTES]]]
//            durable deliveries a second; each thread adds batches of kBatch, as the server does
//        swage_store_bench claims [ROWS]
//            claims a second over 1,000 rows and over ROWS (1M)
#include <sqlite3.h>
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

std::unique_ptr<Store> OpenOrExit(const std::filesystem::path& file, const Clock& clock) {
  auto store = OpenSqliteStore(file, clock);
  if (store.ok()) return std::move(store).value();
  std::fprintf(stderr, "%s\n", store.error().message.c_str());
  std::exit(1);
}

int MeasureDeliveries(std::chrono::seconds seconds, std::size_t threads, std::size_t body_bytes) {
  const TempDir dir;
  const SystemClock clock;
  const auto store = OpenOrExit(dir.path() / "bench.db", clock);
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

/// `rows` tasks, queued over 100 repositories, put in by one statement because intake is not
/// measured.
void FillQueue(const std::filesystem::path& file, long rows) {
  const std::string n = std::to_string(rows);
  const std::string script =
      "BEGIN;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
      "INSERT INTO repos SELECT i, 'forge', i, 'acme/lib' || i FROM n;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
      n +
      ") "
      "INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,"
      " requester_login, requester_is_bot, profile, branch, queued_at_us, created_at_us, "
      "updated_at_us) "
      "SELECT i, 1 + i % 100, i, 1, '', 'title', '1', 'alice', 0, '', 'swage/' || i, i, i, i FROM "
      "n;"
      "INSERT INTO task_texts SELECT id, 'body', 'hash' FROM tasks;"
      "COMMIT; PRAGMA wal_checkpoint(TRUNCATE);";
  sqlite3* db = nullptr;
  const bool filled = sqlite3_open(file.c_str(), &db) == SQLITE_OK &&
                      sqlite3_exec(db, script.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  if (!filled) std::fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  sqlite3_close(db);
  if (!filled) std::exit(1);
}

double ClaimsPerSecond(long rows) {
  constexpr int kThreads = 8;
  constexpr int kClaims = 100;  // by each thread
  const TempDir dir;
  const SystemClock clock;
  const auto file = dir.path() / "bench.db";
  OpenOrExit(file, clock).reset();
  FillQueue(file, rows);
  const auto store = OpenOrExit(file, clock);
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
  std::fprintf(stderr, "usage: swage_store_bench deliveries|claims [...]\n");
  return 2;
}
