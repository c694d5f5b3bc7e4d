#include "pipeline/runtime/socket_relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace swage {
namespace {

// A server on a loopback port, for one thread.
class LoopbackServer {
 public:
  LoopbackServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 5), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  Fd Accept() const { return Fd(accept(listener_.get(), nullptr, nullptr)); }
  void Close() { listener_.Close(); }
  const std::string& port() const { return port_; }

 private:
  Fd listener_;
  std::string port_;
};

class SocketRelayTest : public testing::Test {
 protected:
  std::filesystem::path Path() const { return dir_.path() / "socket"; }
  std::unique_ptr<SocketRelay> Start(int max = 4) {
    auto relay = SocketRelay::Start(Path(), {"127.0.0.1", server_.port()}, max, std::nullopt);
    EXPECT_TRUE(relay.ok()) << relay.error().message;
    return relay.ok() ? *std::move(relay) : nullptr;
  }
  Fd Connect() const {
    Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, Path().c_str(), sizeof address.sun_path - 1);
    const bool good = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    return good ? std::move(fd) : Fd();
  }
  static std::string Read(const Fd& fd, std::size_t bytes) {
    std::string text(bytes, 0);
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t n = read(fd.get(), text.data() + done, bytes - done);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
  }
  static bool Write(const Fd& fd, std::string_view text) {
    return write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

  TempDir dir_{"swage-relay-"};
  LoopbackServer server_;
};

TEST_F(SocketRelayTest, CarriesBothWaysAndItsEnds) {
  const auto relay = Start();
  const Fd client = Connect();
  const Fd server = server_.Accept();
  ASSERT_TRUE(Write(client, "ping"));
  EXPECT_EQ(Read(server, 4), "ping");
  ASSERT_TRUE(Write(server, "pong"));
  EXPECT_EQ(Read(client, 4), "pong");
  // Half of it may end before the other.
  shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(Read(server, 1), "");
  ASSERT_TRUE(Write(server, "last words"));
  shutdown(server.get(), SHUT_WR);
  EXPECT_EQ(Read(client, 100), "last words");
}

TEST_F(SocketRelayTest, ManyBytesArriveWhole) {
  const auto relay = Start();
  const Fd client = Connect();
  const Fd server = server_.Accept();
  const std::string much(8 << 20, 'x');
  std::jthread writer([&] { EXPECT_TRUE(Write(client, much)); });
  EXPECT_EQ(Read(server, much.size()), much);
}

TEST_F(SocketRelayTest, OnlyTheOwnerMayConnect) {
  const auto relay = Start();
  struct stat info {};
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SocketRelayTest, ItsEndIsTheEndOfWhatItCarries) {
  auto relay = Start();
  const Fd client = Connect();
  const Fd server = server_.Accept();
  ASSERT_TRUE(Write(client, "ping"));
  EXPECT_EQ(Read(server, 4), "ping");
  relay.reset();
  EXPECT_EQ(Read(client, 1), "");
  EXPECT_EQ(Read(server, 1), "");
  EXPECT_FALSE(Connect().valid());
}

TEST_F(SocketRelayTest, AServerThatIsGoneEndsTheConnection) {
  const auto relay = Start();
  server_.Close();
  const Fd client = Connect();
  ASSERT_TRUE(client.valid());
  EXPECT_EQ(Read(client, 1), "");
}

TEST_F(SocketRelayTest, SaysWhatIsWrong) {
  const auto unknown = SocketRelay::Start(Path(), {"127.0.0.1", "no-such-port"}, 1, std::nullopt);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  const auto deep =
      SocketRelay::Start(dir_.path() / std::string(120, 'd'), {"127.0.0.1", "1"}, 1, std::nullopt);
  EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace swage
