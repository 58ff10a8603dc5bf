#include "actors/pool/fork_server.hpp"

#include "actors/actor_now.hpp"
#include "actors/pool/process.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/child/frames.hpp"

#include <caf/io/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbel {

namespace {

/// Closes a descriptor on the way out.
class owned_fd {
public:
  explicit owned_fd(int fd) : fd_(fd) {
  }

  owned_fd(const owned_fd&) = delete;
  owned_fd& operator=(const owned_fd&) = delete;

  ~owned_fd() {
    if (fd_ >= 0)
      close(fd_);
  }

  int get() const noexcept {
    return fd_;
  }

  int release() noexcept {
    return std::exchange(fd_, -1);
  }

private:
  int fd_;
};

using look_atom = caf::atom_constant<caf::atom("look")>;
using reap_atom = caf::atom_constant<caf::atom("reap")>;

/// Between two looks at a process that was killed and is not collected yet.
constexpr auto server_reap_interval = std::chrono::milliseconds{1};

/// For the functions that are connected to worker_shutdown. Longer: a worker may take
/// so much longer to end.
constexpr auto farewell_max = std::chrono::seconds{2};

/// No more children from this one.
void take_back_line(fork_server_state& st) {
  auto& current = st.options.lines->current;
  if (current == st.line)
    current = nullptr;
}

void kill_server(fork_server_state& st, std::string why) {
  st.fault = std::move(why);
  kill(st.pid, SIGKILL);
}

void on_packet(fork_server_actor* self, const caf::io::new_data_msg& msg) {
  auto& st = self->state;
  st.received.append(reinterpret_cast<const char*>(msg.buf.data()),
                     msg.buf.size());
  std::string_view rest = st.received;
  for (;;) {
    auto frame = frame::next(rest);
    if (!frame)
      return kill_server(st, frame.error().what);
    if (frame->empty())
      break;
    auto decoded = frame::decode_from_child(*frame);
    if (!decoded)
      return kill_server(st, decoded.error().what);
    if (std::holds_alternative<frame::hello>(*decoded)) {
      st.ready = actor_now(self);
    } else if (std::holds_alternative<frame::failed>(*decoded)) {
      // Not a word about a library that cannot be loaded: the children are
      // about to say so.
      st.declined = true;
    } else if (auto log = std::get_if<frame::log>(&*decoded)) {
      st.declined = true;
      spdlog::warn("children are started by exec: {}", log->text);
    }
  }
  st.received.erase(0, st.received.size() - rest.size());
}

void on_look(fork_server_actor* self) {
  auto& st = self->state;
  if (!st.line || st.pid < 0)
    return;
  auto t = actor_now(self);
  if (!st.ready && t - st.started > st.options.alive)
    kill_server(st, "it has not loaded the task libraries in time");
  else if (st.ready && t - *st.ready > st.patience
           && st.line->is_stuck(t - st.patience))
    kill_server(st, "it makes no children");
  if (st.line->look() || !st.ready)
    caf::delayed_anon_send(self, st.look_interval, look_atom::value);
}

void on_server_reap(fork_server_actor* self) {
  auto& st = self->state;
  auto how = reap(st.pid);
  if (!how) {
    caf::delayed_anon_send(self, server_reap_interval, reap_atom::value);
    return;
  }
  st.pid = -1;
  st.line->close();
  if (!st.fault.empty())
    *how += ": " + st.fault;
  if (st.declined)
    self->quit();
  else
    self->quit(make_error(supervision_errc::connection_lost,
                          "its process ended with " + *how));
}

} // namespace

namespace {

/// Lets it call what is connected to worker_shutdown. @returns whether it has ended
bool said_farewell(pid_t pid) {
  using clock = std::chrono::steady_clock;
  kill(pid, fork_server::farewell_signal);
  for (auto end = clock::now() + farewell_max; clock::now() < end;) {
    siginfo_t how{};
    if (waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOHANG | WNOWAIT)
          == 0
        && how.si_pid == pid)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return false;
}

} // namespace

fork_server_state::~fork_server_state() {
  if (line)
    take_back_line(*this);
  if (pid > 0) {
    if (!ready || declined || !fault.empty() || !said_farewell(pid))
      kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  if (line)
    line->close();
}

caf::behavior fork_server_broker(fork_server_actor* self,
                                 fork_server_options options,
                                 fork_server_process process) {
  auto& st = self->state;
  st.options = std::move(options);
  st.pid = process.pid;
  st.line = std::move(process.line);
  st.started = actor_now(self);
  auto hdl = self->add_scribe(
    static_cast<caf::io::network::native_socket>(process.socket));
  self->configure_read(hdl, caf::io::receive_policy::at_most(64 * 1024));
  st.line->watch([weak = self->address()] {
    if (auto hdl = caf::actor_cast<caf::actor>(weak))
      caf::anon_send(hdl, look_atom::value);
  });
  st.options.lines->current = st.line;
  return {
    [=](describe_atom) {
      auto& st = self->state;
      return describe_self(
        self, fmt::format("process {}, {}, {} children started", st.pid,
                          st.ready ? "ready" : "loads the task libraries",
                          st.line->num_started()));
    },
    [=](const caf::io::new_data_msg& msg) { on_packet(self, msg); },
    [=](const caf::io::connection_closed_msg&) {
      auto& st = self->state;
      take_back_line(st);
      kill(st.pid, SIGKILL);
      caf::anon_send(self, reap_atom::value);
    },
    [=](look_atom) { on_look(self); },
    [=](reap_atom) { on_server_reap(self); },
  };
}

expected<fork_server_process>
start_fork_server(const fork_server_options& options) {
  auto failed = [](std::string_view what) {
    return error{errc::unavailable, fmt::format("cannot {} a fork server: {}",
                                                what, strerror(errno))};
  };
  owned_fd slots{memfd_create("umbel children", MFD_CLOEXEC)};
  if (slots.get() < 0 || ftruncate(slots.get(), fork_server::slots_bytes) != 0)
    return failed("make memory for");
  auto pair = make_socket_pair(SOCK_SEQPACKET);
  if (!pair)
    return pair.error();
  owned_fd ours{pair->ours};
  owned_fd theirs{pair->theirs};
  auto& frame = options.configure_frame;
  if (send(ours.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
      < 0)
    return failed("configure");
  auto line = fork_line::make(ours.get(), slots.get());
  if (!line)
    return line.error();
  auto pid = start_process({options.executable, fork_server::argument},
                           {theirs.get(), slots.get()},
                           {std::string{fork_server::environment} + "=1"});
  if (!pid)
    return pid.error();
  return fork_server_process{*pid, ours.release(), std::move(*line)};
}

child_spec fork_server_spec(const fork_server_options& options) {
  child_spec process;
  process.id = "process";
  process.restart = restart::transient;
  process.start = [options](caf::local_actor* parent, const siblings&) {
    auto process = start_fork_server(options);
    if (!process)
      throw std::runtime_error(process.error().what);
    return parent->system().middleman().spawn_broker(fork_server_broker,
                                                     options, *process);
  };
  supervisor_flags flags;
  flags.intensity = {unlimited_restarts, std::chrono::hours{1}};
  flags.backoff = {std::chrono::milliseconds{10}, std::chrono::seconds{30}};
  return supervisor_spec("fork server", flags, {std::move(process)});
}

} // namespace umbel
