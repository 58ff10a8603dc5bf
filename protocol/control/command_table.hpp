// The commands of remote control, as data: what an operator may say, and what of
// it goes to the workers (contract section 8.4). Names and arguments are Celery's.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace umbel {

/// Whether a command only asks (`inspect`), or changes something (`control`).
enum class command_kind : uint8_t { inspect, control };

enum class parameter_kind : uint8_t {
  text,
  integer,
  number, ///< of seconds
  truth,  ///< "true", "yes", "1" ...
  texts,  ///< all words that are left
};

struct command_parameter {
  std::string_view name; ///< of the argument in the message
  parameter_kind kind = parameter_kind::text;
  bool required = false;
};

/// What an answer looks like; what else comes is shown as it is.
enum class answer_form : uint8_t {
  word,    ///< {"ok": "pong"}, {"error": "..."}, null
  names,   ///< a list of texts
  tasks,   ///< a list of TASK_INFO
  waiting, ///< a list of {"eta", "priority", "request": TASK_INFO}
  found,   ///< {id: [state, TASK_INFO]}
  queues,  ///< a list of queues as kombu describes them
  fields,  ///< an object, to be shown field by field
  page,    ///< {"ok": text of several lines}
  tree,    ///< a supervision tree
};

struct command_description {
  command_kind kind;
  std::string_view name;
  std::span<const command_parameter> parameters;
  std::string_view help; ///< one line
  answer_form answer = answer_form::word;
  /// Workers that obey do not answer.
  bool silent = false;
};

std::span<const command_description> commands();

/// @returns null if there is none
const command_description* find_command(command_kind kind,
                                        std::string_view name);

/// How it is said: "time_limit TASK_NAME [SOFT] [HARD]".
std::string usage_of(const command_description& x);

/// Makes the message's arguments of what was said.
/// @returns `invalid_setting` with what is wrong
expected<json::object> read_arguments(const command_description& x,
                                      std::span<const std::string> words);

/// Makes them of "name=value" for a command that only the workers know. Values
/// are JSON; what is none is text.
expected<json::object> read_assignments(std::span<const std::string> words);

/// Why there is no such command, and what may be meant.
std::string explain_unknown_command(command_kind kind, std::string_view name);

} // namespace umbel
