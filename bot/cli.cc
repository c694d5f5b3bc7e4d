#include "bot/cli.h"

#include <CLI/CLI.hpp>
#include <ostream>

#include "bot/config_check.h"
#include "bot/isolation_doctor.h"
#include "bot/operator/audit_commands.h"
#include "bot/operator/run_command.h"
#include "bot/operator/task_commands.h"
#include "config/base/text.h"
#include "config/rules.h"
#include "config/settings.h"
#include "pipeline/agent.h"

namespace swage {
namespace {

constexpr const char* kAbout =
    "Swage: a labelled issue becomes a workspace, an agent's change, passed gates and one pull "
    "request.";
constexpr const char* kFooter =
    "Exit codes: 0 done; 1 it did not work, stderr says why; 2 the command line or the settings "
    "are "
    "wrong.";

// CLI11 reports through exceptions, also for --help; they end here.
class Parser {
 public:
  explicit Parser(const CliActions& actions) : actions_(actions) {
    app_.name("swage");
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.set_version_flag("--version", std::string("swage ") + SWAGE_VERSION);
    AddServe();
    AddConfig();
    AddTasks();
    AddAudit();
    AddClean();
    AddDoctor();
    AddDemo();
    version_ = app_.add_subcommand("version", "Print the version.");
  }

  int Run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    if (argc < 2) {
      err << app_.help();
      return kExitUsage;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return app_.exit(e, out, err) == 0 ? kExitOk : kExitUsage;
    }
    if (*serve_) return actions_.serve(serve_options_);
    if (*demo_) return RunDemo(err);
    if (*check_) return CheckConfig(check_file_, actions_.look_at_store, out, err);
    if (*tasks_) return ListTasksCommand(tasks_options_, actions_.store, out, err);
    if (*parked_) return ListParkedCommand(tasks_options_, actions_.store, out, err);
    if (*show_) return ShowTaskCommand(task_options_, actions_.store, out, err);
    if (*run_) return RunIssueCommand(run_options_, actions_.store, out, err);
    if (*retry_) return RetryTaskCommand(task_options_, actions_.store, out, err);
    if (*stop_) return StopTaskCommand(task_options_, actions_.store, out, err);
    if (*verify_) return VerifyAudit(verify_options_, actions_.store, out, err);
    if (*export_) return ExportAudit(export_options_, actions_.store, out, err);
    if (*clean_) {
      return CleanCommand(clean_options_, actions_.store.observe, actions_.make_workspaces, out,
                          err);
    }
    if (*doctor_isolation_) return DoctorIsolation(doctor_options_, out, err);
    if (*doctor_forges_) return DoctorForges(forges_config_, actions_.make_forge, out, err);
    if (*reference_) out << SettingsReference();
    if (*version_) out << "swage " << SWAGE_VERSION << "\n";
    return kExitOk;
  }

 private:
  void AddServe() {
    serve_ = app_.add_subcommand("serve", "Serve webhooks and work on tasks until told to stop.");
    serve_->add_option("-c,--config", serve_options_.config, "The settings file")
        ->required()
        ->envname("SWAGE_CONFIG");
    serve_
        ->add_option("--roles", serve_options_.roles,
                     "What this process does, out of web,worker,publisher,housekeeping; default: "
                     "node.roles of the settings, which is all")
        ->delimiter(',')
        ->check(CLI::IsMember(
            std::vector<std::string>{std::string(kRoleWeb), std::string(kRoleWorker),
                                     std::string(kRolePublisher), std::string(kRoleHousekeeping)}));
    serve_->add_option("--node", serve_options_.node,
                       "Its name among the processes on one database; default: node.name of the "
                       "settings, which is the host's name");
    serve_->footer("SIGTERM and SIGINT stop it in an orderly way. " + std::string(kFooter));
  }

  void AddConfig() {
    CLI::App* config = app_.add_subcommand("config", "Look at settings.");
    config->require_subcommand(1);
    check_ =
        config->add_subcommand("check", "Say what a settings file means, and what is wrong in it.");
    check_->add_option("FILE", check_file_, "The settings file")
        ->envname("SWAGE_CONFIG")
        ->capture_default_str();
    check_->footer(
        "Exit codes: 0 it can be used; 1 it is right, but the agent's command is not there; 2 it "
        "has "
        "mistakes.");
    reference_ =
        config->add_subcommand("reference", "Print the manual of all settings (Markdown).");
  }

  static void AddConfigFile(CLI::App* command, std::filesystem::path& file) {
    command->add_option("-c,--config", file, "The server's settings file")
        ->required()
        ->envname("SWAGE_CONFIG");
  }

  void AddTasks() {
    tasks_ = app_.add_subcommand("tasks", "List tasks, newest first.");
    AddConfigFile(tasks_, tasks_options_.config);
    tasks_->add_option("--state", tasks_options_.state, "Only those in this state");
    tasks_->add_option("--repo", tasks_options_.repo, "Only those of this repository (acme/lib)");
    tasks_->add_option("--limit", tasks_options_.limit, "At most so many")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    tasks_->add_flag("--json", tasks_options_.json, "One JSON object a line");
    parked_ = app_.add_subcommand(
        "parked", "List what was given up: deliveries, and writes that a forge refused.");
    AddConfigFile(parked_, tasks_options_.config);
    parked_->add_option("--limit", tasks_options_.limit, "At most so many of each")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    parked_->add_flag("--json", tasks_options_.json, "One JSON object a line");
    show_ = AddTaskCommand("show", "Tell all about one task: steps, logs, history.");
    show_->add_flag("--json", task_options_.json, "One JSON object");
    run_ = app_.add_subcommand("run", "Hand an issue to the bot, as its label would.");
    AddConfigFile(run_, run_options_.config);
    run_->add_option("ISSUE", run_options_.issue,
                     "Its URL, or FORGE/OWNER/NAME#NUMBER (hub/acme/lib#12)")
        ->required();
    run_->add_option("--profile", run_options_.profile,
                     "A profile of the repository's policy, as the label LABEL:PROFILE");
    run_->footer("Beside a running server it asks that one. " + std::string(kFooter));
    retry_ = AddTaskCommand("retry", "Queue a failed, cancelled or waiting task again.");
    stop_ = AddTaskCommand("stop", "Cancel a task.");
    for (CLI::App* command : {retry_, stop_}) {
      command->footer(
          "Beside a running server this works with PostgreSQL only; the embedded database has one "
          "process. There, comment on the issue instead. " +
          std::string(kFooter));
    }
  }

  CLI::App* AddTaskCommand(const std::string& name, const std::string& about) {
    CLI::App* command = app_.add_subcommand(name, about);
    AddConfigFile(command, task_options_.config);
    command
        ->add_option("TASK", task_options_.task,
                     "Its number, its key (hub/acme/lib#12) or its issue's URL")
        ->required();
    return command;
  }

  void AddAudit() {
    CLI::App* audit = app_.add_subcommand("audit", "Check or read the log of all that was done.");
    audit->require_subcommand(1);
    verify_ =
        audit->add_subcommand("verify", "Check that no record was changed, removed or added.");
    AddConfigFile(verify_, verify_options_.config);
    verify_->add_option("--head", verify_options_.head,
                        "SEQ:HASH of an earlier check or of the server's log");
    verify_->add_flag("--json", verify_options_.json, "One JSON object");
    verify_->footer(
        "Works beside a running server. Exit codes: 0 the log is whole; 1 it is broken, and where; "
        "2 it could not be read.");
    export_ = audit->add_subcommand("export", "Write the records out, oldest first.");
    AddConfigFile(export_, export_options_.config);
    export_->add_option("--since", export_options_.since,
                        "From then on: 2026-03-01, 2026-03-01T12:00:00Z, or 2h (ago)");
    export_->add_option("--until", export_options_.until, "Up to then");
    export_->add_option("--task", export_options_.task,
                        "Only those of this task (hub/acme/lib#12)");
    export_->add_flag("--json", export_options_.json,
                      "JSON Lines, with all that is needed to check the hashes");
  }

  void AddClean() {
    clean_ = app_.add_subcommand(
        "clean",
        "Free disk space: released worktrees, base checkouts, garbage of mirrors, caches and kept "
        "workspaces, as far as nobody uses them.");
    AddConfigFile(clean_, clean_options_.config);
    clean_->add_flag("--dry-run", clean_options_.dry_run, "Say what would go, and remove nothing");
    clean_->footer(
        "Refused beside a server that runs tasks there: it does the same by itself when the disk "
        "fills up. " +
        std::string(kFooter));
  }

  void AddDoctor() {
    CLI::App* doctor = app_.add_subcommand("doctor", "Try what this machine can do.");
    doctor->require_subcommand(1);
    doctor_isolation_ = doctor->add_subcommand(
        "isolation", "Try to get out of every level of isolation, and say what held.");
    doctor_isolation_
        ->add_option("-c,--config", doctor_options_.config,
                     "The server's settings file; default: the settings' defaults")
        ->envname("SWAGE_CONFIG");
    doctor_isolation_->add_flag("--all", doctor_options_.all,
                                "List every attempt and what came of it");
    doctor_isolation_->footer(
        "Run it as the user of the server. Exit codes: 0 every level keeps what it promises here; "
        "1 "
        "one does not; 2 the settings are wrong.");
    doctor_forges_ = doctor->add_subcommand(
        "forges", "Sign in at every forge of the settings, and say which rights are wanting.");
    doctor_forges_->add_option("-c,--config", forges_config_, "The server's settings file")
        ->envname("SWAGE_CONFIG")
        ->required();
    doctor_forges_->footer(
        "Only reads. Exit codes: 0 nothing is wanting; 1 something is; 2 the settings are wrong.");
  }

  void AddDemo() {
    demo_ = app_.add_subcommand(
        "demo", "Run the whole way on this machine: a sandbox forge, a repository, an issue.");
    demo_options_.forge = actions_.demo_forges.empty() ? "" : actions_.demo_forges.front();
    demo_->add_option("--forge", demo_options_.forge, "The dialect of the sandbox forge")
        ->check(CLI::IsMember(actions_.demo_forges))
        ->capture_default_str();
    demo_->add_flag("--once", demo_options_.once,
                    "Leave when the pull request is open; 0 if its gates are green");
    demo_->add_option(
        "--agent", demo_options_.agent,
        "A real agent instead of the scripted one: " + Join(AgentPresets(), ", ") +
            "; or a program of yours by its path (./my-agent), which gets the path of "
            "task.json and edits the files it stands in");
    auto* repo = demo_
                     ->add_option("--repo", demo_options_.repo,
                                  "A local git repository to work on instead of the demo's own")
                     ->check(CLI::ExistingDirectory);
    demo_
        ->add_option("--issue", demo_options_.issue,
                     "A Markdown file with the issue: a title line, then the text")
        ->check(CLI::ExistingFile)
        ->needs(repo);
    demo_->add_option("--gate", gates_, "A check as NAME=COMMAND, for /bin/sh; may be repeated")
        ->allow_extra_args(false);
    demo_->add_option("--data", demo_options_.data,
                      "An empty or new folder to keep everything in; default: a temporary one");
    demo_->add_option("--port", demo_options_.port, "Port of the pages; 0 = a free one")
        ->check(CLI::Range(0, 65'535))
        ->capture_default_str();
  }

  int RunDemo(std::ostream& err) {
    for (const std::string& gate : gates_) {
      const std::size_t equals = gate.find('=');
      const std::string name = gate.substr(0, equals);
      if (equals == std::string::npos || !IsGateName(name) || equals + 1 == gate.size()) {
        err << "--gate: write NAME=COMMAND with a name of a-z, 0-9, - and _, for example "
               "--gate 'tests=make test'\n";
        return kExitUsage;
      }
      demo_options_.gates.push_back({name, gate.substr(equals + 1)});
    }
    if (!demo_options_.repo.empty() && demo_options_.issue.empty()) {
      err << "--repo: also say what to do, with --issue FILE.md\n";
      return kExitUsage;
    }
    return actions_.demo(demo_options_);
  }

  const CliActions& actions_;
  CLI::App app_{kAbout};
  CLI::App* serve_ = nullptr;
  CLI::App* demo_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* reference_ = nullptr;
  CLI::App* version_ = nullptr;
  CLI::App* tasks_ = nullptr;
  CLI::App* parked_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* run_ = nullptr;
  CLI::App* retry_ = nullptr;
  CLI::App* stop_ = nullptr;
  CLI::App* verify_ = nullptr;
  CLI::App* export_ = nullptr;
  ServeOptions serve_options_;
  DemoOptions demo_options_;
  CLI::App* doctor_isolation_ = nullptr;
  CLI::App* doctor_forges_ = nullptr;
  CLI::App* clean_ = nullptr;
  CleanOptions clean_options_;
  DoctorOptions doctor_options_;
  std::filesystem::path forges_config_;
  TasksOptions tasks_options_;
  TaskOptions task_options_;
  RunOptions run_options_;
  AuditVerifyOptions verify_options_;
  AuditExportOptions export_options_;
  std::vector<std::string> gates_;
  std::filesystem::path check_file_ = "swage.yml";
};

}  // namespace

int RunCli(int argc, const char* const* argv, const CliActions& actions, std::ostream& out,
           std::ostream& err) {
  Parser parser(actions);
  return parser.Run(argc, argv, out, err);
}

}  // namespace swage
