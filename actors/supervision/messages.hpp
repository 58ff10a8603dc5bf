// What can be asked of a running supervisor. All requests are answered; see
// supervision_errc for the errors.
//
//   which_children                -> std::vector<child_info>, in start order
//   describe                      -> description (see there)
//   count_children                -> child_counts
//   start_child, child_spec       -> caf::actor       already_present,
//                                                     start_failed
//   terminate_child, std::string  -> (nothing)        not_found
//   delete_child, std::string     -> (nothing)        not_found, still_running
#pragma once

#include "actors/supervision/child_spec.hpp"

#include <caf/atom.hpp>
#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>

namespace umbel {

using which_children_atom = caf::atom_constant<caf::atom("which")>;
using count_children_atom = caf::atom_constant<caf::atom("count")>;

/// Appends a child to the start order and starts it. If that fails, the spec is
/// not kept.
using start_child_atom = caf::atom_constant<caf::atom("startchild")>;

/// Stops a child in the orderly way; the answer comes when it is gone. Its spec
/// stays (unless temporary), and as in OTP a later restart of its group starts
/// it again.
using terminate_child_atom = caf::atom_constant<caf::atom("termchild")>;

/// Forgets the spec of a child that is not alive.
using delete_child_atom = caf::atom_constant<caf::atom("delchild")>;

/// One child, as seen from outside.
struct child_info {
  std::string id;
  bool alive = false;
  uint64_t restarts = 0;   ///< how often it was started again
  std::string last_reason; ///< why it ended last; empty if it never did
  child_type kind = child_type::worker;

  friend bool operator==(const child_info&, const child_info&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, child_info& x) {
  return f(caf::meta::type_name("child_info"), x.id, x.alive, x.restarts,
           x.last_reason, x.kind);
}

/// OTP's count_children.
struct child_counts {
  uint64_t specs = 0;
  uint64_t active = 0; ///< alive
  uint64_t supervisors = 0;
  uint64_t workers = 0;

  friend bool operator==(const child_counts&, const child_counts&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, child_counts& x) {
  return f(caf::meta::type_name("child_counts"), x.specs, x.active,
           x.supervisors, x.workers);
}

} // namespace umbel
