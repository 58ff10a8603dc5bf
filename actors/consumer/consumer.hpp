// consumer: decides what happens to each message.
//
//  1. grants the reader credit, as much as the prefetch window allows;
//  2. reads the header of each delivery: malformed, unknown and expired ones
//     are settled at once, those with an eta or a rate limit wait (see
//     waiting.cpp), the others go to the pool;
//  3. refuses what was revoked (see revoking.cpp), and second ones of unique tasks
//     (see unique_tasks.cpp);
//  4. turns the pool's reports into settlements: acknowledged early a moment
//     after the start, or late with the result (see acknowledgement);
//  5. keeps settlements until the settler confirms them, through any number of
//     lost connections;
//  6. keeps the lease on what is unfinished, and has what others left restored;
//  7. gives up what kills its process again and again (see giving_up.cpp);
//  8. drains on shutdown.
//
// It never blocks and never touches a body. If it dies, its supervisor restarts
// pool and connections too under a new incarnation, and what it held comes back
// through the lease.
//
// Bounds: unfinished messages are limited by the prefetch window, and those that
// wait here for their time by `held_max`; the others wait in the broker.
#pragma once

#include "actors/consumer/acknowledgement.hpp"
#include "actors/consumer/inspection.hpp"
#include "actors/consumer/messages.hpp"
#include "actors/consumer/outbox.hpp"
#include "actors/consumer/prefetch_window.hpp"
#include "actors/consumer/rate_limits.hpp"
#include "actors/consumer/request.hpp"
#include "actors/consumer/revocations.hpp"
#include "actors/pool/messages.hpp"
#include "actors/supervision/description.hpp"
#include "protocol/message/delivery_history.hpp"

#include <caf/behavior.hpp>
#include <caf/message_handler.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbel {

/// To itself: what has begun, and is to be acknowledged at its beginning, is due.
using acknowledge_atom = caf::atom_constant<caf::atom("acknowledg")>;

struct consumer_options {
  size_t prefetch = 8;         ///< concurrency x prefetch_multiplier
  size_t prefetch_multiplier = 4; ///< if the pool changes its size; 0: no limit
  bool prefetch_fixed = false; ///< the multiplier was given: no more than this
  node_name node;              ///< for the log
  acknowledgement_defaults acknowledgement;
  content_rules content; ///< what messages may be written in
  /// How the ends of tasks are written that no child writes.
  std::shared_ptr<const runner_settings> settings = default_runner_settings();
  time_limits limits; ///< of tasks and messages that say nothing
  std::chrono::milliseconds lease{10'000};
  /// Between two looks at what dead owners left.
  std::chrono::milliseconds recover_interval{5'000};
  /// What was revoked; outlives the consumer.
  std::shared_ptr<revocations> revoked = std::make_shared<revocations>();
  caf::actor state_keeper; ///< null: not written down
  caf::actor events;       ///< null: nobody is told of tasks
  /// Whether anybody shall be. The event dispatcher turns it.
  std::shared_ptr<const std::atomic<bool>> task_events;
  bool sent_events = false; ///< tell also of the tasks that tasks have sent
  bool keeps_unique_keys = false; ///< the broker does
  size_t held_max = 1'000; ///< tasks that wait here for their time
  size_t max_deliveries = 20; ///< then a message is a dead letter; 0: no limit
  /// The rate limit of a task.
  std::function<task_rate(const task_options&)> rate_of
    = [](const task_options&) { return task_rate{}; };
  std::function<timestamp()> now = umbel::now; ///< tests pass a simulated one
  /// Called once when the first child is ready, with the tasks' names.
  std::function<void(std::span<const std::string>)> on_ready;
  /// Not ready before a listener hears: whoever reads that it is sends commands.
  bool has_listener = false;
  /// Called when messages begin to come in.
  std::function<void()> on_running = [] {};
  /// Whether the broker says that it takes nothing in: the publisher waits for it.
  std::function<bool()> is_blocked = [] { return false; };
  /// Ends the reader's wait for messages.
  std::function<void()> interrupt_reader = [] {};
  /// Called when it begins to drain.
  std::function<void(const run_counts&)> on_draining = [](auto&) {};
  /// Called when nothing is left to do.
  std::function<void()> on_drained = [] {};
};

struct consumer_state {
  static inline const char* name = "consumer";

  /// Early acknowledgement is sent this long after the start, or with the
  /// result if that comes first: short tasks then need one settlement, not two.
  static constexpr auto ack_delay = std::chrono::milliseconds{5};

  /// A message that waited this long in the pool, while others could run it,
  /// goes back to its queue if the window has shrunk below it.
  static constexpr auto surplus_delay = std::chrono::milliseconds{100};

  /// Settlements that the broker has not confirmed, past which nothing more is
  /// fetched: a worker that is quicker than its broker would fill its memory
  /// with results. Far more than are ever on their way to a broker that keeps up.
  static constexpr size_t unconfirmed_max = 1'024;

  /// A task whose time comes sooner waits here: precisely, and without two more
  /// commands to the broker. All later ones wait in the broker. Longer than any
  /// node's look at what waits there, so that each knows of them in time.
  static constexpr auto hold_max = std::chrono::seconds{5};
  static_assert(hold_max > broker::look_interval);

  /// A task that may begin once more only, and alone, waits so long for another.
  static constexpr auto last_chance_delay = std::chrono::seconds{1};

  // -- messages come in ---------------------------------------------------------

  void on_deliveries(deliveries& x);
  void admit(delivery& x, std::vector<job>& runnable);
  void grant();
  void give_back_surplus();
  void on_pool_capacity(pool_capacity x);

  // -- tasks begin, or wait for their time (waiting.cpp) ------------------------

  void begin(uint64_t id, request& r, std::vector<job>& runnable);
  void run(uint64_t id, request& r, std::vector<job>& runnable);
  void wait_until(timestamp due, uint64_t id, request& r);
  void on_woken(const woken& x);
  void ask_for_turn(uint64_t id, request& r, const task_rate& limit,
                    std::vector<job>& runnable);
  void on_turn(uint64_t id, request& r, rate_slot slot,
               std::vector<job>& runnable);
  void send_questions();
  void on_turns(const turns& x);
  void repeat_questions();

  // -- unique tasks (unique_tasks.cpp) --------------------------------------------

  std::optional<unique_terms> unique_terms_of(const std::string& payload);
  void tell_of_keys();
  bool ask_for_key(uint64_t id, request& r);
  void on_keys(const key_holders& x);
  settlement refuse_duplicate(const request& r, const std::string& holder);

  // -- what is begun again and again (giving_up.cpp) ------------------------------

  bool is_suspect(const request& r) const;
  void note_delivery(uint64_t id, request& r);
  void on_noted(const confirmed& x);
  settlement run_again(const request& r, settlement end,
                       const std::string& how) const;
  settlement give_up(const request& r, const delivery_history& history,
                     const std::string& last) const;

  // -- revocation (revoking.cpp) ------------------------------------------------

  bool is_revoked(const request& r) const;
  settlement refuse_revoked(const request& r, const std::string& why);
  void on_revoke(const revoke_tasks& x);
  void merge_revoked(const std::vector<revoked_task>& theirs);
  void on_learn(const learn_revoked& x);

  // -- runs begin and end (runs.cpp) ------------------------------------------------

  void on_pool_ready(pool_ready& x);
  void on_report(pool_report& x);
  void on_state(job_state& x);
  void on_time_limit(const time_limit_over& x);
  void on_lost(const job_lost& x);
  void on_returned(const jobs_returned& x);
  settlement settle_killed(const request& r, const std::string& how) const;
  void watch_started();
  /// Those that are due until then, and whose results have not done it.
  void acknowledge_started(prefetch_window::time_point until);

  // -- connections come and go --------------------------------------------------

  void on_reader_up(reader_up& x);
  void on_reader_down();
  void on_writer_up(writer_up& x);
  void on_settler_up(caf::actor x);
  void on_down(const caf::actor_addr& source);
  void announce();
  void flush();
  void on_confirmed(const confirmed& x);
  void on_lease_lapsed();
  void give_back_unbegun();
  void renew();
  void recover();

  // -- what is asked ------------------------------------------------------------

  unfinished_tasks unfinished_now() const;
  appetite appetite_now() const;
  description own_description() const;

  // -- events (task_events.cpp) ---------------------------------------------------

  bool tells() const {
    return options.events && *options.task_events;
  }

  void tell(const char* type, const request& r, json::object fields,
            std::optional<timestamp> time = {}) const;
  void tell_received(const request& r) const;
  void tell_started(request& r, std::chrono::microseconds ago = {}) const;
  void tell_outcome(request& r, const outcome& x) const;
  void tell_lost(request& r, const settlement& end, const std::string& how) const;
  void tell_revoked(const request& r, bool expired) const;
  void tell_own(job_event& x);
  void tell_sent(const request& r, const outcome& x) const;

  // -- remote control (inspection.cpp) --------------------------------------------

  request_list requests_now() const;
  task_list tasks_now() const;
  run_counts runs_now() const;
  void on_queues_changed();
  change on_rate_limit(const set_rate_limit& x);
  change on_time_limits(const set_time_limits& x);
  caf::message_handler inspection();

  // -- the end ------------------------------------------------------------------

  void on_drain(caf::actor requester);
  void return_held();
  void on_abandon(caf::actor requester);
  void check_drained();
  void release();
  void on_released();

  prefetch_window::time_point steady_now() const;

  size_t unfinished() const noexcept {
    return requests.size() - num_held;
  }

  caf::event_based_actor* self = nullptr;
  consumer_options options;
  caf::actor pool;
  caf::actor timer;
  caf::actor reader;
  caf::actor writer;
  caf::actor settler;
  std::unordered_map<std::string, task_options> tasks;
  std::map<uint64_t, request> requests; ///< by job number, so by age
  prefetch_window window{1, true};
  outbox settlements;
  rate_limits rates;
  take_turns questions; ///< to be sent with the next settlements
  claim_keys claims;    ///< the same
  uint64_t duplicates = 0;   ///< of unique tasks, refused
  bool told_of_keys = false; ///< the log says that the broker keeps none
  /// Runs that begin when the batch with their note is confirmed.
  std::deque<std::pair<uint64_t, uint64_t>> notes;
  uint64_t last_chance = 0; ///< the job that has it, if it has not ended
  /// Begun, in this order, and when it is to be acknowledged.
  std::deque<std::pair<uint64_t, prefetch_window::time_point>> started;
  bool started_watched = false; ///< a message for the first of them is on its way
  std::unordered_map<std::string, uint64_t> ended; ///< runs, by task
  uint64_t last_job = 0;
  size_t num_held = 0;
  size_t outstanding = 0; ///< credit that the reader has not used yet
  uint64_t delivered = 0; ///< messages so far
  /// A check for surplus is on its way; `delivered` when it was sent.
  std::optional<uint64_t> surplus_check;
  bool hears = true;      ///< the listener does, if there is one
  bool announced = false; ///< the log says that it is ready
  bool warned = false;    ///< the log says what limits late acknowledgement
  ownership terms;        ///< of what the reader reserves
  caf::actor drain_requester; ///< set while it drains
  bool abandoning = false;
  bool fetching = false; ///< the reader has not answered `pause_reader` yet
  enum class farewell { none, telling, releasing, released };
  farewell last_steps = farewell::none; ///< when nothing is left to do
  /// Not before that are others taken for dead: the broker may have been away for
  /// all, and they have to come back first.
  prefetch_window::time_point recover_from{};
};

caf::behavior consumer(caf::stateful_actor<consumer_state>* self,
                       consumer_options options, caf::actor pool,
                       caf::actor timer);

} // namespace umbel
