// The results that a workflow has: Celery's tree of AsyncResults and GroupResults.
#pragma once

#include "protocol/canvas/signature.hpp"
#include "protocol/message/json.hpp"

#include <string>
#include <vector>

namespace umbel::canvas {

/// The result of a signature. A group's has members; it may be empty.
struct result_node {
  std::string id;
  bool is_group = false;
  std::vector<result_node> members;
  /// The results that this one follows from, the oldest first: of the steps of a
  /// chain, of a chord's header. Of each its own are left out: they stand before it.
  std::vector<result_node> before;
  bool ignored = false; ///< nothing will be stored: its call says so
};

/// @pre frozen (`freeze`)
result_node results_of(const signature& frozen);

/// As Celery writes it: `[[id, null], members]`, of a task `[[id, null], null]`.
json::value to_json_value(const result_node& x);

/// Reads that, from any peer, and what it follows from, which stands in place of the
/// null.
/// @returns `malformed`
expected<result_node> parse_result_node(const json::value& x);

} // namespace umbel::canvas
