// census: asks every actor of a tree to describe itself.
//
//  1. asks the top, then the children that it names, and so on;
//  2. gives each of them `patience`; who does not answer is noted as silent;
//  3. hands over the result and ends.
//
// Detached, and asked for by the main thread: the tree may be stuck, and with it
// the thread that runs it. Nobody supervises it; it ends by itself within
// `patience` for each level of the tree.
#pragma once

#include "actors/supervision/description.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace umbel {

/// One actor of the tree.
struct census_entry {
  std::string id;
  std::string state; ///< its supervisor's words and its own
  size_t mailbox = 0;
  size_t depth = 0; ///< 0: the top
  bool alive = false;
  bool answered = false;
  bool blocks = false;
  caf::actor handle = nullptr; ///< null unless `alive`
};

/// In the order of the tree: each actor is followed by its children.
using census_result = std::vector<census_entry>;

/// Whether everybody answered who could be expected to.
bool all_well(const census_result& x);

/// As a drawing, one line for each actor.
std::string to_string(const census_result& x);

struct census_state {
  static inline const char* name = "census";

  /// How long one actor may take to answer.
  static constexpr auto patience = std::chrono::seconds{1};

  struct node {
    census_entry entry;
    std::vector<size_t> children;
  };

  void ask(size_t number, const caf::actor& whom);
  void on_answer(size_t number, const description& x);
  void on_failure(size_t number, const caf::error& x);
  void on_end_of_request();
  void collect(size_t number, census_result& result) const;

  caf::event_based_actor* self = nullptr;
  std::function<void(census_result)> done;
  std::deque<node> nodes; ///< the top is the first
  size_t open = 0;        ///< requests without an answer yet
};

/// @param done called from the census' thread
caf::behavior census(caf::stateful_actor<census_state>* self, std::string id,
                     caf::actor top, std::function<void(census_result)> done);

} // namespace umbel
