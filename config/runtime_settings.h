// What a task has beside its files, as the server's settings say: ports, databases, secrets,
// caches, ignored files, hooks. A repository's policy may ask for some of it by name; only the
// server grants.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/secret.h"

namespace swage {

/// A block of ports per task, none of which two tasks of one machine share (C5).
struct PortSettings {
  int first = 20'000;  ///< below what Linux gives to outgoing connections
  int last = 29'999;
  int per_task = 10;  ///< 0 = tasks get none
};

/// A secret that single steps may have (C7). Empty lists grant nothing.
struct NamedSecret {
  std::string name;  ///< of the variable
  SecretValue value;
  std::vector<std::string> repos;  ///< globs, the last match decides
  std::vector<std::string> gates;  ///< globs of gates' names
  bool agent = false;
};

/// Where a task gets a database of its own (C6).
struct DatabaseSettings {
  std::string name;
  std::string kind = "postgres";     ///< or "sqlite"
  std::string env = "DATABASE_URL";  ///< the variable that tells the task where it is
  SecretValue admin;                 ///< a postgres:// URL whose role may make databases and roles
  std::string scope = "database";    ///< or "schema": one in the database of `admin`
  std::string source;                ///< the database that new ones are copies of; empty = none
  int connections = 20;              ///< at once, of one task
  std::vector<std::string> repos = {"**"};
};

/// A directory of downloads or results that tasks need not make anew (C8, T30).
struct CacheSettings {
  std::string name;
  std::string env;             ///< the variable that tells the task where it is
  std::string mode = "copy";   ///< or "shared": one for all, which no task can write
  std::filesystem::path path;  ///< kept by the operator; empty = the bot's own, filled by `warm`
  std::vector<std::string> warm;
  std::chrono::milliseconds warm_timeout{std::chrono::minutes(15)};
  std::chrono::milliseconds refresh{std::chrono::hours(24)};
  std::uint64_t limit = std::uint64_t{2} << 30;  ///< a larger one is not handed out
  std::vector<std::string> repos = {"**"};
};

/// A command at a fixed point of a task's life (C9).
struct HookSpec {
  std::vector<std::string> run;  ///< argv, as GateSpec::run
  std::chrono::milliseconds timeout{std::chrono::minutes(5)};
  bool operator==(const HookSpec&) const = default;
};

struct HookSet {
  std::optional<HookSpec> after_create;   ///< the files are there; failing ends the attempt
  std::optional<HookSpec> before_agent;   ///< each time; failing ends the attempt
  std::optional<HookSpec> after_agent;    ///< each time, before its files are taken
  std::optional<HookSpec> before_remove;  ///< the files are about to go
};

/// How full the file system of data_dir may get before things are removed and claiming stops.
struct DiskMark {
  int percent = 95;
  std::uint64_t bytes = 0;  ///< used; when not 0, in place of percent
};

}  // namespace swage
