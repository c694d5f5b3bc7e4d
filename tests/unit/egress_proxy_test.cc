// The egress proxy over real sockets on loopback.
#include "pipeline/isolation/egress_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "pipeline/isolation/egress_offer.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/trap_server.h"
#include "tests/harness/wait.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using test::WaitFor;

class FakeResolver final : public HostResolver {
 public:
  std::map<std::string, std::vector<std::string>> names;
  std::atomic<int> asked = 0;
  Result<std::vector<IpAddress>> Resolve(const std::string& host, int) override {
    ++asked;
    const auto it = names.find(host);
    if (it == names.end()) return MakeError(ErrorCode::kNotFound, host + ": no such host");
    std::vector<IpAddress> addresses;
    for (const std::string& text : it->second) addresses.push_back(*ParseIp(text));
    return addresses;
  }
};

// A port of this machine on which nobody listens any more.
int FreePort() {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

class EgressProxyTest : public ::testing::Test {
 protected:
  EgressProxyTest()
      : server_([](const httplib::Request&, httplib::Response& response) {
          response.status = 200;
          response.set_content("hello", "text/plain");
        }) {
    const std::string url = server_.Url();
    server_port_ = std::stoi(url.substr(url.rfind(':') + 1));
    resolver_.names = {{"allowed.test", {"127.0.0.1"}}, {"rebound.test", {"169.254.169.254"}}};
  }

  // `allowed.test` may be reached at the server's port, by its address on this machine.
  void Start(EgressBounds bounds = {}, std::vector<std::string> more = {}) {
    more.push_back("allowed.test:" + std::to_string(server_port_));
    more.push_back("rebound.test:" + std::to_string(server_port_));
    more.push_back("127.0.0.0/8");
    EgressOptions options{EgressList::Parse(more).value(), dir_.path() / "egress", bounds};
    auto proxy = EgressProxy::Start(std::move(options), resolver_, record_);
    ASSERT_TRUE(proxy.ok()) << proxy.error().message;
    proxy_ = std::move(proxy).value();
    port_ = FreePort();
    ASSERT_EQ(OfferEgress(proxy_->SocketPath().c_str(), port_), 0);
  }
  std::string Tunnel(std::string_view host, int port) {
    return "CONNECT " + std::string(host) + ":" + std::to_string(port) + " HTTP/1.1\r\n\r\n";
  }
  std::string Ask(std::string_view request) {
    RawHttp client(port_);
    EXPECT_TRUE(client.Connected());
    EXPECT_TRUE(client.Send(request));
    bool closed = false;
    return client.ReadToEnd(closed);
  }

  TempDir dir_;
  TrapServer server_;
  int server_port_ = 0;
  FakeResolver resolver_;
  EgressRecord record_;
  std::unique_ptr<EgressProxy> proxy_;
  int port_ = 0;
};

TEST_F(EgressProxyTest, TunnelsToAnAllowedHost) {
  Start();
  RawHttp client(port_);
  // What comes behind the head belongs to the tunnel already.
  ASSERT_TRUE(client.Send(Tunnel("allowed.test", server_port_) + "GET /x HTTP/1.0\r\n\r\n"));
  bool closed = false;
  const std::string answer = client.ReadToEnd(closed);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"))
      << answer;
  EXPECT_TRUE(answer.ends_with("hello"));
  EXPECT_TRUE(record_.Refused().empty());
}

TEST_F(EgressProxyTest, PassesPlainRequestsOnWithTheHostOfTheirAddress) {
  Start();
  const std::string answer = Ask("POST http://allowed.test:" + std::to_string(server_port_) +
                                 "/path HTTP/1.1\r\nHost: other.test\r\nProxy-Authorization: "
                                 "x\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  const auto seen = server_.Seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].starts_with("POST /path\n")) << seen[0];
  EXPECT_NE(seen[0].find("Host: allowed.test:"), std::string::npos);
  EXPECT_EQ(seen[0].find("Proxy-Authorization"), std::string::npos);
}

TEST_F(EgressProxyTest, RefusesOtherHostsOtherPortsAndAddressesAndRecordsThem) {
  Start();
  const std::string other = Ask(Tunnel("evil.test", 443));
  EXPECT_TRUE(other.starts_with("HTTP/1.1 403")) << other;
  EXPECT_NE(other.find("evil.test:443 is not on the allow-list (egress.allow)"), std::string::npos);
  EXPECT_TRUE(Ask(Tunnel("allowed.test", server_port_ + 1)).starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(Ask(Tunnel("127.0.0.1", server_port_)).starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(Ask(Tunnel("[::ffff:127.0.0.1]", server_port_)).starts_with("HTTP/1.1 4"));
  EXPECT_TRUE(Ask(Tunnel("evil.test", 443)).starts_with("HTTP/1.1 403"));
  const auto refused = record_.Refused();
  ASSERT_EQ(refused.size(), 3u);
  EXPECT_EQ(refused[2].host, "evil.test");
  EXPECT_EQ(refused[2].times, 2);
  EXPECT_EQ(resolver_.asked, 0);  // names that are not allowed are never looked up
  EXPECT_EQ(server_.Requests(), 0);
}

TEST_F(EgressProxyTest, AnAddressThatIsListedMayBeReached) {
  Start({}, {"127.0.0.1:" + std::to_string(server_port_)});
  EXPECT_TRUE(Ask(Tunnel("127.0.0.1", server_port_) + "GET / HTTP/1.0\r\n\r\n")
                  .starts_with("HTTP/1.1 200 Connection"));
}

TEST_F(EgressProxyTest, ANameThatPointsIntoAPrivateNetworkIsRefusedAndRecorded) {
  Start();
  const std::string answer = Ask(Tunnel("rebound.test", server_port_));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403")) << answer;
  ASSERT_EQ(record_.Refused().size(), 1u);
  EXPECT_EQ(record_.Refused()[0].reason, "resolves to 169.254.169.254");
}

TEST_F(EgressProxyTest, OfSeveralAddressesOnlyTheAllowedOnesAreUsedAndLookedUpOnce) {
  resolver_.names["allowed.test"] = {"10.0.0.1", "::1", "127.0.0.1"};
  Start();
  EXPECT_NE(Ask(Tunnel("allowed.test", server_port_) + "GET / HTTP/1.0\r\n\r\n").find("hello"),
            std::string::npos);
  EXPECT_EQ(resolver_.asked, 1);
}

TEST_F(EgressProxyTest, SaysWhenAHostIsNotThere) {
  const int nobody = FreePort();
  Start({}, {"gone.test", "allowed.test:" + std::to_string(nobody)});
  EXPECT_TRUE(Ask(Tunnel("gone.test", 443)).starts_with("HTTP/1.1 502"));
  EXPECT_TRUE(Ask(Tunnel("allowed.test", nobody)).starts_with("HTTP/1.1 502"));
  EXPECT_TRUE(record_.Refused().empty());
}

TEST_F(EgressProxyTest, ASecondRequestBehindAPlainOneIsNotPassedOn) {
  Start();
  const std::string url = "http://allowed.test:" + std::to_string(server_port_);
  Ask("GET " + url + "/one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\nHost: other.test\r\n\r\n");
  const auto seen = server_.Seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].starts_with("GET /one\n"));
}

TEST_F(EgressProxyTest, SlowAndHugeHeadsEnd) {
  EgressBounds bounds;
  bounds.head_time = milliseconds(200);
  bounds.head_bytes = 1000;
  Start(bounds);
  EXPECT_TRUE(Ask("CONNECT allowed.te").starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(Ask("CONNECT allowed.test:1 HTTP/1.1\r\nA: " + std::string(9'000, 'x'))
                  .starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(Ask("BREW pot\r\n\r\n").starts_with("HTTP/1.1 400"));
}

TEST_F(EgressProxyTest, AnIdleTunnelEnds) {
  EgressBounds bounds;
  bounds.idle_time = milliseconds(200);
  Start(bounds);
  const std::string answer = Ask(Tunnel("allowed.test", server_port_));
  EXPECT_EQ(answer, "HTTP/1.1 200 Connection established\r\n\r\n");
}

TEST_F(EgressProxyTest, ATunnelCarriesNoMoreThanItsBytes) {
  EgressBounds bounds;
  bounds.bytes = 50;
  Start(bounds);
  const std::string answer = Ask(Tunnel("allowed.test", server_port_) + "GET / HTTP/1.0\r\n\r\n");
  const std::string head = "HTTP/1.1 200 Connection established\r\n\r\n";
  EXPECT_LE(answer.size(), head.size() + 50);
}

TEST_F(EgressProxyTest, HasRoomForSoManyConnectionsAndNoMore) {
  EgressBounds bounds;
  bounds.connections = 3;
  Start(bounds);
  std::vector<std::unique_ptr<RawHttp>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(std::make_unique<RawHttp>(port_));
    held.back()->Send(Tunnel("allowed.test", server_port_));
    EXPECT_TRUE(held.back()->ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200"));
  }
  EXPECT_TRUE(Ask("").starts_with("HTTP/1.1 503"));
  held.clear();
  EXPECT_TRUE(WaitFor([this] { return Ask(Tunnel("evil.test", 1)).starts_with("HTTP/1.1 403"); }));
}

TEST_F(EgressProxyTest, TheEndOfTheProxyEndsItsTunnels) {
  Start();
  RawHttp client(port_);
  client.Send(Tunnel("allowed.test", server_port_));
  ASSERT_TRUE(client.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200"));
  RawHttp silent(port_);
  const auto socket_path = proxy_->SocketPath();
  proxy_.reset();
  bool closed = false;
  client.ReadToEnd(closed);
  EXPECT_TRUE(closed);
  EXPECT_FALSE(std::filesystem::exists(socket_path));
  EXPECT_FALSE(RawHttp(port_).Connected());  // nobody listens any more
}

TEST_F(EgressProxyTest, ManyMegabytesGoThroughInBothDirections) {
  // An echo: what is read is sent back, at its own pace.
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const int echo_port = ntohs(address.sin_port);
  std::jthread echo([&] {
    const Fd fd(accept(listener.get(), nullptr, nullptr));
    std::vector<char> part(100'000);
    ssize_t n = 0;
    while ((n = recv(fd.get(), part.data(), part.size(), 0)) > 0) {
      if (send(fd.get(), part.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) != n) return;
    }
  });
  Start({}, {"allowed.test:" + std::to_string(echo_port)});
  RawHttp client(port_);
  client.Send(Tunnel("allowed.test", echo_port));
  ASSERT_TRUE(client.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200"));
  const std::string block(1 << 20, 'z');
  constexpr std::size_t kBlocks = 5;
  std::jthread sender([&] {
    for (std::size_t i = 0; i < kBlocks && client.Send(block); ++i) {
    }
  });
  const std::size_t expected = client.ReadUntil("\r\n\r\n").size() + kBlocks * block.size();
  std::size_t came_back = 0;
  std::size_t before = 0;
  do {
    before = came_back;
    came_back = client.ReadUntil("!", milliseconds(1'000)).size();
  } while (came_back > before && came_back < expected);
  EXPECT_EQ(came_back, expected);
  proxy_.reset();  // nobody waits for the rest, should there be one
}

TEST_F(EgressProxyTest, TakesNothingButListeningSockets) {
  Start();
  const auto offer = [this](int fd) {
    const Fd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, proxy_->SocketPath().c_str());
    EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    char byte = 'l';
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    EXPECT_EQ(sendmsg(connection.get(), &message, MSG_NOSIGNAL), 1);
    char answer = 0;
    return recv(connection.get(), &answer, 1, 0) == 1;
  };
  const Fd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd idle(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd datagram(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const int fd : {-1, file.get(), idle.get(), datagram.get()}) EXPECT_FALSE(offer(fd));
  EXPECT_TRUE(Ask(Tunnel("evil.test", 1)).starts_with("HTTP/1.1 403"));  // still there
}

TEST_F(EgressProxyTest, ANewListenerTakesThePlaceOfTheOldest) {
  EgressBounds bounds;
  bounds.listeners = 2;
  Start(bounds);
  const int first = port_;
  for (int i = 0; i < 2; ++i) {
    port_ = FreePort();
    ASSERT_EQ(OfferEgress(proxy_->SocketPath().c_str(), port_), 0);
  }
  EXPECT_FALSE(RawHttp(first).Connected());
  EXPECT_TRUE(Ask(Tunnel("evil.test", 1)).starts_with("HTTP/1.1 403"));
}

TEST_F(EgressProxyTest, AnOfferWithoutAProxyFails) {
  EXPECT_EQ(OfferEgress((dir_.path() / "none").c_str(), FreePort()), ENOENT);
  EXPECT_EQ(OfferEgress(std::string(300, 'x').c_str(), FreePort()), ENAMETOOLONG);
}

TEST(HostResolver, KnowsThisMachineAndStopsWhenTold) {
  const auto resolver = MakeHostResolver();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const auto here = resolver->Resolve("localhost", read_end.get());
  ASSERT_TRUE(here.ok()) << here.error().message;
  EXPECT_FALSE(IsPublic(here->front()));
  write_end.Close();
  EXPECT_FALSE(resolver->Resolve("localhost", read_end.get()).ok());
}

}  // namespace
}  // namespace swage
