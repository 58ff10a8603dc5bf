// The table of all settings: one row each, from settings.def and
// settings_not_yet.def. Parser, help and documentation are made from it.
#pragma once

#include "protocol/client/settings.hpp"
#include "protocol/message/json.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// The kind of value that a setting takes.
enum class setting_kind : uint8_t {
  boolean,
  integer,
  seconds,
  text,
  list,
  object,
};

/// "seconds", "true or false": for documentation.
const char* to_string(setting_kind kind) noexcept;

/// Where a value was given, for messages.
struct setting_origin {
  std::string name;  ///< of the setting: "worker_concurrency"
  std::string where; ///< "in conf.json", "on the command line"
  bool secret = false;
  std::vector<std::string>* warnings = nullptr;
};

/// One row.
struct setting_info {
  std::string_view name;
  std::string_view old_name;     ///< Celery 3's; empty: none of its own
  std::string_view meaning;      ///< empty for a setting without effect
  std::string_view default_json; ///< of a setting without effect
  setting_kind kind = setting_kind::text;
  bool secret = false;
  /// Checks a value and puts it into place; null for a setting without effect.
  expected<void> (*set)(settings&, const json::value&,
                        const setting_origin&) = nullptr;
  /// The value as `set` would take it.
  json::value (*get)(const settings&) = nullptr;

  bool implemented() const noexcept {
    return set != nullptr;
  }
};

/// All rows; those with an effect come first.
std::span<const setting_info> setting_table();

/// @returns null for an unknown name.
const setting_info* find_setting(std::string_view name);

/// Finds a row by an upper-case name of Celery 3. @returns null if there is
/// none.
const setting_info* find_old_setting(std::string_view old_name);

/// The default of a setting as one writes it: `true`, `4`, `celery`, `none`.
std::string default_text(const setting_info& row);

/// The text of an environment variable or of `name=value` as the JSON value
/// that a file would hold; text that does not fit the kind stays text, for
/// `set` to complain about.
json::value value_from_text(setting_kind kind, const std::string& text);

/// All settings as a Markdown table.
std::string settings_markdown();

} // namespace umbel
