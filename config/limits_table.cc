#include "config/limits_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "config/base/text.h"
#include "config/egress_list.h"

namespace swage {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kTiB = std::size_t{1} << 40;
constexpr std::size_t kMaxHosts = 200;
constexpr std::size_t kMaxDecimals = 2;

// What the two tables differ in.
struct Words {
  std::string_view memory;
  std::string_view fallback;  // where the default is another file's
  std::string_view cpu_fallback;
};

constexpr Words kServerWords = {
    "What one command of a task (the agent, a gate) may use with all that it starts; more of it "
    "kills the command, and the pull request says so. `swage doctor isolation` tells which limits "
    "are kept on this machine, and by what.",
    "", "no limit"};
constexpr Words kPolicyWords = {
    "Lowers what the server allows a command, as all of `isolation.limits` does here; more than "
    "the server's is no more.",
    "the server's", "the server's"};

template <class T, class Get>
std::vector<Setting<T>> LimitsTable(const Words& words, Get limits) {
  return {
      Declare<T>(
          {.path = "isolation.limits.memory",
           .manual = words.memory,
           .example = "4GiB",
           .fallback = words.fallback},
          SizeRule{64 * kMiB, 64 * kTiB},
          [limits](auto& t) -> auto& { return limits(t).memory_bytes; }),
      Declare<T>(
          {.path = "isolation.limits.processes",
           .manual = "Processes and threads at once.",
           .example = "512",
           .fallback = words.fallback},
          IntRule{16, 1'000'000}, [limits](auto& t) -> auto& { return limits(t).processes; }),
      Declare<T>(
          {.path = "isolation.limits.cpus",
           .manual = "CPU time, in cores. Needs control groups.",
           .example = "1.5",
           .fallback = words.cpu_fallback},
          CoresRule{0.1, 4'096}, [limits](auto& t) -> auto& { return limits(t).cpus; }),
      Declare<T>(
          {.path = "isolation.limits.disk",
           .manual = "What the task's folders (checkout, HOME, TMPDIR) may hold in all.",
           .example = "10GiB",
           .fallback = words.fallback},
          SizeRule{kMiB, 64 * kTiB}, [limits](auto& t) -> auto& { return limits(t).disk_bytes; }),
      Declare<T>(
          {.path = "isolation.limits.file",
           .manual = "The largest single file that may be written.",
           .example = "1GiB",
           .fallback = words.fallback},
          SizeRule{kMiB, 64 * kTiB}, [limits](auto& t) -> auto& { return limits(t).file_bytes; }),
      Declare<T>(
          {.path = "isolation.limits.open_files",
           .manual = "Open files of one process.",
           .example = "1024",
           .fallback = words.fallback},
          IntRule{64, 1'000'000}, [limits](auto& t) -> auto& { return limits(t).open_files; }),
  };
}

bool IsEgressEntry(std::string_view text) {
  return EgressList::Parse({std::string(text)}).ok();
}

ListRule HostsRule() {
  return {{.kind = "HOST or HOST:PORT (without a port: 443), *.HOST, an address or a network such "
                   "as 10.1.0.0/16",
           .max_bytes = 300,
           .valid = IsEgressEntry},
          kMaxHosts};
}

}  // namespace

std::string CoresRule::Describe() const {
  return fmt::format("number of cores, {} to {}", min, max);
}

std::string CoresRule::Show(double value) const {
  return fmt::format("{}", value);
}

std::optional<double> CoresRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a number of cores", spot);
  if (text == nullptr) return std::nullopt;
  const std::size_t point = std::min(text->find('.'), text->size());
  const auto whole = ParseInt(std::string_view(*text).substr(0, point));
  std::string decimals = point < text->size() ? text->substr(point + 1) : "0";
  const bool fine =
      decimals.size() <= kMaxDecimals && decimals.find_first_not_of("0123456789") == decimals.npos;
  decimals.resize(kMaxDecimals, '0');
  const auto hundredths = ParseInt(decimals);
  if (!whole || !hundredths || !fine) {
    spot.Fault(Quoted(*text) + " is not a number of cores");
    return std::nullopt;
  }
  const double value = static_cast<double>(*whole) + static_cast<double>(*hundredths) / 100;
  if (value >= min && value <= max) return value;
  spot.Fault(fmt::format("{} is out of bounds; {} to {} is allowed", Quoted(*text), min, max));
  return std::nullopt;
}

std::vector<Setting<Settings>> LimitsServerTable() {
  auto table = LimitsTable<Settings>(
      kServerWords, [](auto& s) -> auto& { return s.task_limits; });
  std::vector<Setting<Settings>> egress = {
      Declare<Settings>(
          {.path = "egress.allow",
           .manual =
               "Hosts that agents may reach where their level keeps the network from them "
               "(`sandbox`, `container`), beside those of `egress.preset_hosts`. Addresses of "
               "private networks are refused, also as what a name resolves to, unless they or "
               "their network stand here.",
           .example = "[registry.npmjs.org, \"*.pythonhosted.org\", \"git.example.com:8443\"]"},
          HostsRule(), [](auto& s) -> auto& { return s.egress.allow; }),
      Declare<Settings>(
          {.path = "egress.may_allow",
           .manual = "Hosts that a repository's policy may add to its own tasks; `egress.allow` of "
                     "a policy has no effect beyond these.",
           .example = "[\"*.golang.org\", static.crates.io]"},
          HostsRule(), [](auto& s) -> auto& { return s.egress.may_allow; }),
      Declare<Settings>(
          {.path = "egress.preset_hosts",
           .manual = "Whether the agent's preset adds the hosts of its model.",
           .example = "false"},
          BoolRule{}, [](auto& s) -> auto& { return s.egress.preset_hosts; }),
  };
  std::ranges::move(egress, std::back_inserter(table));
  return table;
}

std::vector<Setting<RepoPolicy>> LimitsPolicyTable() {
  auto table = LimitsTable<RepoPolicy>(
      kPolicyWords, [](auto& p) -> auto& { return p.limits; });
  table.push_back(Declare<RepoPolicy>(
      {.path = "egress.allow",
       .manual = "Further hosts that the agent, and gates with `network: true`, may reach, as far "
                 "as the server's `egress.may_allow` goes.",
       .example = "[proxy.golang.org]"},
      HostsRule(), [](auto& p) -> auto& { return p.egress_allow; }));
  return table;
}

}  // namespace swage
