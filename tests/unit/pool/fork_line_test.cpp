#define CAF_SUITE fork_line

#include "actors/pool/fork_line.hpp"
#include "actors/pool/process.hpp"

#include "tests/unit/dsl.hpp"

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

/// The far end of the line is the test: it plays the fork server.
struct fixture {
  socket_pair ends;
  int file = -1;
  fork_server::slot* slots = nullptr;
  std::shared_ptr<fork_line> uut;
  fork_line::time_point t0{};
  size_t wakes = 0;

  fixture() {
    ends = *make_socket_pair(SOCK_SEQPACKET);
    file = memfd_create("slots", MFD_CLOEXEC);
    CAF_REQUIRE_EQUAL(ftruncate(file, fork_server::slots_bytes), 0);
    auto memory = mmap(nullptr, fork_server::slots_bytes,
                       PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    slots = static_cast<fork_server::slot*>(memory);
    uut = *fork_line::make(ends.ours, file);
    uut->watch([this] { ++wakes; });
  }

  ~fixture() {
    munmap(slots, fork_server::slots_bytes);
    for (auto fd : {ends.ours, ends.theirs, file})
      close(fd);
  }

  std::shared_ptr<fork_line::ticket> ask(fork_line::time_point now = {}) {
    return uut->request(STDIN_FILENO, now);
  }

  /// The next request, which must carry a descriptor.
  fork_server::request received() {
    fork_server::request result;
    iovec data{&result, sizeof(result)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof(control);
    CAF_REQUIRE_EQUAL(recvmsg(ends.theirs, &packet, MSG_DONTWAIT),
                      static_cast<ssize_t>(sizeof(result)));
    auto header = CMSG_FIRSTHDR(&packet);
    CAF_REQUIRE(header != nullptr);
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    close(fd);
    return result;
  }

  /// A process as the fork server would make it.
  static pid_t process() {
    auto pid = start_process({"/bin/sleep", "3600"}, {});
    CAF_REQUIRE(pid);
    return *pid;
  }

  static bool is_collected(pid_t pid) {
    return waitpid(pid, nullptr, WNOHANG) == -1 && errno == ECHILD;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fork_line_tests, fixture)

CAF_TEST(a request has a process when its slot says so) {
  auto ticket = ask();
  CAF_REQUIRE(ticket != nullptr);
  CAF_CHECK(!ticket->take());
  CAF_CHECK_EQUAL(uut->num_started(), 0u);
  slots[received().slot] = 4711;
  CAF_CHECK_EQUAL(ticket->take().value_or(0), 4711);
  CAF_CHECK_EQUAL(ticket->take().value_or(0), 4711);
  CAF_CHECK_EQUAL(uut->num_started(), 1u);
}

CAF_TEST(a slot is used again when its process is known) {
  for (size_t i = 0; i < 3 * fork_server::slots_max; ++i) {
    auto ticket = ask();
    CAF_REQUIRE(ticket != nullptr);
    auto slot = received().slot;
    CAF_REQUIRE_EQUAL(slots[slot].load(), 0u);
    slots[slot] = 4711;
    CAF_REQUIRE(ticket->take());
  }
}

CAF_TEST(a line that is full says so) {
  std::vector<std::shared_ptr<fork_line::ticket>> tickets;
  while (auto ticket = ask()) {
    tickets.push_back(ticket);
    received();
  }
  CAF_CHECK_EQUAL(tickets.size(), fork_server::slots_max);
}

CAF_TEST(a fork server that does not read cannot block the worker) {
  std::vector<std::shared_ptr<fork_line::ticket>> tickets;
  while (auto ticket = ask())
    tickets.push_back(ticket);
  CAF_CHECK_LESS_OR_EQUAL(tickets.size(), fork_server::slots_max);
  // What could not be sent has taken no slot.
  slots[received().slot] = 4711;
  CAF_CHECK(tickets.front()->take());
}

CAF_TEST(a closed line takes no requests) {
  uut->close();
  CAF_CHECK(ask() == nullptr);
}

CAF_TEST(tasks that are known are not listed again) {
  auto ticket = ask();
  CAF_CHECK_EQUAL(received().brief, 0u);
  ticket->tasks_are_known();
  auto other = ask();
  CAF_CHECK_EQUAL(received().brief, 1u);
}

CAF_TEST(a child that nobody waits for is collected when it is there) {
  ask().reset();
  auto slot = received().slot;
  CAF_CHECK(uut->look());
  auto pid = process();
  slots[slot] = static_cast<uint32_t>(pid);
  while (uut->look())
    usleep(1000);
  CAF_CHECK(is_collected(pid));
}

CAF_TEST(the end of the fork server leaves no process behind) {
  ask().reset();
  ask().reset();
  auto pid = process();
  slots[received().slot] = static_cast<uint32_t>(pid);
  uut->close();
  CAF_CHECK(is_collected(pid));
  CAF_CHECK(!uut->look());
}

CAF_TEST(a process that could not be made leaves nothing) {
  auto ticket = ask();
  slots[received().slot] = fork_server::no_process;
  CAF_CHECK(!ticket->take());
  ticket.reset();
  CAF_CHECK(!uut->look());
}

CAF_TEST(a request that has no process for long is seen) {
  auto ticket = ask(t0);
  CAF_CHECK(!uut->is_stuck(t0));
  CAF_CHECK(uut->is_stuck(t0 + 1ms));
  slots[received().slot] = 4711;
  CAF_CHECK(!uut->is_stuck(t0 + 1ms));
}

CAF_TEST(the line is looked after only while requests are open) {
  auto ticket = ask();
  auto other = ask();
  CAF_CHECK_EQUAL(wakes, 1u);
  slots[received().slot] = 4711;
  slots[received().slot] = 4712;
  CAF_CHECK(uut->look()); // nobody has taken them yet
  CAF_REQUIRE(ticket->take());
  CAF_REQUIRE(other->take());
  ticket.reset();
  other.reset();
  CAF_CHECK(!uut->look());
  ticket = ask();
  CAF_CHECK_EQUAL(wakes, 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
