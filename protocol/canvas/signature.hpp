// Signatures: calls that are not made yet, alone or put together to workflows,
// as Celery's dictionaries have them (contract section 1.2).
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::canvas {

/// `subtask_type`.
enum class kind : uint8_t { task, chain, group, chord, xmap, xstarmap, chunks };

/// Deepest nesting of workflows that is understood.
constexpr size_t depth_max = 128;

/// One signature. What it is made of stands in `kwargs`, as in Python: `tasks`
/// of chains and groups, `header` and `body` of chords, `task` and `it` (and
/// `n`) of the others.
struct signature {
  std::string task;
  json::array args = {};
  json::object kwargs = {};
  json::object options = {};
  canvas::kind kind = canvas::kind::task;
  bool immutable = false;

  /// Of a chain or group: its tasks. Of a chord: those of its header.
  std::vector<signature> tasks() const;

  /// Of a chord. @pre parsed as one
  signature body() const;

  /// A member of `options` that is text; empty if there is none.
  std::string option(std::string_view key) const;

  /// A member of `options` that is there and not null, or null.
  const json::value* find_option(std::string_view key) const;

  /// A list in `options`, of which one member alone may stand without a list.
  std::vector<json::value> option_list(std::string_view key) const;
};

/// Reads what any peer wrote, all that it is made of included.
/// @returns `malformed` with the reason
expected<signature> parse_signature(const json::value& x);

/// As Python writes it: six keys, in its order.
json::value to_json_value(const signature& x);

/// The id of a chord's header, if it is a group that has one. @pre parsed as one
std::string header_id(const signature& chord);

/// Puts `sigs` into the place of a chain's or group's tasks or a chord's header.
void set_tasks(signature& x, const std::vector<signature>& sigs);

/// Changes each task that it is made of, callbacks and errbacks among them; of
/// chains, groups and chords only what they are made of. @pre parsed
void for_each_task(signature& x, const std::function<void(signature&)>& f);

// -- making them ------------------------------------------------------------------

signature make_chain(const std::vector<signature>& steps);
signature make_group(const std::vector<signature>& tasks);
signature make_chord(const signature& header, const signature& body);
signature make_xmap(const signature& task, json::array it);
signature make_xstarmap(const json::value& task, json::array it);
/// A group of starmaps with `n` items each. @pre n > 0
signature make_chunks(const signature& task, json::array it, size_t n);

/// Celery's `|`: one after the other. What stands after a group gets the list of
/// its results.
signature operator|(const signature& x, const signature& y);

} // namespace umbel::canvas
