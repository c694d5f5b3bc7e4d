#include "tests/soak/checks.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "config/base/text.h"
#include "pipeline/task.h"
#include "tests/harness/left_behind.h"
#include "tests/harness/wait.h"

namespace swage::soak {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUnfinished =
    "(SELECT count(*) FROM deliveries WHERE state = 'pending')"
    " + (SELECT count(*) FROM effects WHERE state = 'pending')"
    " + (SELECT count(*) FROM tasks WHERE state <> 'in_review' OR lease_node <> '')";

// Sessions of a server that has ended go when PostgreSQL notices.
bool SessionsEnd(Field& field) {
  return test::WaitFor([&] {
    return field.Count(
               "count(*) FROM pg_stat_activity WHERE datname = current_database()"
               " AND pid <> pg_backend_pid()") == 0;
  });
}

// Rows of a query that must have none.
void ExpectNone(Field& field, std::string_view what, const std::string& query, Problems& problems) {
  const std::string rows = field.Query(query + " LIMIT 5");
  if (!rows.empty()) problems.push_back(fmt::format("{}: {}", what, rows));
}

void CheckAuditedMoves(Field& field, Problems& problems) {
  const std::string moves = field.Query(
      "SELECT DISTINCT subject FROM audit WHERE action IN ('task.moved', 'task.claimed')");
  for (const std::string_view move : Split(moves, '\n')) {
    const std::size_t arrow = move.find(" > ");
    const auto from = ParseTaskState(move.substr(0, arrow));
    const auto to = arrow == move.npos ? std::nullopt : ParseTaskState(move.substr(arrow + 3));
    // An orphan is claimed again where it is.
    const bool known = from && to && (CanMove(*from, *to) || move == "running > running");
    if (!known) problems.push_back(fmt::format("I12: a task moved {}", move));
  }
}

}  // namespace

bool AtRest(Field& field) {
  return field.box().forge().WaitForWebhooks(std::chrono::milliseconds(0)) &&
         field.Query(fmt::format("SELECT count(*), {} FROM tasks", kUnfinished)) ==
             fmt::format("{}|0", field.opened());
}

std::string WhyNotAtRest(Field& field) {
  return fmt::format(
      "of {} issues, tasks: {}\nnot in review: {}\ndeliveries: {}\neffects: {}\npaces: {}",
      field.opened(), field.Query("SELECT state, count(*) FROM tasks GROUP BY state"),
      field.Query("SELECT id, issue_number, state, stage, reason, epoch, lease_node FROM tasks"
                  " WHERE state <> 'in_review' ORDER BY id LIMIT 20"),
      field.Query("SELECT id, event, attempts, held_by, error FROM deliveries"
                  " WHERE state = 'pending' ORDER BY id LIMIT 10"),
      field.Query("SELECT id, task_id, kind, attempts, held_by, error FROM effects"
                  " WHERE state = 'pending' ORDER BY id LIMIT 20"),
      field.Query("SELECT scope, breaker, cause, pauses, reason FROM paces"));
}

Problems CheckStore(Field& field) {
  Problems problems;
  ExpectNone(field, "I1: two tasks of one issue",
             "SELECT repo, issue_number FROM tasks GROUP BY repo, issue_number HAVING count(*) > 1",
             problems);
  ExpectNone(field, "I2: not in review",
             "SELECT id, state, reason FROM tasks WHERE state <> 'in_review'", problems);
  ExpectNone(field, "an effect is not done",
             "SELECT id, kind, state, error FROM effects"
             " WHERE state NOT IN ('done', 'superseded')",
             problems);
  ExpectNone(field, "a delivery is undecided or parked",
             "SELECT id, event, state, error FROM deliveries WHERE state = 'pending' OR parked",
             problems);
  ExpectNone(field, "a step never ended",
             "SELECT id, kind, node FROM steps WHERE outcome = 'running'", problems);
  ExpectNone(field, "I8: a lease is left",
             "SELECT id, lease_node FROM tasks WHERE lease_node <> ''", problems);
  ExpectNone(field, "I8: a checkpoint is left", "SELECT task_id FROM checkpoints", problems);
  // Each claim has an epoch of its own (and other things raise it, too).
  ExpectNone(field, "I5: two claims under one epoch",
             "SELECT t.id, t.epoch, count(l.id) FROM tasks t LEFT JOIN timeline l"
             " ON l.task_id = t.id AND l.kind = 'claimed' GROUP BY t.id, t.epoch"
             " HAVING count(l.id) > t.epoch",
             problems);
  CheckAuditedMoves(field, problems);
  return problems;
}

Problems CheckNothingLeft(Field& field) {
  Problems problems;
  if (!SessionsEnd(field)) problems.emplace_back("I8: a session of the database is left");
  if (field.Count("count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                  " (SELECT oid FROM pg_database WHERE datname = current_database())") != 0) {
    problems.emplace_back("I8: an advisory lock is left");
  }
  for (const auto& node : field.nodes()) {
    for (std::string& left : test::LeftInDataDir(node->data_dir())) {
      problems.push_back("I8: " + std::move(left));
    }
    if (!node->Get(node->hooks_port(), "/healthz").empty() ||
        !node->Get(node->pages_port(), "/").empty()) {
      problems.push_back("I8: a port of " + node->name() + " still answers");
    }
  }
  for (std::string& left : test::ProcessesOf(field.box().dir())) {
    problems.push_back("I8: " + std::move(left));
  }
  for (const auto& entry : fs::directory_iterator(field.temp_dir())) {
    problems.push_back("I8: a temporary file is left: " + entry.path().string());
  }
  const auto audit = field.box().Run({"audit", "verify"});
  if (audit.code != 0) problems.push_back("I12: " + audit.out + audit.err);
  return problems;
}

}  // namespace swage::soak
