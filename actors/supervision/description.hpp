// What an actor says of itself when it is asked: every actor of the tree answers
//
//   describe_atom -> description
//
// at once and without looking anything up, so that an answer is proof of life.
// See census, which asks the whole tree.
#pragma once

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace umbel {

using describe_atom = caf::atom_constant<caf::atom("describe")>;

/// A child as its supervisor sees it.
struct described_child {
  std::string id;
  caf::actor handle; ///< null: not alive
  std::string state; ///< "restarted 2 times, the last time for ..."
  bool blocks = false; ///< may spend long in one call: silence means nothing
};

struct description {
  std::string state; ///< one line for an operator
  size_t mailbox = 0; ///< messages that wait
  std::vector<described_child> children;
};

/// Call it in a handler of `self`: a mailbox is counted by its owner alone.
template <class Actor>
description describe_self(Actor* self, std::string state,
                          std::vector<described_child> children = {}) {
  return {std::move(state), self->mailbox().size(), std::move(children)};
}

/// "3.2 s", "1 h 12 min".
std::string readable(double seconds);

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::description)
