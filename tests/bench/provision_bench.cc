// Workspaces of a repository beside `git worktree add` and `git worktree remove`, in turns, for
// repositories of several sizes; the first, second and third checkpoint of an edited one beside
// `git add -A` and `git commit`; the way back beside `git reset --hard` and `git clean`. Prints the
// lines of bench/run. The base checkout is there already: what it costs once is a figure of its
// own.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/provision_choice.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesPerDirectory = 40;
constexpr int kLinesPerFile = 30;
constexpr int kRounds = 5;
constexpr int kOwnPerRound = 10;
constexpr int kEditedFiles = 26;
constexpr int kSnapshots = 3;  // of one workspace, each with edits of its own before it

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "provision_bench: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) Die(result.error().message);
  return std::move(result).value();
}
void Must(const Result<void>& result) {
  if (!result.ok()) Die(result.error().message);
}

double Milliseconds(const std::function<void()>& act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string PathOf(int file) {
  const int directory = file / kFilesPerDirectory;
  return fmt::format("part-{}/dir-{}/file-{}.txt", directory % 17, directory, file);
}

// One repository, the bot's mirror of it, and a bare clone for git's own worktrees.
class Field {
 public:
  Field(fs::path dir, ProvisionWay way, int files)
      : dir_(std::move(dir)),
        files_(files),
        runner_(MakePosixProcessRunner(test::Program("swage-supervise"))) {
    Must(MakeDirs(dir_));
    Generate();
    Git(dir_, {"clone", "--quiet", "--bare", "origin.git", "peer.git"});
    WorkspaceOptions options;
    options.allow_file_remotes = true;
    options.provision = way;
    workspaces_ = MakeWorktreeWorkspaces(dir_ / "data", *runner_, options);
    GitRemote remote;
    remote.url = dir_ / "origin.git";
    head_ = Must(workspaces_->Fetch(repo_, remote, "main", {}));
  }

  std::unique_ptr<Workspace> Provision() { return ProvisionFrom(head_); }
  std::unique_ptr<Workspace> ProvisionFrom(const CommitSha& start) {
    ProvisionRequest request;
    request.repo = repo_;
    request.task = TaskId{++task_};
    request.branch = fmt::format("swage/issue-{}", task_);
    request.base = head_;
    request.start = start;
    return Must(workspaces_->Provision(request, {}));
  }
  void AddPeer() {
    Git(dir_ / "peer.git", {"worktree", "add", "--quiet", "--detach", PeerTree(), head_.value});
  }
  void RemovePeer() { Git(dir_ / "peer.git", {"worktree", "remove", "--force", PeerTree()}); }
  fs::path PeerTree() const { return dir_ / "peer-tree"; }

  // Other files the next time, one that is new, and none of those that were new before.
  void Edit(const fs::path& root, int nth) const {
    for (int i = 0; i < kEditedFiles; ++i) {
      std::ofstream(root / PathOf(i * (files_ / kEditedFiles) + nth)) << "edited\n";
    }
    fs::remove(root / fmt::format("new-{}.txt", nth - 1));
    std::ofstream(root / fmt::format("new-{}.txt", nth)) << "new\n";
  }
  void CommitPeer() {
    Git(PeerTree(), {"add", "-A"});
    Git(PeerTree(), {"commit", "--quiet", "-m", "edited"});
  }

  void ResetOwn(Workspace& workspace) const { Must(workspace.Reset(head_)); }
  void ResetPeer() {
    Git(PeerTree(), {"reset", "--quiet", "--hard", head_.value});
    Git(PeerTree(), {"clean", "--quiet", "-d", "--force"});
  }

  void Git(const fs::path& cwd, std::vector<std::string> arguments, std::string input = "") {
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    spec.argv.insert(spec.argv.begin(), "git");
    spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                {"HOME", "/nonexistent"},
                {"GIT_AUTHOR_NAME", "Ann"},
                {"GIT_AUTHOR_EMAIL", "ann@example.com"},
                {"GIT_COMMITTER_NAME", "Ann"},
                {"GIT_COMMITTER_EMAIL", "ann@example.com"}};
    spec.cwd = cwd;
    spec.stdin_bytes = std::move(input);
    Must(RunAndCapture(*runner_, spec));
  }

 private:
  void Generate() {
    std::ofstream stream(dir_ / "import");
    stream << "commit refs/heads/main\ncommitter Ann <ann@example.com> 1700000000 +0000\n"
              "data 5\nfirst\n";
    for (int file = 0; file < files_; ++file) {
      std::string text;
      for (int line = 0; line < kLinesPerFile; ++line) {
        text += fmt::format("line {} of file {}\n", line, file);
      }
      stream << "M 644 inline " << PathOf(file) << "\ndata " << text.size() << "\n" << text << "\n";
    }
    stream.close();
    Git(dir_, {"init", "--quiet", "--bare", "--initial-branch=main", "origin.git"});
    const std::string import =
        fmt::format("git --git-dir='{}' fast-import --quiet <'{}'", (dir_ / "origin.git").string(),
                    (dir_ / "import").string());
    if (std::system(import.c_str()) != 0) Die("the repository was not made");
    fs::remove(dir_ / "import");
  }

  const fs::path dir_;
  const int files_;
  const RepoRef repo_{"local", "7", "ann/demo"};
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<Workspaces> workspaces_;
  CommitSha head_;
  std::int64_t task_ = 0;
};

// What lies on the disk for one task, without what is mounted there.
double KilobytesOf(const fs::path& place) {
  struct stat top {};
  stat(place.c_str(), &top);
  double blocks = 0;
  for (auto it = fs::recursive_directory_iterator(place); it != fs::recursive_directory_iterator();
       ++it) {
    struct stat info {};
    if (lstat(it->path().c_str(), &info) != 0) continue;
    if (info.st_dev != top.st_dev) {
      it.disable_recursion_pending();
      continue;
    }
    if (info.st_nlink == 1 || S_ISDIR(info.st_mode)) blocks += static_cast<double>(info.st_blocks);
  }
  return blocks / 2;
}

std::string Size(int files) {
  return files % 1000 == 0 ? fmt::format("{}k", files / 1000) : std::to_string(files);
}

void Compare(const std::string& act, double own, const std::string& peers, double peer,
             const std::string& size) {
  fmt::print("figure {}_{}_ms {:.1f} ms\n", act, size, own);
  fmt::print("figure {}_{}_ms {:.1f} ms\n", peers, size, peer);
  fmt::print("ratio {}_vs_{}_{} {:.2f}\n", act, peers, size, peer / own);
}

// Returns what provisioning and releasing costs.
double BenchProvision(Field& field, const std::string& size) {
  std::vector<double> own, provisions, releases, peer;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kOwnPerRound; ++i) {
      std::unique_ptr<Workspace> workspace;
      provisions.push_back(Milliseconds([&] { workspace = field.Provision(); }));
      releases.push_back(Milliseconds([&] { Must(workspace->Release()); }));
      own.push_back(provisions.back() + releases.back());
    }
    peer.push_back(Milliseconds([&] {
      field.AddPeer();
      field.RemovePeer();
    }));
  }
  fmt::print("figure provision_{}_ms {:.2f} ms\n", size, Median(provisions));
  fmt::print("figure release_{}_ms {:.2f} ms\n", size, Median(releases));
  fmt::print("figure worktree_add_remove_{}_ms {:.1f} ms\n", size, Median(peer));
  fmt::print("ratio provision_vs_worktree_add_{} {:.1f}\n", size, Median(peer) / Median(own));
  return Median(own);
}

// The peer commits, goes back to the first commit with `git reset --hard` and `git clean`, and is
// there again for the second round.
void BenchSnapshot(Field& field, const std::string& size) {
  std::vector<double> own[kSnapshots], peer[kSnapshots], resets, peer_resets;
  for (int round = 0; round < kRounds; ++round) {
    const auto workspace = field.Provision();
    field.AddPeer();
    sync();  // or whoever comes first pays for what the peer has written
    for (int nth = 0; nth < kSnapshots; ++nth) {
      std::vector<std::string> warnings;
      field.Edit(workspace->Root(), nth);
      own[nth].push_back(Milliseconds([&] {
        Must(workspace->TakeSnapshot("edited", {"Swage", "swage@localhost"}, warnings));
      }));
      field.Edit(field.PeerTree(), nth);
      peer[nth].push_back(Milliseconds([&] { field.CommitPeer(); }));
    }
    resets.push_back(Milliseconds([&] { field.ResetOwn(*workspace); }));
    peer_resets.push_back(Milliseconds([&] { field.ResetPeer(); }));
    Must(workspace->Release());
    field.RemovePeer();
  }
  for (int nth = 0; nth < kSnapshots; ++nth) {
    const std::string name = nth == 0 ? size : fmt::format("{}_again{}", size, nth);
    Compare("snapshot", Median(own[nth]), "add_commit", Median(peer[nth]), name);
  }
  Compare("reset", Median(resets), "reset_clean", Median(peer_resets), size);
}

// A task that goes on from its checkpoint.
void BenchResume(Field& field, const std::string& size) {
  auto workspace = field.Provision();
  std::vector<std::string> warnings;
  field.Edit(workspace->Root(), 0);
  const Snapshot checkpoint =
      Must(workspace->TakeSnapshot("edited", {"Swage", "swage@localhost"}, warnings));
  Must(workspace->Release());
  std::vector<double> resumes, restores;
  sync();
  for (int round = 0; round < kRounds; ++round) {
    resumes.push_back(Milliseconds([&] { workspace = field.ProvisionFrom(checkpoint.commit); }));
    field.Edit(workspace->Root(), 1);
    restores.push_back(Milliseconds([&] { Must(workspace->Restore(checkpoint.commit)); }));
    Must(workspace->Release());
  }
  fmt::print("figure resume_{}_ms {:.2f} ms\n", size, Median(resumes));
  fmt::print("figure restore_{}_ms {:.2f} ms\n", size, Median(restores));
}

double BenchSize(const fs::path& dir, ProvisionWay way, int files) {
  const std::string size = Size(files);
  Field field(dir / size, way, files);
  fmt::print("figure provision_cold_{}_ms {:.0f} ms\n", size,
             Milliseconds([&] { Must(field.Provision()->Release()); }));
  const double own = BenchProvision(field, size);
  BenchSnapshot(field, size);
  BenchResume(field, size);
  const auto workspace = field.Provision();
  fmt::print("figure provision_disk_{}_kb {:.0f} KiB\n", size,
             KilobytesOf(workspace->Root().parent_path()));
  Must(workspace->Release());
  std::fflush(stdout);
  return own;
}

int Run(const fs::path& dir, const std::string& provision, const std::vector<int>& sizes) {
  Settings settings;
  settings.data_dir = dir;
  settings.provision = provision;
  const ProvisionChoice choice = Must(ChooseProvision(settings));
  std::fprintf(stderr, "bench: provision: %s, %s\n", std::string(Name(choice.way)).c_str(),
               choice.why.c_str());
  std::vector<double> own;
  for (const int files : sizes) own.push_back(BenchSize(dir, choice.way, files));
  fmt::print("ratio provision_{}_vs_{} {:.2f}\n", Size(sizes.back()), Size(sizes.front()),
             own.front() / own.back());
  return 0;
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: swage_provision_bench DIR auto|overlay|recycled|plain FILES...\n");
    return 2;
  }
  std::vector<int> sizes;
  for (int i = 3; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
  return swage::Run(argv[1], argv[2], sizes);
}
