#define CAF_SUITE fork_server

#include "actors/pool/fork_server.hpp"

#include "actors/pool/child_worker.hpp"
#include "actors/pool/process.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/child/frames.hpp"

#include "tests/unit/dsl.hpp"

#include <caf/io/all.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
  }
};

/// The process is one that does nothing; the test speaks for it.
struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys};
  fork_server_options options;
  std::shared_ptr<fork_line> line;
  caf::actor uut;
  pid_t process = -1;
  int peer = -1;

  ~fixture() {
    if (peer >= 0)
      close(peer);
    self->send_exit(uut, caf::exit_reason::kill);
  }

  void start() {
    auto ends = *make_socket_pair(SOCK_SEQPACKET);
    auto file = memfd_create("slots", MFD_CLOEXEC);
    CAF_REQUIRE_EQUAL(ftruncate(file, fork_server::slots_bytes), 0);
    line = *fork_line::make(ends.ours, file);
    close(file);
    peer = ends.theirs;
    auto pid = start_process({"/bin/sleep", "3600"}, {});
    CAF_REQUIRE(pid);
    process = *pid;
    options.lines = std::make_shared<fork_lines>();
    uut = sys.middleman().spawn_broker(
      fork_server_broker, options, fork_server_process{*pid, ends.ours, line});
    self->monitor(uut);
    describe(); // it has begun
  }

  std::string describe() {
    std::string result;
    self->request(uut, 1min, describe_atom::value)
      .receive([&](const description& x) { result = x.state; },
               [](const caf::error&) { CAF_FAIL("no answer"); });
    return result;
  }

  template <class Frame>
  void say(const Frame& frame) {
    std::string bytes;
    frame::append(bytes, frame);
    CAF_REQUIRE_EQUAL(send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(bytes.size()));
  }

  caf::error end() {
    caf::error result;
    self->receive([&](const caf::down_msg& x) { result = x.reason; });
    return result;
  }

  bool is_collected() const {
    return waitpid(process, nullptr, WNOHANG) == -1 && errno == ECHILD;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fork_server_tests, fixture)

CAF_TEST(it says when the libraries are loaded) {
  start();
  CAF_CHECK(options.lines->current == line);
  CAF_CHECK_NOT_EQUAL(describe().find("loads the task libraries"),
                      std::string::npos);
  say(frame::hello{"c++", {}});
  while (describe().find("ready, 0 children") == std::string::npos)
    usleep(1000);
}

CAF_TEST(its process dies and it ends with an error) {
  start();
  kill(process, SIGKILL);
  close(peer);
  peer = -1;
  auto reason = end();
  CAF_CHECK(reason == supervision_errc::connection_lost);
  CAF_CHECK_NOT_EQUAL(umbel::describe(reason).find("signal 9"),
                      std::string::npos);
  CAF_CHECK(options.lines->current == nullptr);
  CAF_CHECK(is_collected());
}

CAF_TEST(a process that says why it cannot work is not wanted again) {
  start();
  say(frame::log{0, 3, "a task library starts a thread while it is loaded"});
  close(peer);
  peer = -1;
  CAF_CHECK(is_normal(end()));
  CAF_CHECK(options.lines->current == nullptr);
}

CAF_TEST(a library that cannot be loaded is for the children to report) {
  start();
  say(frame::failed{"no such file"});
  close(peer);
  peer = -1;
  CAF_CHECK(is_normal(end()));
}

CAF_TEST(nonsense ends the process) {
  start();
  CAF_REQUIRE_EQUAL(send(peer, "\0\0\0\0\0", 5, MSG_NOSIGNAL), 5);
  int status = 0;
  // The test's end of the line stays open: only the process is gone.
  siginfo_t info{};
  CAF_REQUIRE_EQUAL(waitid(P_PID, static_cast<id_t>(process), &info,
                           WEXITED | WNOWAIT), 0);
  status = info.si_status;
  CAF_CHECK_EQUAL(status, SIGKILL);
}

CAF_TEST(a child asked for in vain is started in another way) {
  start();
  child_source source{"/bin/false", {}, options.lines};
  auto process = source.start(std::chrono::steady_clock::now());
  CAF_REQUIRE(process);
  CAF_REQUIRE(process->ticket != nullptr);
  auto child = sys.middleman().spawn_broker(
    child_worker, caf::actor{self}, uint64_t{1},
    std::make_shared<const child_source>(source), *process, false,
    std::shared_ptr<task_caller>{});
  process->ticket = nullptr;
  // The request is in the line, which is closed now, and with it the socket.
  close(peer);
  peer = -1;
  self->receive([](const child_exited& x) {
    CAF_CHECK_EQUAL(x.how, "exit status 1");
  });
}

CAF_TEST(a child that is not wanted any more does not wait for its process) {
  start();
  child_source source{"/bin/false", {}, options.lines};
  auto process = source.start(std::chrono::steady_clock::now());
  CAF_REQUIRE(process);
  auto child = sys.middleman().spawn_broker(
    child_worker, caf::actor{self}, uint64_t{1},
    std::make_shared<const child_source>(source), *process, false,
    std::shared_ptr<task_caller>{});
  process->ticket = nullptr;
  self->send(child, child_stop{});
  self->receive([](const child_exited& x) {
    CAF_CHECK_EQUAL(x.how, "exit status 0");
  });
}

CAF_TEST_FIXTURE_SCOPE_END()
