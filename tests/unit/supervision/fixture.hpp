// A supervisor with children that do nothing but write down when they start and
// end. Include after CAF_SUITE is defined.
#pragma once

#include "actors/supervision/supervisor.hpp"

#include "tests/unit/dsl.hpp"

#include <caf/monitorable_actor.hpp>

#include <spdlog/spdlog.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace umbel::supervision_test {

using namespace std::chrono_literals;

/// What happened, in order: "+a" a was started, "-a" a ended, "!a" a's start
/// failed.
using journal = std::shared_ptr<std::vector<std::string>>;

using strings = std::vector<std::string>;

struct child_state {
  static inline const char* name = "child";

  std::string id;
  journal log;

  ~child_state() {
    if (log)
      log->push_back("-" + id);
  }
};

/// @param stubborn ignores everything but a kill
inline caf::behavior child(caf::stateful_actor<child_state>* self,
                           std::string id, journal log, bool stubborn) {
  self->state.id = std::move(id);
  self->state.log = std::move(log);
  if (stubborn)
    self->set_exit_handler([](caf::exit_msg&) {});
  return {
      [](int) {},
  };
}

/// Behaves like a detached actor in a blocking call: not even a kill arrives.
class deaf_actor : public caf::monitorable_actor {
public:
  explicit deaf_actor(caf::actor_config& cfg) : caf::monitorable_actor(cfg) {
  }

  void enqueue(caf::strong_actor_ptr, caf::message_id, caf::message,
               caf::execution_unit*) override {
  }

  void enqueue(caf::mailbox_element_ptr, caf::execution_unit*) override {
  }
};

inline caf::error broken() {
  return make_error(supervision_errc::connection_lost, "broken");
}

struct fixture : test_coordinator_fixture<> {
  fixture() {
    spdlog::set_level(spdlog::level::off);
  }

  ~fixture() {
    // The base class calls run(), which fires timers: nothing may be left.
    caf::anon_send_exit(root, caf::exit_reason::kill);
    consume_messages();
  }

  // -- specs ------------------------------------------------------------------

  child_spec spec(std::string id, restart type = restart::permanent,
                  bool stubborn = false) {
    auto start = [=, this](caf::local_actor* parent, const siblings& xs) {
      if (failing_starts > 0) {
        --failing_starts;
        log->push_back("!" + id);
        throw std::runtime_error("no luck");
      }
      log->push_back("+" + id);
      seen.clear();
      for (auto& [name, handle] : xs.handles)
        seen.push_back(name);
      return handles[id] = parent->spawn(child, id, log, stubborn);
    };
    return {id, start, type};
  }

  child_spec stubborn_spec(std::string id) {
    return spec(std::move(id), restart::permanent, true);
  }

  child_spec deaf_spec(std::string id) {
    auto start = [=, this](caf::local_actor* parent, const siblings&) {
      log->push_back("+" + id);
      auto& sys = parent->home_system();
      caf::actor_config cfg;
      return handles[id] = caf::make_actor<deaf_actor, caf::actor>(
                 sys.next_actor_id(), sys.node(), &sys, cfg);
    };
    return {id, start};
  }

  /// A supervisor as a child.
  child_spec subtree(std::string id, supervisor_flags flags,
                     std::vector<child_spec> children) {
    auto result = supervisor_spec(id, flags, std::move(children));
    result.start = [=, this, inner = result.start](auto* parent, auto& xs) {
      return handles[id] = inner(parent, xs);
    };
    return result;
  }

  // -- actions ----------------------------------------------------------------

  void launch(supervisor_flags flags, std::vector<child_spec> children) {
    root = sys.spawn(supervisor, "root", flags, std::move(children));
    root->attach_functor([this](const caf::error& x) { verdict = x; });
    consume_messages();
  }

  void end(const std::string& id, caf::error reason) {
    self->send_exit(handles[id], std::move(reason));
    consume_messages();
  }

  void crash(const std::string& id) {
    end(id, broken());
  }

  void shut_down() {
    self->send_exit(root, caf::exit_reason::user_shutdown);
    consume_messages();
  }

  void pass(caf::timespan x) {
    advance_time(x);
    consume_messages();
  }

  // -- observations -----------------------------------------------------------

  /// What was written since the last call.
  strings news() {
    return std::exchange(*log, {});
  }

  bool is_alive() const {
    return !verdict;
  }

  /// Why the root ended; "alive" if it did not.
  std::string end_of_root() const {
    return verdict ? describe(*verdict) : "alive";
  }

  /// A request to the root. Errors come back as text in `refusal`.
  template <class T, class... Ts>
  T ask(Ts... xs) {
    auto response = self->request(root, caf::infinite, xs...);
    consume_messages();
    T result{};
    refusal.clear();
    response.receive([&](T& x) { result = std::move(x); },
                     [&](caf::error& x) { refusal = describe(x); });
    return result;
  }

  /// A request that is answered without a value.
  template <class... Ts>
  void order(Ts... xs) {
    auto response = self->request(root, caf::infinite, xs...);
    consume_messages();
    refusal.clear();
    response.receive([] {}, [&](caf::error& x) { refusal = describe(x); });
  }

  std::vector<child_info> which_children() {
    return ask<std::vector<child_info>>(which_children_atom::value);
  }

  journal log = std::make_shared<strings>();
  std::map<std::string, caf::actor> handles; ///< the latest of each child
  strings seen; ///< which siblings the last start function was shown
  size_t failing_starts = 0; ///< as many starts throw
  std::string refusal;
  caf::actor root;
  std::optional<caf::error> verdict;
};

} // namespace umbel::supervision_test
