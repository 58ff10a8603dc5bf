// A child is a value: how to start it, when to restart it, how to stop it. The
// tree of supervisors is made of such values, in the words of Erlang/OTP.
#pragma once

#include "actors/supervision/restart_history.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/timespan.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace umbel {

/// When is a child that ended started again?
enum class restart : uint8_t {
  permanent, ///< always
  transient, ///< only if it ended abnormally
  temporary, ///< never; its spec is forgotten when it ends
};

/// Whom does the end of one child concern?
enum class strategy : uint8_t {
  one_for_one,  ///< nobody else
  one_for_all,  ///< all its siblings: they are stopped, then all are started
  rest_for_one, ///< those started after it: they cannot go on without it
};

enum class child_type : uint8_t { worker, supervisor };

/// What a start function sees of the children before its own in start order.
struct siblings {
  std::map<std::string, caf::actor> handles;

  /// @returns a null handle if there is no such child, or if it is not alive.
  caf::actor get(const std::string& id) const {
    auto i = handles.find(id);
    return i != handles.end() ? i->second : caf::actor{};
  }
};

/// Spawns a child and returns it, neither monitored nor linked: the supervisor
/// monitors it and kills it when it is killed itself. (A link would kill the
/// supervisor along with its child.) It may throw; that is a failed start and
/// is treated as a crash.
using start_function =
    std::function<caf::actor(caf::local_actor* parent, const siblings&)>;

struct child_spec {
  std::string id; ///< unique among its siblings
  start_function start;
  umbel::restart restart = umbel::restart::permanent;

  /// How long it may take to end after `user_shutdown`; then it is killed.
  /// 0 kills at once (OTP's brutal_kill).
  caf::timespan shutdown = std::chrono::seconds{5};

  child_type type = child_type::worker;
};

struct supervisor_flags {
  umbel::strategy strategy = umbel::strategy::one_for_one;
  restart_intensity intensity;
  restart_backoff backoff;
};

/// The spec of a supervisor as the child of another one. It may take as long to
/// shut down as its children need one after another.
child_spec supervisor_spec(std::string id, supervisor_flags flags,
                           std::vector<child_spec> children,
                           umbel::restart restart = umbel::restart::permanent);

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::child_spec)
