// Node names as operators write them: "worker1@%h".
#pragma once

#include "protocol/error.hpp"
#include "protocol/names.hpp"

#include <string>

namespace umbel {

/// Expands %h (host name with its domain), %n (host name up to its first dot),
/// %d (domain), %i and %I (process index: "0" and nothing for a worker) and %%.
/// A text without '@' is a host: "w1" is "celery@w1"; an empty one is
/// "celery@" and the host name.
/// @returns `invalid_setting` for another %-letter, and for names that are
/// empty
///          or hold white space.
expected<node_name> expand_node_name(const std::string& text,
                                     const std::string& host);

/// This machine's host name, as Python's socket.gethostname().
std::string host_name();

} // namespace umbel
