// As whom a program runs: user, groups and the mask of new files.
#pragma once

#include "protocol/error.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace umbel {

/// Whom to become. Nothing: stay.
struct identity {
  std::optional<uid_t> user;
  std::optional<gid_t> group; ///< nothing: the user's own
};

/// A user's name or number. A number need not be in the user database.
/// @returns `invalid_setting` for an unknown name.
expected<uid_t> parse_user(const std::string& text);

/// A group's name or number.
expected<gid_t> parse_group(const std::string& text);

/// "022": octal, from 0 to 777.
expected<mode_t> parse_umask(const std::string& text);

/// Changes user and group for good: supplementary groups become the user's, and
/// there is no way back to root. Call it before any other thread is started.
/// @returns `refused` if this process is not root and would have to change.
expected<void> become(const identity& x);

} // namespace umbel
