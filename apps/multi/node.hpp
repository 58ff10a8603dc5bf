// The nodes that `umbel multi` speaks of: from its arguments to one command line
// for each node, as Celery's. Values: no files, no processes.
#pragma once

#include "apps/multi/arguments.hpp"

#include <string>
#include <vector>

namespace umbel::multi {

struct node {
  std::string name; ///< "w1@host"
  std::string executable;
  std::vector<std::string> args; ///< without the executable
  std::string pidfile; ///< where its worker writes it, seen from here
  std::string logfile;

  /// Replaces %n (w1), %N (w1), %h and %p (w1@host), %d (host). %i and %I are
  /// left to the worker, and so is everything else.
  std::string expand(const std::string& text) const;

  /// The command line in one line, as a shell would take it.
  std::string str() const;

  /// The same without the executable.
  std::string args_str() const;
};

/// Who is meant if nothing else is said.
struct surroundings {
  std::string host;
  std::string executable; ///< of the worker
};

/// @returns the nodes in the order of their names; `invalid_setting` for names
///          and numbers that mean none
expected<std::vector<node>> nodes_of(arguments args,
                                     const surroundings& where);

} // namespace umbel::multi
