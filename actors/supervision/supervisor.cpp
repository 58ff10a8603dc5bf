#include "actors/supervision/supervisor.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using wakeup_atom = caf::atom_constant<caf::atom("wakeup")>;

using phase = supervisor_state::phase;

bool is_leaving(phase x) {
  return x == phase::leaving || x == phase::stopping || x == phase::killed;
}

/// OTP's table of restart types.
bool wants_restart(umbel::restart type, const caf::error& reason) {
  switch (type) {
    case restart::permanent:
      return true;
    case restart::transient:
      return !is_normal(reason);
    default:
      return false;
  }
}

/// Runs foreign code: nothing that it throws gets further.
caf::expected<caf::actor> run(const start_function& start,
                              caf::local_actor* parent, const siblings& xs) {
  try {
    if (auto result = start(parent, xs))
      return result;
    return make_error(supervision_errc::start_failed, "no actor came back");
  } catch (const std::exception& x) {
    return make_error(supervision_errc::start_failed, x.what());
  } catch (...) {
    return make_error(supervision_errc::start_failed, "an unknown exception");
  }
}

/// Overtakes whatever else waits in the mailbox.
void kill_actor(const caf::actor& x) {
  if (x)
    caf::anon_send<caf::message_priority::high>(
        x, caf::exit_msg{x.address(), caf::exit_reason::kill});
}

double seconds(caf::timespan x) {
  return std::chrono::duration<double>(x).count();
}

} // namespace

// -- behavior -----------------------------------------------------------------

caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self,
                         std::string name, supervisor_flags flags,
                         std::vector<child_spec> children) {
  auto& st = self->state;
  st.self = self;
  st.label = std::move(name);
  st.flags = flags;
  st.history = restart_history{flags.intensity, flags.backoff};
  for (auto& x : children)
    if (!st.add(x))
      st.shut_down(make_fatal("supervisor " + st.label
                              + " has two children called " + x.id));
  self->set_down_handler([self](caf::down_msg& x) { self->state.on_down(x); });
  self->set_exit_handler(
      [self](caf::exit_msg& x) { self->state.on_exit(x.reason); });
  // An actor cannot quit before it has a behavior: start with a message.
  self->send(self, wakeup_atom::value);
  return {
      [self](wakeup_atom) { self->state.step(); },
      [self](which_children_atom) { return self->state.which_children(); },
      [self](describe_atom) { return self->state.own_description(); },
      [self](count_children_atom) { return self->state.count_children(); },
      [self](start_child_atom, child_spec& x) {
        self->state.start_child(std::move(x));
      },
      [self](terminate_child_atom, const std::string& id) {
        self->state.terminate_child(id);
      },
      [self](delete_child_atom, const std::string& id) -> caf::result<void> {
        if (auto err = self->state.delete_child(id))
          return err;
        return caf::unit;
      },
  };
}

// -- what happens -------------------------------------------------------------

void supervisor_state::on_down(const caf::down_msg& x) {
  auto is_source = [&](const child& y) { return y.handle == x.source; };
  auto i = std::find_if(children.begin(), children.end(), is_source);
  if (i == children.end())
    return; // it was left behind before
  ended(*i, x.reason);
  step();
}

void supervisor_state::on_exit(const caf::error& reason) {
  if (!reason)
    return; // the normal end of a linked actor concerns nobody
  shut_down(reason);
  step();
}

// -- what is next -------------------------------------------------------------

void supervisor_state::step() {
  for (;;) {
    if (auto* x = next_to_stop()) {
      if (x->deadline > now())
        return;
      stop_further(*x);
    } else if (is_stopping) {
      return quit();
    } else if (auto* y = next_to_start()) {
      start(*y);
    } else {
      return;
    }
  }
}

supervisor_state::child* supervisor_state::next_to_stop() {
  auto leaves = [](const child& x) { return is_leaving(x.phase); };
  auto i = std::find_if(children.rbegin(), children.rend(), leaves);
  return i != children.rend() ? &*i : nullptr;
}

supervisor_state::child* supervisor_state::next_to_start() {
  child* result = nullptr;
  for (auto& x : children) {
    if (x.phase != phase::waiting)
      continue;
    if (x.deadline > now()) {
      // A group waits for its slowest member, and then starts in order.
      if (flags.strategy != strategy::one_for_one)
        return nullptr;
    } else if (result == nullptr) {
      result = &x;
    }
  }
  return result;
}

void supervisor_state::stop_further(child& x) {
  if (x.phase == phase::leaving && x.spec.shutdown.count() > 0) {
    self->send_exit(x.handle, caf::exit_reason::user_shutdown);
    enter(x, phase::stopping, x.spec.shutdown);
  } else if (x.phase != phase::killed) {
    if (x.phase == phase::stopping)
      spdlog::warn("supervisor {}: {} did not end within {} s, killing it",
                   label, x.spec.id, seconds(x.spec.shutdown));
    kill_actor(x.handle);
    enter(x, phase::killed, kill_patience);
  } else {
    spdlog::error("supervisor {}: {} cannot be killed, leaving it behind",
                  label, x.spec.id);
    ended(x, supervision_errc::stuck);
  }
}

void supervisor_state::start(child& x) {
  ++x.starts;
  auto result = run(x.spec.start, self, before(x));
  x.streak.alive_since = now();
  if (result) {
    x.handle = std::move(*result);
    enter(x, phase::running, caf::timespan{0});
    self->monitor(x.handle);
    spdlog::debug("supervisor {}: started {}", label, x.spec.id);
    if (x.start_promise)
      x.start_promise->deliver(x.handle);
    x.start_promise.reset();
  } else if (x.start_promise) {
    x.start_promise->deliver(std::move(result.error()));
    forget(x);
  } else {
    ended(x, std::move(result.error()));
  }
}

// -- decisions ----------------------------------------------------------------

void supervisor_state::ended(child& x, const caf::error& reason) {
  auto was_asked_to = is_leaving(x.phase);
  auto was_killed = x.phase == phase::killed;
  x.handle = caf::actor{};
  x.phase = phase::stopped;
  x.last_reason = describe(reason);
  if (reason == supervision_errc::fatal) {
    shut_down(reason);
    retire(x);
  } else if (!was_asked_to && wants_restart(x.spec.restart, reason)) {
    restart(x);
  } else {
    if (!is_normal(reason) && !was_killed)
      spdlog::warn("supervisor {}: {} ended ({}), not restarted for that",
                   label, x.spec.id, x.last_reason);
    if (was_asked_to && x.respawn)
      enter(x, phase::waiting, caf::timespan{0});
    else
      retire(x);
  }
}

void supervisor_state::restart(child& x) {
  auto delay = history.record(now(), x.streak);
  auto& [max_restarts, period] = flags.intensity;
  if (!delay) {
    auto why = fmt::format("supervisor {} may restart {} times within {} s; "
                           "this would be number {}: {} ended ({})",
                           label, max_restarts, seconds(period),
                           history.recent(), x.spec.id, x.last_reason);
    return shut_down(make_error(supervision_errc::intensity_exceeded, why));
  }
  auto limit = max_restarts < unlimited_restarts
                   ? fmt::format(" of {}", max_restarts)
                   : std::string{};
  spdlog::warn("supervisor {}: {} ended ({}), restart {}{} within {} s, "
               "in {} s",
               label, x.spec.id, x.last_reason, history.recent(), limit,
               seconds(period), seconds(*delay));
  enter(x, phase::waiting, *delay);
  if (flags.strategy == strategy::one_for_one)
    return;
  auto is_concerned = flags.strategy == strategy::one_for_all;
  for (auto& y : children) {
    is_concerned = is_concerned || &y == &x;
    if (is_concerned && &y != &x)
      leave(y, true);
  }
}

/// Marks a child to be stopped; `step` does it when its turn comes.
void supervisor_state::leave(child& x, bool respawn) {
  switch (x.phase) {
    case phase::running:
      x.respawn = respawn && x.spec.restart != umbel::restart::temporary;
      enter(x, phase::leaving, caf::timespan{0});
      break;
    case phase::waiting: // there is nobody to stop
      break;
    case phase::stopped:
      if (respawn)
        enter(x, phase::waiting, caf::timespan{0});
      break;
    default: // on its way already; an order to stay away prevails
      x.respawn = x.respawn && respawn;
  }
}

/// The child stays away. Destroys `x` if it is temporary.
void supervisor_state::retire(child& x) {
  x.phase = phase::stopped;
  for (auto& promise : x.end_promises)
    promise.deliver(caf::unit);
  x.end_promises.clear();
  if (x.start_promise)
    x.start_promise->deliver(make_error(supervision_errc::not_found));
  x.start_promise.reset();
  if (x.spec.restart == umbel::restart::temporary)
    forget(x);
}

void supervisor_state::forget(child& x) {
  std::erase_if(children, [&](const child& y) { return &y == &x; });
}

/// Stops everything; `step` quits when all are gone. The first reason counts.
void supervisor_state::shut_down(caf::error reason) {
  if (is_stopping)
    return;
  // A fatal reason is said once, by whoever started the tree.
  if (!is_normal(reason) && !(reason == supervision_errc::fatal))
    spdlog::error("supervisor {}: shutting down: {}", label, describe(reason));
  is_stopping = true;
  stop_reason = std::move(reason);
  for (auto& x : children)
    leave(x, false);
}

void supervisor_state::quit() {
  for (auto& x : children)
    if (x.start_promise)
      x.start_promise->deliver(make_error(supervision_errc::shutting_down));
  self->quit(stop_reason);
}

supervisor_state::~supervisor_state() {
  // Nothing is alive after an orderly end. This is for a supervisor that was
  // killed, and kills go down the whole tree this way.
  for (auto& x : children)
    kill_actor(x.handle);
}

// -- the rest -----------------------------------------------------------------

supervisor_state::time_point supervisor_state::now() const {
  return self->clock().now(); // the simulated one in tests
}

void supervisor_state::enter(child& x, supervisor_state::phase next,
                             caf::timespan time) {
  x.phase = next;
  x.deadline = now() + time;
  if (time.count() > 0)
    self->scheduled_send(self, x.deadline, wakeup_atom::value);
}

supervisor_state::child* supervisor_state::find(const std::string& id) {
  auto has_id = [&](const child& x) { return x.spec.id == id; };
  auto i = std::find_if(children.begin(), children.end(), has_id);
  return i != children.end() ? &*i : nullptr;
}

bool supervisor_state::add(child_spec spec) {
  if (find(spec.id) != nullptr)
    return false;
  children.emplace_back().spec = std::move(spec);
  return true;
}

siblings supervisor_state::before(const child& x) const {
  siblings result;
  for (auto& y : children) {
    if (&y == &x)
      break;
    if (y.handle)
      result.handles.emplace(y.spec.id, y.handle);
  }
  return result;
}

// -- as a child of another supervisor ----------------------------------------

child_spec supervisor_spec(std::string id, supervisor_flags flags,
                           std::vector<child_spec> children,
                           umbel::restart restart) {
  caf::timespan shutdown = supervisor_state::kill_patience;
  for (auto& x : children)
    shutdown += x.shutdown + supervisor_state::kill_patience;
  auto start = [=](caf::local_actor* parent, const siblings&) -> caf::actor {
    return parent->spawn(supervisor, id, flags, children);
  };
  return {id, start, restart, shutdown, child_type::supervisor};
}

} // namespace umbel
