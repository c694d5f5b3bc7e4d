// Both ends of the ingest benchmark.
//
// swage_ingest_bench serve store DIR | URL
//     the webhook server over a new SQLite store in DIR, or over an empty PostgreSQL database
// swage_ingest_bench serve verify
//     the same server, which checks the signature and keeps nothing
// swage_ingest_bench load PORT PATH CONNECTIONS
//     posts 12 KB issue events: prints RATE P50_MS P99_MS REFUSED
//
// A server prints its port and serves until its input ends. All use kSecret, the peer too.
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bot/webhook/webhook_server.h"
#include "config/base/redact.h"
#include "config/base/text.h"
#include "forge/github/webhook.h"
#include "tests/bench/load_generator.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

constexpr const char* kSecret = "bench secret";
constexpr std::size_t kBodyBytes = 12 << 10;

class ForgetfulStore final : public StubStore {
 public:
  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    return std::vector<bool>(deliveries.size(), true);
  }
};

// An issue event of the usual shape and size: mostly addresses and prose.
std::string IssueEvent() {
  const auto user = [](const std::string& login) {
    const std::string url = "https://api.github.example/users/" + login;
    return "{\"login\":\"" + login + "\",\"id\":1024,\"type\":\"User\",\"url\":\"" + url +
           "\",\"followers_url\":\"" + url + "/followers\",\"gists_url\":\"" + url +
           "/gists{/gist_id}\",\"repos_url\":\"" + url + "/repos\",\"site_admin\":false}";
  };
  std::string repo =
      "{\"id\":77,\"name\":\"textkit\",\"full_name\":\"acme/textkit\",\"private\":false,"
      "\"owner\":" +
      user("acme");
  for (const char* part : {"forks",     "keys",       "hooks",        "events",      "assignees",
                           "branches",  "tags",       "blobs",        "trees",       "statuses",
                           "languages", "stargazers", "contributors", "subscribers", "commits",
                           "comments",  "contents",   "compare",      "merges",      "archive",
                           "downloads", "issues",     "pulls",        "milestones",  "labels"}) {
    repo += ",\"" + std::string(part) + "_url\":\"https://api.github.example/repos/acme/textkit/" +
            part + "{/id}\"";
  }
  repo += ",\"default_branch\":\"main\"}";
  const std::string label = "{\"id\":5,\"name\":\"swage\",\"color\":\"ededed\",\"default\":false}";
  std::string event = "{\"action\":\"labeled\",\"label\":" + label + ",\"repository\":" + repo +
                      ",\"sender\":" + user("mira") +
                      ",\"issue\":{\"id\":9,\"number\":128,\"title\":"
                      "\"count: the last line is lost\",\"state\":\"open\",\"labels\":[" +
                      label + "],\"user\":" + user("mira") + ",\"body\":\"";
  const std::string end = "\"}}";
  // Words in an order of no pattern: repeated sentences would flatter whoever compresses.
  constexpr std::array<std::string_view, 16> kWords = {
      "the ", "parser ", "loses ", "a line ", "when ",    "file ",   "ends ",  "without ",
      "new ", "line ",   "count ", "wrong ",  "expects ", "buffer ", "empty ", "should "};
  for (std::uint32_t n = 1; event.size() + 16 + end.size() <= kBodyBytes;) {
    n = n * 1'664'525 + 1'013'904'223;
    event += kWords[n >> 28];
  }
  event.append(kBodyBytes - event.size() - end.size(), '.');
  return event + end;
}

int Serve(Store& store, const Clock& clock) {
  const Redactor redactor;
  Log log(LogLevel::kError, "text", redactor);
  Settings settings;
  settings.listen = "127.0.0.1:0";
  settings.forges.resize(1);
  settings.forges[0].name = "github";
  settings.forges[0].webhook_secret.value = kSecret;
  const std::unique_ptr<WebhookDialect> dialect = MakeGitHubDialect();
  Health health(store, clock);
  WebhookServer server(settings, {{"github", dialect.get()}}, store, health, clock, log, [] {});
  if (const Result<void> started = server.Start(); !started.ok()) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("%d\n", server.Port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

Result<std::unique_ptr<Store>> OpenStore(const std::string& where, const Clock& clock) {
  if (!where.starts_with("postgres:")) {
    return OpenSqliteStore(std::filesystem::path(where) / "swage.db", clock);
  }
  PostgresOptions options;
  options.url = where;
  return OpenPostgresStore(options, clock);
}

int ServeStore(const std::string& where) {
  const SystemClock clock;
  const Result<std::unique_ptr<Store>> store = OpenStore(where, clock);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  return Serve(**store, clock);
}

int ServeVerify() {
  const SystemClock clock;
  ForgetfulStore store;
  return Serve(store, clock);
}

int Load(std::string_view port, const std::string& path, std::string_view connections) {
  LoadPlan plan;
  plan.port = static_cast<int>(ParseInt(port).value_or(0));
  plan.path = path;
  plan.connections = static_cast<int>(ParseInt(connections).value_or(1));
  plan.secret = kSecret;
  plan.body = IssueEvent();
  const Result<LoadReport> report = RunLoad(plan);
  if (!report.ok()) {
    std::fprintf(stderr, "%s\n", report.error().message.c_str());
    return 1;
  }
  std::printf("%.0f %.2f %.2f %lld\n", report->per_second, report->p50_ms, report->p99_ms,
              static_cast<long long>(report->refused));
  return 0;
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  const auto arg = [&](int i) { return i < argc ? std::string(argv[i]) : std::string(); };
  if (arg(1) == "serve" && arg(2) == "store" && argc == 4) return swage::ServeStore(arg(3));
  if (arg(1) == "serve" && arg(2) == "verify") return swage::ServeVerify();
  if (arg(1) == "load" && argc == 5) return swage::Load(arg(2), arg(3), arg(4));
  std::fprintf(stderr,
               "usage: swage_ingest_bench serve store DIR|URL | serve verify | load PORT PATH "
               "CONNECTIONS\n");
  return 2;
}
