#include "pipeline/runtime/ports.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

namespace swage {
namespace {

// Away from the defaults, which servers under test use at the same time.
constexpr PortSettings kRange{30'100, 30'139, 10};

Fd Listen(int port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool good = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    listen(fd.get(), 1) == 0;
  return good ? std::move(fd) : Fd();
}

TEST(Ports, ATaskCanUseEveryPortOfItsBlock) {
  const auto block = TakePorts(kRange, TaskId{7});
  ASSERT_TRUE(block.ok()) << block.error().message;
  EXPECT_EQ(block->first(), 30'130) << "the fourth block: 7 modulo 4";
  for (int port = block->first(); port < block->first() + block->count(); ++port) {
    EXPECT_TRUE(Listen(port).valid()) << port;
  }
  const std::map<std::string, std::string> env = {
      {"SWAGE_PORT_BASE", "30130"}, {"SWAGE_PORT_COUNT", "10"}, {"PORT", "30130"}};
  EXPECT_EQ(block->Env(), env);
}

TEST(Ports, NoTwoTasksShareABlock) {
  std::vector<PortBlock> blocks;
  std::set<int> firsts;
  for (int i = 0; i < 4; ++i) {
    auto block = TakePorts(kRange, TaskId{1});
    ASSERT_TRUE(block.ok()) << i;
    EXPECT_TRUE(firsts.insert(block->first()).second);
    blocks.push_back(*std::move(block));
  }
  const auto none = TakePorts(kRange, TaskId{1});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  blocks.pop_back();
  EXPECT_TRUE(TakePorts(kRange, TaskId{1}).ok()) << "what is given back is free at once";
}

TEST(Ports, PassesOverABlockThatSomethingElseUses) {
  const Fd busy = Listen(30'115);
  ASSERT_TRUE(busy.valid());
  EXPECT_EQ(TakePorts(kRange, TaskId{1})->first(), 30'120);
}

TEST(Ports, AnotherProcessKeepsItsBlockUntilItDies) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto block = TakePorts(kRange, TaskId{2});
    (void)!write(ready[1], block.ok() ? "y" : "n", 1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_EQ(TakePorts(kRange, TaskId{2})->first(), 30'130);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(TakePorts(kRange, TaskId{2})->first(), 30'120) << "nothing to clean up after a crash";
  close(ready[0]);
  close(ready[1]);
}

TEST(Ports, ARangeWithoutRoomIsAnError) {
  EXPECT_FALSE(TakePorts({30'100, 30'104, 10}, TaskId{1}).ok());
}

}  // namespace
}  // namespace swage
