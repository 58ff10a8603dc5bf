// Answers of workers as people and programs want to see them. They come from
// strangers: whatever is in them, it is shown.
#pragma once

#include "protocol/client/control_client.hpp"
#include "protocol/control/command_table.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace umbel {

/// The text of `{"error": text}`; nothing for other answers.
std::optional<std::string_view> error_in(const json::value& answer);

/// One object: each node's name, and its answer. Of nodes with the same name, the
/// last one's.
std::string answers_as_json(std::span<const node_answer> answers);

/// A table, or for each node a paragraph. Errors are left out.
/// @param time the present time, for how long something has run
std::string show_answers(answer_form form, std::span<const node_answer> answers,
                         timestamp time);

/// Who is there, and how quickly each has answered.
std::string show_status(std::span<const node_answer> answers);

} // namespace umbel
