// What a result store can do for whole workflows: look for many results at once,
// keep groups, count the parts of chords. Redis and SQLite can.
#pragma once

#include "protocol/backend/result_store.hpp"
#include "protocol/backend/workflow.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

class workflow_store {
public:
  virtual ~workflow_store() = default;

  /// `result_store::fetch` for many, in few round trips.
  virtual expected<std::vector<std::optional<std::string>>>
  fetch_all(std::span<const task_id> ids) = 0;

  // -- groups ---------------------------------------------------------------------

  /// What is known of a group's results (`group_record`); nothing for an id that is
  /// not known.
  virtual expected<std::optional<std::string>>
  fetch_group(const std::string& id) = 0;

  virtual expected<void> forget_group(const std::string& id) = 0;

  // -- chords, where this is not the broker's own server ------------------------

  /// Keeps what is known of groups, then counts parts of chords.
  /// @returns for each part the messages that follow from it, without gaps. When
  ///          they are published, `finish` has to be told; until then they follow
  ///          again if the same part is counted again, and from no other one.
  virtual expected<std::vector<std::vector<gapped_message>>>
  count(std::span<const group_record> groups,
        std::span<const chord_part> parts) = 0;

  /// What followed from these parts is published.
  virtual expected<void> finish(std::span<const chord_part> parts) = 0;
};

/// The same store as one of workflows; null if it is none.
workflow_store* workflows_of(result_store* x);

/// Fetches from any store; in few round trips if it can.
expected<std::vector<std::optional<std::string>>>
fetch_all(result_store& from, std::span<const task_id> ids);

} // namespace umbel
