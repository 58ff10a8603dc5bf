// What the end of a task does to the workflow that it is a part of, beyond its
// own result and the messages that follow: results of tasks that will not run,
// what is known of groups, and parts of chords that have come in.
//
// Whoever runs the task writes all texts; whoever settles it only puts them
// into their places. A chord's body is published by the settlement that counts
// its last part, so its messages travel with every part, with a gap where the
// list of results belongs.
#pragma once

#include "protocol/backend/result_record.hpp"
#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

/// A text with gaps: between each two pieces the same value is put.
using gapped_text = std::vector<std::string>;

/// A message whose gaps take the JSON text of a list, written as a part of a
/// JSON string, because the body that it belongs to is one.
struct gapped_message {
  queue_name queue;
  int priority = 0;
  gapped_text payload;
  std::string exchange = {}; ///< as of an outgoing_message
  std::string routing_key = {};
};

/// A state document whose gaps take a text, written as a part of a JSON string.
struct gapped_record {
  task_id id;
  gapped_text document;
  std::string reply_to;
};

/// What is known of a group (contract section 6.2).
struct group_record {
  enum class kind : uint8_t {
    size,    ///< of a chord's header: `.s`
    results, ///< which results it consists of, where they are nested
    joined,  ///< one more task of a chord's header: its id; counts once
  };

  std::string group;
  kind what = kind::size;
  std::string text;
};

/// One part of a chord's header that has ended.
struct chord_part {
  std::string group;
  std::optional<int64_t> index; ///< its place in the header
  task_id task;
  /// `[1, task, state, result]` as JSON, what Celery's Redis backend keeps.
  /// Gaps, if any, take the reason why the task will not run.
  gapped_text member;
  /// Why the chord fails however its parts have ended: its body cannot be sent. Empty:
  /// it does not.
  std::string reason = {};
  /// What peers write their parts in: `result_serializer`. All texts here are JSON, but
  /// for results of groups.
  serializer format = serializer::json;

  // -- if it is the last one, and all have ended well ---------------------------

  std::vector<group_record> groups;
  std::vector<gapped_message> body;
  /// In place of the body, where a peer's part cannot be read by whoever counts: it
  /// looks for the results. Gaps take the list of their tuples, as results in a body.
  std::vector<gapped_message> unlock = {};

  // -- if it is the last one, and one has not: gaps take the ChordError's text --

  std::vector<gapped_record> failures;
  std::vector<gapped_message> errbacks;
  std::vector<chord_part> outer; ///< parts of other chords that the body is
};

/// All of it, for one task. Carried out after its result is stored.
struct workflow_steps {
  std::vector<result_record> results; ///< of tasks that will not run any more
  std::vector<group_record> groups;   ///< before messages are published
  std::vector<chord_part> parts;

  bool empty() const noexcept {
    return results.empty() && groups.empty() && parts.empty();
  }
};

/// Longest nesting of chords in chords that is read.
constexpr size_t chord_depth_max = 32;

/// JSON text, empty for no steps; and back.
std::string to_json_text(const workflow_steps& x);

/// @returns `malformed` for anything that `to_json_text` does not write
expected<workflow_steps> parse_workflow_steps(std::string_view text);

} // namespace umbel
