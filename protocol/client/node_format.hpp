// Node names as operators write them, and what is made of them: "worker1@%h",
// "/var/log/celery/%n%I.log".
#pragma once

#include "protocol/error.hpp"
#include "protocol/names.hpp"

#include <map>
#include <string>

namespace umbel {

/// What stands for a letter after '%'.
using percent_letters = std::map<char, std::string>;

/// Replaces %-letters; "%%" is always a '%'.
/// @param what names the text in the error: "node name"
/// @param allowed describes the letters in the error: "%h (host name)"
/// @returns `invalid_setting` for another letter or a '%' at the end.
expected<std::string> expand_percent(const std::string& text,
                                     const percent_letters& letters,
                                     const std::string& what,
                                     const std::string& allowed);

/// Expands %h (host name with its domain), %n (host name up to its first dot),
/// %d (domain), %i and %I (process index: "0" and nothing for a worker) and %%.
/// A text without '@' is a host: "w1" is "celery@w1"; an empty one is
/// "celery@" and the host name.
/// @returns `invalid_setting` for another %-letter, and for names that are
/// empty
///          or hold white space.
expected<node_name> expand_node_name(const std::string& text,
                                     const std::string& host);

/// Expands the path of a file that belongs to a node, as Celery's --pidfile and
/// --logfile: %n (the node's name before the '@'), %h (after it), %d (the
/// host's domain), %p (all of it), %i, %I and %%.
/// @param what names the path in the error: "option --pidfile"
expected<std::string> expand_node_path(const std::string& text,
                                       const node_name& node,
                                       const std::string& what);

/// This machine's host name, as Python's socket.gethostname().
std::string host_name();

} // namespace umbel
