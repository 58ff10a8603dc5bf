// Why a supervised actor ended, where CAF's own exit reasons do not say enough.
#pragma once

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

#include <cstdint>
#include <string>

namespace umbel {

enum class supervision_errc : uint8_t {
  fatal = 1,          ///< no restart will help: escalates to the root at once
  intensity_exceeded, ///< a supervisor saw more restarts than it may do
  start_failed,       ///< the start function threw or returned no actor
  connection_lost,    ///< the ordinary crash of an actor that owns a connection
  stuck,              ///< did not end even when killed; left behind
  already_present,    ///< start_child: the id is taken
  not_found,          ///< no child has this id
  still_running,      ///< delete_child: terminate it first
  shutting_down,      ///< the supervisor ends and takes no orders any more
  lease_lost,         ///< others have what this worker had reserved
};

/// The name of a code, for logs: "intensity_exceeded".
/// @relates supervision_errc
std::string to_string(supervision_errc code);

/// An error with an optional line of context.
/// @relates supervision_errc
caf::error make_error(supervision_errc code, std::string context = {});

/// A reason that is never answered by a restart: every supervisor above shuts
/// down and hands it on, so that main can print `message` and exit.
caf::error make_fatal(std::string message);

/// @relates supervision_errc
bool operator==(const caf::error& x, supervision_errc code) noexcept;

/// Whether an actor ended because it had nothing more to do, or was asked to. A
/// transient child is restarted only when it did not.
bool is_normal(const caf::error& reason) noexcept;

/// One readable line for any reason, without an actor system to render it:
/// "normal", "kill", "connection_lost: redis://... closed". For `fatal` it is
/// the message alone.
std::string describe(const caf::error& reason);

} // namespace umbel

// The category has ten characters at most, as every atom.
CAF_ERROR_CODE_ENUM(umbel::supervision_errc, "supervise")
