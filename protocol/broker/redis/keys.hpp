// The names of keys: Celery's own (contract section 3.1) and Umbel's, which all
// begin with "umbel.". Everything carries the global prefix.
#pragma once

#include "protocol/broker/broker.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

class keys {
public:
  explicit keys(const broker_options& options);

  // -- Celery's ---------------------------------------------------------------

  /// The list for messages of `priority`: the bare name for the first step,
  /// `<queue><sep><step>` for others.
  std::string list(std::string_view queue, int priority) const;

  /// The step that a priority belongs to: what ends the list's name.
  int step(int priority) const;

  /// All lists of a queue, urgent first.
  std::vector<std::string> lists(std::string_view queue) const;

  std::string unacked() const;
  std::string unacked_index() const;

  /// The set of an exchange's bindings.
  std::string binding(std::string_view exchange) const;

  /// The channel of a fanout exchange.
  std::string fanout(int db, std::string_view exchange,
                     std::string_view routing_key) const;

  // -- Umbel's ----------------------------------------------------------------

  /// `umbel.lease.<incarnation>`; without an incarnation the prefix of all.
  std::string lease(std::string_view incarnation = {}) const;

  /// `umbel.reader.<incarnation>`
  std::string reader(std::string_view incarnation) const;

  /// A key that is never there, to write without a change.
  std::string nothing() const;

  std::string incarnations() const;

  /// The delayed messages' tags by the time when they are due.
  std::string delayed() const;

  /// A rate limit that all nodes share.
  std::string rate(std::string_view limit) const;

  /// Of each node, what its queues of fanout exchanges have left in Redis.
  std::string fanout_queues() const;

  /// Tasks that were revoked, by the time when.
  std::string revoked() const;

  /// The id of the task that has the key of unique tasks.
  std::string unique(std::string_view key) const;

  /// That a task was published which is to be published once.
  std::string published(std::string_view id) const;

  /// The node that looks when the next of them is due.
  std::string forwarder() const;

  /// What every key begins with.
  const std::string& prefix() const noexcept {
    return prefix_;
  }

  /// `umbel.dead.<queue>`; without a queue the prefix of all.
  std::string dead(std::string_view queue = {}) const;

  /// The prefix of the marks of publishing settlements without a ledger entry.
  std::string settled() const;

private:
  std::string prefix_;
  std::string sep_;
  std::vector<int> steps_; // ascending, at least one
};

/// For MATCH: the characters that mean something there stand for themselves.
std::string glob_escape(std::string_view text);

} // namespace umbel::redis
