#define CAF_SUITE child_worker

#include "actors/pool/child_worker.hpp"

#include "tests/unit/dsl.hpp"

#include <caf/io/all.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

using namespace umbel;
using namespace std::chrono_literals;

extern char** environ;

namespace {

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
  }
};

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys};

  /// A process that knows nothing of its socket. @param peer its end of that
  static child_process start(int& peer) {
    int fds[2];
    CAF_REQUIRE_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                      0);
    peer = fds[1];
    char name[] = "sleep";
    char time[] = "3600";
    char* argv[] = {name, time, nullptr};
    child_process result;
    CAF_REQUIRE_EQUAL(
      posix_spawnp(&result.pid, name, nullptr, nullptr, argv, environ), 0);
    // exec lets the parent go on before it has closed what it is to close.
    auto copy = "/proc/" + std::to_string(result.pid) + "/fd/"
                + std::to_string(peer);
    while (faccessat(AT_FDCWD, copy.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      std::this_thread::yield();
    result.socket = fds[0];
    return result;
  }

  /// Opens sockets until one has this number. @returns the other end of that
  static int take_over(int number, std::vector<int>& opened) {
    auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (fcntl(number, F_GETFD) != -1)
        continue; // not closed yet
      int fds[2];
      CAF_REQUIRE_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                        0);
      opened.insert(opened.end(), fds, fds + 2);
      for (auto i : {0, 1})
        if (fds[i] == number)
          return fds[1 - i];
    }
    return -1;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(child_worker_tests, fixture)

CAF_TEST(a closed socket is not written to even if its number is used again) {
  int peer = -1;
  auto process = start(peer);
  auto uut = sys.middleman().spawn_broker(
    child_worker, caf::actor{self}, uint64_t{1},
    std::make_shared<const child_source>(), process, false,
    std::shared_ptr<task_caller>{});
  close(peer);
  std::vector<int> opened;
  auto other = take_over(process.socket, opened);
  CAF_REQUIRE_NOT_EQUAL(other, -1);
  // The process lives on for a while, and so does the worker.
  self->send(uut, child_recall{});
  self->receive([](const child_exited& x) {
    CAF_CHECK_EQUAL(x.how, "signal 9 (SIGKILL)");
  });
  char byte = 0;
  CAF_CHECK_EQUAL(recv(other, &byte, 1, MSG_DONTWAIT), -1);
  for (auto fd : opened)
    close(fd);
}

CAF_TEST(jobs that come after the end of the child were not seen) {
  int peer = -1;
  auto process = start(peer);
  auto uut = sys.middleman().spawn_broker(
    child_worker, caf::actor{self}, uint64_t{1},
    std::make_shared<const child_source>(), process, false,
    std::shared_ptr<task_caller>{});
  auto payload = std::make_shared<const std::string>("message");
  self->send(uut, child_jobs{{job{7, "t", payload, {}}}});
  char first = 0;
  CAF_REQUIRE_EQUAL(read(peer, &first, 1), 1);
  close(peer);
  self->send(uut, child_jobs{{job{8, "t", payload, {}}, job{9, "t", payload, {}}}});
  self->receive([](const child_exited& x) {
    CAF_CHECK_EQUAL(x.child, 1u);
    CAF_REQUIRE(x.seen);
    CAF_CHECK_EQUAL(*x.seen, 1u);
  });
}

CAF_TEST_FIXTURE_SCOPE_END()
