#include "actors/consumer/consumer.hpp"

#include "actors/actor_now.hpp"
#include "actors/cluster/messages.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

using surplus_atom = caf::atom_constant<caf::atom("surplus")>;
using renew_atom = caf::atom_constant<caf::atom("renew")>;
using recover_atom = caf::atom_constant<caf::atom("recover")>;

} // namespace

// -- messages come in -----------------------------------------------------------

void consumer_state::on_deliveries(deliveries& x) {
  outstanding -= std::min(outstanding, x.batch.size());
  delivered += x.batch.size();
  std::vector<job> runnable;
  for (auto& one : x.batch)
    admit(one, runnable);
  if (!runnable.empty())
    self->send(pool, run_jobs{std::move(runnable)});
  flush();
  grant();
}

void consumer_state::admit(delivery& x, std::vector<job>& runnable) {
  auto header = read_task_header(x.payload, options.content);
  if (!header) {
    spdlog::error("malformed message in queue {} goes to its dead letters: {}",
                  x.queue.str(), header.error().what);
    settlements.add(
      settle_malformed(x, header.error().what, options.settings));
    return;
  }
  request r;
  r.tag = std::move(x.tag);
  r.queue = std::move(x.queue);
  r.header = std::move(*header);
  r.settings = options.settings;
  r.payload = std::make_shared<const std::string>(std::move(x.payload));
  r.unique = unique_terms_of(*r.payload);
  auto task = tasks.find(r.header.task);
  if (task == tasks.end()) {
    spdlog::error("Received unregistered task of type '{}'; it goes to the "
                  "dead letters of queue {}",
                  r.header.task, r.queue.str());
    r.task = resolve({}, options.acknowledgement);
    auto refused = settle_refused(r, "FAILURE", not_registered(r.header.task));
    refused.dead = dead_letter{"task '" + r.header.task + "' is not registered",
                               *r.payload};
    settlements.add(std::move(refused));
    return;
  }
  r.task = task->second;
  if (spdlog::should_log(spdlog::level::info)) // else not even the name is made
    spdlog::info("Task {} received", r.display_name());
  if (drain_requester) {
    settlements.add(settle_restored(r));
    return;
  }
  auto id = ++last_job;
  auto& stored = requests.emplace(id, std::move(r)).first->second;
  tell_received(stored);
  begin(id, stored, runnable);
}

prefetch_window::time_point consumer_state::steady_now() const {
  return actor_now(self);
}

void consumer_state::grant() {
  if (!reader || tasks.empty() || drain_requester
      || settlements.size() > unconfirmed_max)
    return;
  auto size = window.size(steady_now());
  auto used = unfinished() + outstanding;
  // Credit comes in portions, so that reservations stay batches.
  if (used < size && size - used >= std::max<size_t>(1, size / 8)) {
    outstanding += size - used;
    self->send(reader, credit{size - used});
  }
  if (unfinished() > window.base() && !surplus_check) {
    surplus_check = delivered;
    self->delayed_send(self, surplus_delay, surplus_atom::value);
  }
}

void consumer_state::give_back_surplus() {
  // If all that are here have come since, none has waited long: the window breathes.
  auto fresh = delivered - *std::exchange(surplus_check, std::nullopt);
  if (unfinished() > std::max<size_t>(fresh, window.size(steady_now())))
    self->send(pool, take_back{window.base()});
  grant();
}

void consumer_state::on_pool_capacity(pool_capacity x) {
  if (options.prefetch_multiplier == 0)
    return;
  window.set_base(x.children * options.prefetch_multiplier);
  grant();
}

// -- connections come and go ----------------------------------------------------

void consumer_state::on_reader_up(reader_up& x) {
  reader = std::move(x.reader);
  terms = std::move(x.terms);
  self->monitor(reader);
  outstanding = 0;
  fetching = true;
  if (drain_requester)
    self->send(reader, pause_reader{});
  announce();
  grant();
}

void consumer_state::announce() {
  if (!announced && reader && hears && !tasks.empty()) {
    announced = true;
    spdlog::info("{} ready.", options.node.str());
    options.on_running();
  }
  auto late = [](auto& x) { return *x.second.acks_late; };
  if (announced && !warned && !terms.limit.empty()
      && std::any_of(tasks.begin(), tasks.end(), late)) {
    warned = true;
    spdlog::warn("tasks with acks_late: {}", terms.limit);
  }
}

void consumer_state::on_writer_up(writer_up& x) {
  writer = std::move(x.writer);
  merge_revoked(x.revoked);
  self->monitor(writer);
  if (options.events)
    self->send(options.events, publisher_up{writer});
  renew();
  repeat_questions();
  if (announced)
    recover_from = steady_now() + options.lease;
  recover();
}

void consumer_state::recover() {
  if (writer && steady_now() >= recover_from)
    self->send(writer, recover_lost{});
}

void consumer_state::on_settler_up(caf::actor x) {
  settler = std::move(x);
  self->monitor(settler);
  for (auto& batch : settlements.unconfirmed())
    self->send(settler, batch);
}

void consumer_state::on_down(const caf::actor_addr& source) {
  if (reader == source)
    on_reader_down();
  if (settler == source)
    settler = nullptr;
  if (writer == source) { // it may be the settler, too
    writer = nullptr;
    if (last_steps == farewell::releasing)
      last_steps = farewell::none;
  }
  check_drained();
}

void consumer_state::on_reader_down() {
  reader = nullptr;
  outstanding = 0;
  fetching = false;
  if (!terms.ends_with_connection)
    return;
  give_back_unbegun();
}

/// It is somebody else's by now; what is not goes back.
void consumer_state::give_back_unbegun() {
  self->send(pool, take_back{0});
  return_held();
}

void consumer_state::on_lease_lapsed() {
  recover_from = steady_now() + options.lease;
  give_back_unbegun();
  flush();
}

void consumer_state::flush() {
  if (auto batch = settlements.close(); batch && settler)
    self->send(settler, std::move(*batch));
  send_questions();
  check_drained();
}

void consumer_state::on_confirmed(const confirmed& x) {
  auto held_back = settlements.size() > unconfirmed_max;
  settlements.confirm(x);
  on_noted(x);
  if (held_back)
    grant();
  check_drained();
}

void consumer_state::renew() {
  if (!writer)
    return;
  renew_lease x;
  for (auto& [id, r] : requests)
    if (!r.acked)
      x.tags.push_back(r.tag);
  self->send(writer, std::move(x));
}

// -- the end --------------------------------------------------------------------

void consumer_state::on_drain(caf::actor requester) {
  acknowledge_started(prefetch_window::time_point::max()); // so that they count
  drain_requester = std::move(requester);
  options.on_draining(runs_now());
  if (reader) {
    self->send(reader, pause_reader{});
    options.interrupt_reader();
  }
  self->send(pool, quiet{});
  return_held();
}

void consumer_state::return_held() {
  std::vector<uint64_t> held;
  for (auto i = requests.rbegin(); i != requests.rend(); ++i)
    if (i->second.held || i->second.waits_for_broker())
      held.push_back(i->first);
  num_held = 0;
  on_returned(jobs_returned{std::move(held)});
}

void consumer_state::on_abandon(caf::actor requester) {
  abandoning = true;
  if (!drain_requester)
    on_drain(std::move(requester));
  for (auto& [id, r] : requests) {
    spdlog::warn("giving up running task {}", r.display_name());
    self->send(pool, kill_job{id});
  }
}

void consumer_state::check_drained() {
  if (!drain_requester || last_steps != farewell::none || !requests.empty()
      || fetching || !settlements.empty())
    return;
  last_steps = farewell::telling;
  if (options.events)
    self->send(options.events, finish_events{});
  else
    release();
}

void consumer_state::release() {
  if (last_steps != farewell::telling)
    return;
  last_steps = farewell::releasing;
  if (writer)
    self->send(writer, release_lease{});
  else
    on_released();
}

void consumer_state::on_released() {
  if (last_steps != farewell::releasing)
    return;
  last_steps = farewell::released;
  options.on_drained();
  self->send(drain_requester, drained{});
}

// -- behavior -------------------------------------------------------------------

caf::behavior consumer(caf::stateful_actor<consumer_state>* self,
                       consumer_options options, caf::actor pool,
                       caf::actor timer) {
  auto& st = self->state;
  st.self = self;
  st.window = prefetch_window{options.prefetch, options.prefetch_fixed};
  st.options = std::move(options);
  st.hears = !st.options.has_listener;
  st.pool = std::move(pool);
  st.timer = std::move(timer);
  self->set_down_handler(
    [self](caf::down_msg& x) { self->state.on_down(x.source); });
  self->send(st.pool, attach_consumer{self});
  self->delayed_send(self, st.options.lease / 3, renew_atom::value);
  self->delayed_send(self, st.options.recover_interval, recover_atom::value);
  return caf::message_handler{
    [self](reader_up& x) { self->state.on_reader_up(x); },
    [self](writer_up& x) { self->state.on_writer_up(x); },
    [self](listener_up) {
      self->state.hears = true;
      self->state.announce();
    },
    [self](settler_up& x) { self->state.on_settler_up(std::move(x.settler)); },
    [self](deliveries& x) {
      // A reader that was left behind may still get an answer: its successor
      // has taken over what it reserved.
      if (self->current_sender() == self->state.reader)
        self->state.on_deliveries(x);
    },
    [self](const woken& x) { self->state.on_woken(x); },
    [self](const turns& x) { self->state.on_turns(x); },
    [self](const key_holders& x) { self->state.on_keys(x); },
    [self](pool_ready& x) { self->state.on_pool_ready(x); },
    [self](pool_capacity x) { self->state.on_pool_capacity(x); },
    [self](pool_report& x) { self->state.on_report(x); },
    [self](job_state& x) { self->state.on_state(x); },
    [self](job_event& x) { self->state.tell_own(x); },
    [self](const time_limit_over& x) { self->state.on_time_limit(x); },
    [self](const job_lost& x) { self->state.on_lost(x); },
    [self](const jobs_returned& x) { self->state.on_returned(x); },
    [self](confirmed x) { self->state.on_confirmed(x); },
    [self](reader_paused) {
      self->state.fetching = false;
      self->state.check_drained();
    },
    [self](events_finished) { self->state.release(); },
    [self](released) { self->state.on_released(); },
    [self](recover_lost) { self->state.recover(); },
    [self](lease_renewed x) {
      self->send(self->state.pool, work_until{x.until});
    },
    [self](lease_lapsed) { self->state.on_lease_lapsed(); },
    [self](acknowledge_atom) {
      auto& st = self->state;
      st.started_watched = false;
      st.acknowledge_started(st.steady_now());
    },
    [self](surplus_atom) { self->state.give_back_surplus(); },
    [self](renew_atom) {
      self->state.renew();
      self->delayed_send(self, self->state.options.lease / 3,
                         renew_atom::value);
    },
    [self](recover_atom) {
      auto& st = self->state;
      st.recover();
      self->delayed_send(self, st.options.recover_interval,
                         recover_atom::value);
    },
    [self](list_appetite) {
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 self->state.appetite_now());
    },
    [self](list_unfinished) {
      self->send(caf::actor_cast<caf::actor>(self->current_sender()),
                 self->state.unfinished_now());
    },
    [self](describe_atom) { return self->state.own_description(); },
    [self](const revoke_tasks& x) { self->state.on_revoke(x); },
    [self](const learn_revoked& x) { self->state.on_learn(x); },
    [self](drain) {
      self->state.on_drain(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
    [self](abandon) {
      self->state.on_abandon(
        caf::actor_cast<caf::actor>(self->current_sender()));
    },
  }.or_else(st.inspection());
}

} // namespace umbel
