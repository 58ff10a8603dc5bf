#include "apps/child/fork_server.hpp"

#include "protocol/child/fork_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace umbel {

namespace {

using namespace fork_server;

/// Where the C library keeps the number of the main thread, which a fork has to
/// renew. (Its own fork() does; that one cannot make a sibling.)
int* thread_number() {
  int* result = nullptr;
  return prctl(PR_GET_TID_ADDRESS, &result, 0, 0, 0) == 0 ? result : nullptr;
}

/// The kernel does not hand on the list of robust mutexes either.
struct robust_list {
  void* head = nullptr;
  size_t size = 0;

  robust_list() {
    syscall(SYS_get_robust_list, 0, &head, &size);
  }

  void renew() const {
    if (head)
      syscall(SYS_set_robust_list, head, size);
  }
};

/// As fork(), but the process is a child of this one's parent, and `slot` has
/// its id before it runs. @returns 0 in the child, -1 if there is none
pid_t fork_sibling(slot& to, int* thread) {
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PARENT_SETTID;
  arguments.parent_tid = reinterpret_cast<uint64_t>(&to);
  if (thread) {
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = reinterpret_cast<uint64_t>(thread);
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

volatile std::sig_atomic_t farewell = 0;

/// From the worker alone: it will ask for no more children.
void on_farewell_signal(int, siginfo_t* info, void*) {
  if (info->si_pid != getppid())
    return;
  farewell = 1;
  shutdown(line_fd, SHUT_RD); // ends a wait in progress, or the next one
}

/// One request. @returns the child's socket; the worker is gone if there is none
int receive_request(request& to) {
  for (;;) {
    iovec data{&to, sizeof(to)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof(control);
    auto n = recvmsg(line_fd, &packet, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    int result = -1;
    if (auto header = CMSG_FIRSTHDR(&packet);
        header && header->cmsg_type == SCM_RIGHTS)
      std::memcpy(&result, CMSG_DATA(header), sizeof(result));
    if (result >= 0 && n == sizeof(to) && to.slot < slots_max)
      return result;
    if (result >= 0) // not from a worker of this version
      close(result);
  }
}

/// Ends the process in the middle of exit(): what was made before belongs to the
/// fork server, and to all its children; what a child has made since has been
/// destroyed by now.
void leave(int status, void*) {
  std::fflush(nullptr);
  _exit(status);
}

/// What the signal does in children: what libraries have it do.
struct sigaction before_farewell {};

void become_child(int socket, const robust_list& mutexes, char** arguments) {
  // Should the worker be dead already, the socket is at its end.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigaction(farewell_signal, &before_farewell, nullptr);
  mutexes.renew();
  dup3(socket, line_fd, O_CLOEXEC);
  close(socket);
  prctl(PR_SET_NAME, "child");
  std::memset(arguments[1], 0, std::strlen(arguments[1]));
}

std::vector<std::string> entries(const char* folder) {
  std::vector<std::string> result;
  for (auto& x : std::filesystem::directory_iterator{folder})
    result.push_back(x.path().filename());
  std::sort(result.begin(), result.end());
  return result;
}

} // namespace

process_census process_census::take() {
  return {entries("/proc/self/task").size(), entries("/proc/self/fd")};
}

std::string obstacle_to_fork(const process_census& before) {
  auto after = process_census::take();
  if (after.threads > 1)
    return "a task library starts a thread while it is loaded";
  if (after.files != before.files)
    return "a task library opens a file or a connection while it is loaded";
  return {};
}

expected<frame::configure> receive_fork_configuration() {
  auto size = recv(line_fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  std::string packet(static_cast<size_t>(std::max<ssize_t>(size, 0)), '\0');
  if (size <= 0 || recv(line_fd, packet.data(), packet.size(), 0) != size)
    _exit(EXIT_SUCCESS);
  std::string_view rest = packet;
  auto frame = frame::next(rest);
  if (!frame)
    return frame.error();
  auto decoded = frame::decode_from_parent(*frame);
  if (!decoded)
    return decoded.error();
  if (auto x = std::get_if<frame::configure>(&*decoded))
    return std::move(*x);
  return error{errc::malformed, "the first frame is not 'configure'"};
}

bool serve_forks(char** arguments, const std::function<void()>& on_farewell) {
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = on_farewell_signal;
  sigaction(farewell_signal, &action, &before_farewell);
  auto memory = mmap(nullptr, slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                     slots_fd, 0);
  // Not the children's: they could write into each other's slots.
  if (memory == MAP_FAILED || madvise(memory, slots_bytes, MADV_DONTFORK) != 0) {
    std::fprintf(stderr, "umbel fork server: cannot share memory: %s\n",
                 strerror(errno));
    _exit(EXIT_FAILURE);
  }
  close(slots_fd);
  unsetenv(environment);
  auto slots = static_cast<slot*>(memory);
  auto thread = thread_number();
  robust_list mutexes;
  on_exit(leave, nullptr);
  // What the libraries have printed is printed once.
  std::fflush(nullptr);
  std::cout.flush();
  std::clog.flush();
  for (;;) {
    request wanted;
    auto socket = receive_request(wanted);
    if (socket < 0) {
      if (farewell)
        on_farewell();
      std::fflush(nullptr);
      _exit(EXIT_SUCCESS);
    }
    auto pid = fork_sibling(slots[wanted.slot], thread);
    if (pid == 0) {
      become_child(socket, mutexes, arguments);
      return wanted.brief != 0;
    }
    if (pid < 0)
      slots[wanted.slot].store(no_process);
    close(socket);
  }
}

} // namespace umbel
