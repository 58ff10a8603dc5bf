#include "actors/pool/child_worker.hpp"

#include "actors/pool/process.hpp"
#include "actors/supervision/supervision_errc.hpp"
#include "protocol/child/frames.hpp"

#include <caf/io/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbel {

namespace {

using reap_atom = caf::atom_constant<caf::atom("reap")>;
using unborn_atom = caf::atom_constant<caf::atom("unborn")>;

/// Between two looks at a process whose socket is closed but which still ends.
/// Its successor is not started before that.
constexpr auto reap_interval = std::chrono::milliseconds{1};

/// What is read at once. CAF clears so much memory for each new child.
constexpr size_t read_max = 64 * 1024;

/// A child that closed its socket and does not end is killed after this many
/// looks.
constexpr int reap_patience = 200;

/// Its last word.
void exit_with(child_worker_actor* self, std::string how) {
  auto& st = self->state;
  self->send(st.pool, child_exited{st.id, std::move(how), st.seen});
  self->quit();
}

void kill_child(child_worker_actor* self, std::string why) {
  auto& st = self->state;
  if (!why.empty())
    st.fault = std::move(why);
  if (auto pid = st.pid())
    ::kill(*pid, SIGKILL);
  else // it is not wanted any more; the fork server's line collects it
    exit_with(self, "signal 9 (SIGKILL)");
}

/// Sends at once what the socket takes, which is nearly always everything; CAF
/// would wait for the event loop to say that it may. CAF gets the rest.
/// @returns false if the other end is closed: nothing of this arrives
bool send_bytes(child_worker_actor* self, std::string_view bytes) {
  auto& st = self->state;
  if (st.closed)
    return false;
  if (!st.unsent) {
    auto n = ::send(st.process.socket, bytes.data(), bytes.size(),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
      return false; // seen again where the socket is read
    if (n > 0)
      bytes.remove_prefix(static_cast<size_t>(n));
    if (bytes.empty())
      return true;
  }
  st.unsent = true;
  auto& buffer = self->wr_buf(st.socket);
  buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  self->flush(st.socket);
  return true;
}

template <class Frame>
void send_frame(child_worker_actor* self, const Frame& frame) {
  std::string bytes;
  frame::append(bytes, frame);
  send_bytes(self, bytes);
}

void send_jobs(child_worker_actor* self, const std::vector<job>& jobs) {
  auto& st = self->state;
  if (self->wr_buf(st.socket).size() > st.unsent_max) {
    kill_child(self, "it does not read from its socket");
    return;
  }
  std::string bytes;
  for (auto& x : jobs)
    frame::append(bytes, frame::job{x.id, *x.payload});
  if (send_bytes(self, bytes))
    st.seen += jobs.size();
}

/// Collects what one read brought and forwards it: outcomes in one message.
struct forwarder {
  child_worker_actor* self;
  child_outcomes done;

  void operator()(frame::hello& x) {
    auto& st = self->state;
    if (st.process.ticket && !x.tasks.empty())
      st.process.ticket->tasks_are_known();
    auto pid = st.pid();
    if (pid && st.watch_memory)
      st.memory = memory_gauge{*pid};
    self->send(st.pool, child_hello{done.child, std::move(x.tasks),
                                    pid.value_or(0)});
  }

  void operator()(frame::failed& x) {
    self->send(self->state.pool, child_failed{done.child, std::move(x.reason)});
  }

  void operator()(outcome& x) {
    done.outcomes.emplace_back(std::move(x));
  }

  void operator()(frame::state& x) {
    flush();
    self->send(self->state.pool,
               child_state{done.child, x.job, std::move(x.document)});
  }

  void operator()(frame::event& x) {
    flush();
    self->send(self->state.pool,
               child_event{done.child, x.job, std::move(x.type),
                           std::move(x.fields)});
  }

  void operator()(frame::returned& x) {
    flush();
    self->send(self->state.pool,
               child_returned{done.child, std::move(x.jobs)});
  }

  void operator()(frame::log& x) {
    auto level = static_cast<spdlog::level::level_enum>(
      std::min<int>(x.level, spdlog::level::critical));
    spdlog::log(level, "{}", x.text);
  }

  /// The answer comes from another thread, hence through the mailbox.
  void operator()(frame::call& x) {
    auto& st = self->state;
    st.calls[x.number] = st.caller->call(
      task_id{x.id}, std::move(x.message),
      [number = x.number, hdl = caf::actor{self}](expected<std::string> y) {
        child_result result{number, std::nullopt, {}};
        if (y) {
          result.text = std::move(*y);
        } else {
          result.failure = y.error().code;
          result.text = y.error().what;
        }
        caf::anon_send(hdl, std::move(result));
      });
  }

  void operator()(frame::ask& x) {
    self->state.caller->ask(
      std::move(x.what), [number = x.number, hdl = caf::actor{self}](
                           expected<std::vector<std::string>> texts) {
        caf::anon_send(hdl, child_answer{number, std::move(texts)});
      });
  }

  void operator()(frame::forget& x) {
    auto& st = self->state;
    if (auto node = st.calls.extract(x.call))
      st.caller->forget(node.mapped());
  }

  void flush() {
    if (done.outcomes.empty())
      return;
    auto id = done.child;
    done.memory = self->state.memory.read();
    self->send(self->state.pool, std::move(done));
    done = child_outcomes{id, {}};
  }
};

void on_bytes(child_worker_actor* self, const caf::io::new_data_msg& msg) {
  auto& st = self->state;
  st.received.append(reinterpret_cast<const char*>(msg.buf.data()),
                     msg.buf.size());
  std::string_view rest = st.received;
  forwarder forward{self, {st.id, {}}};
  for (;;) {
    auto frame = frame::next(rest);
    if (!frame)
      return kill_child(self, frame.error().what);
    if (frame->empty())
      break;
    auto decoded = frame::decode_from_child(*frame);
    if (!decoded)
      return kill_child(self, decoded.error().what);
    std::visit(forward, *decoded);
  }
  forward.flush();
  st.received.erase(0, st.received.size() - rest.size());
}

void on_reap(child_worker_actor* self, int looks) {
  auto& st = self->state;
  auto how = reap(st.process.pid);
  if (!how) {
    if (looks == reap_patience)
      ::kill(st.process.pid, SIGKILL);
    caf::delayed_anon_send(self, reap_interval, reap_atom::value, looks + 1);
    return;
  }
  st.process.pid = -1;
  if (!st.fault.empty())
    *how += ": " + st.fault;
  exit_with(self, std::move(*how));
}

void attach(child_worker_actor* self) {
  auto& st = self->state;
  st.closed = false;
  st.unsent = false;
  st.socket = self->add_scribe(
    static_cast<caf::io::network::native_socket>(st.process.socket));
  self->configure_read(st.socket,
                       caf::io::receive_policy::at_most(read_max));
  self->ack_writes(st.socket, true);
  if (!st.process.ticket)
    send_bytes(self, st.source->configure_frame);
}

/// Nobody has the other end of the socket, and there is no process: the fork
/// server is gone or could not make one.
void on_unborn(child_worker_actor* self) {
  auto& st = self->state;
  auto process = st.source->start_by_exec();
  if (!process)
    return exit_with(self, process.error().what);
  st.process = *process;
  attach(self);
}

void on_stop(child_worker_actor* self) {
  if (self->state.pid())
    send_frame(self, frame::stop{});
  else // it has nothing to finish; see kill_child
    exit_with(self, "exit status 0");
}

} // namespace

std::optional<pid_t> child_worker_state::pid() {
  auto& [pid, socket, ticket] = process;
  if (ticket)
    if (auto taken = ticket->take()) {
      pid = *taken;
      ticket = nullptr;
    }
  if (pid < 0)
    return std::nullopt;
  return pid;
}

child_worker_state::~child_worker_state() {
  for (auto& [theirs, ours] : calls)
    caller->forget(ours);
  if (auto x = pid()) {
    ::kill(*x, SIGKILL);
    waitpid(*x, nullptr, 0);
  }
}

caf::behavior child_worker(child_worker_actor* self, caf::actor pool,
                           uint64_t id,
                           std::shared_ptr<const child_source> source,
                           child_process process, bool watch_memory,
                           std::shared_ptr<task_caller> calls) {
  auto& st = self->state;
  st.caller = std::move(calls);
  st.id = id;
  st.source = std::move(source);
  st.process = std::move(process);
  st.watch_memory = watch_memory;
  st.pool = std::move(pool);
  attach(self);
  return {
    [=](describe_atom) {
      auto pid = self->state.pid();
      if (!pid)
        return describe_self(self, "asked the fork server for a process");
      auto kib = static_cast<double>(memory_gauge{*pid}.read());
      return describe_self(
          self, fmt::format("process {}, {:.1f} MiB", *pid, kib / 1024));
    },
    [=](const child_jobs& x) { send_jobs(self, x.jobs); },
    [=](child_recall) { send_frame(self, frame::recall{}); },
    [=](child_stop) { on_stop(self); },
    [=](child_interrupt x) { send_frame(self, frame::interrupt{x.job}); },
    [=](child_signal x) {
      if (auto pid = self->state.pid())
        ::kill(*pid, x.number);
    },
    [=](const child_kill& x) { kill_child(self, x.why); },
    [=](child_sample) {
      auto& st = self->state;
      self->send(st.pool, child_memory{st.id, st.memory.read()});
    },
    [=](child_result& x) {
      auto& st = self->state;
      if (st.calls.erase(x.call) > 0)
        send_frame(self, frame::result{x.call, x.failure, std::move(x.text)});
    },
    [=](child_answer& x) {
      frame::answer answer{x.question, std::nullopt, {}, {}};
      if (x.texts) {
        answer.texts = std::move(*x.texts);
      } else {
        answer.failure = x.texts.error().code;
        answer.reason = x.texts.error().what;
      }
      send_frame(self, answer);
    },
    [=](const caf::io::new_data_msg& msg) { on_bytes(self, msg); },
    [=](const caf::io::data_transferred_msg& msg) {
      self->state.unsent = msg.remaining > 0;
    },
    [=](const caf::io::connection_closed_msg&) {
      auto& st = self->state;
      st.closed = true;
      if (st.pid())
        caf::anon_send(self, reap_atom::value, 0);
      else
        caf::anon_send(self, unborn_atom::value);
    },
    [=](unborn_atom) { on_unborn(self); },
    [=](reap_atom, int looks) { on_reap(self, looks); },
  };
}

// -- child_source -----------------------------------------------------------------

expected<child_process> child_source::start(fork_line::time_point now) const {
  if (!lines || !lines->current)
    return start_by_exec();
  auto pair = make_socket_pair(SOCK_STREAM);
  if (!pair)
    return pair.error();
  auto ticket = lines->current->request(pair->theirs, now);
  close(pair->theirs);
  if (ticket)
    return child_process{-1, pair->ours, std::move(ticket)};
  close(pair->ours);
  return start_by_exec();
}

expected<child_process> child_source::start_by_exec() const {
  auto pair = make_socket_pair(SOCK_STREAM);
  if (!pair)
    return pair.error();
  auto pid = start_process({executable}, {pair->theirs});
  close(pair->theirs);
  if (!pid) {
    close(pair->ours);
    return pid.error();
  }
  return child_process{*pid, pair->ours, nullptr};
}

child_factory process_children(child_source source, bool watch_memory,
                               std::shared_ptr<task_caller> calls) {
  auto from = std::make_shared<const child_source>(std::move(source));
  return [=](caf::local_actor* parent, const caf::actor& pool,
             uint64_t id) -> caf::expected<caf::actor> {
    auto process = from->start(std::chrono::steady_clock::now());
    if (!process)
      return caf::make_error(supervision_errc::start_failed, process.error().what);
    return parent->system().middleman().spawn_broker(
      child_worker, pool, id, from, *process, watch_memory, calls);
  };
}

} // namespace umbel
