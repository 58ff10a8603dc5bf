// Reads the arguments of commands. They come from strangers: whatever is there,
// the answer is a value or an error that names the argument.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::remote {

/// @returns `malformed`, with the words that start all such errors
error malformed(std::string_view what);

/// @returns null if it is missing or null.
const json::value* find(const json::object& from, std::string_view key);

/// @returns an empty text if it is missing or null.
expected<std::string> read_text(const json::object& from, std::string_view key);

/// A list of texts, or one text; empty if it is missing or null.
expected<std::vector<std::string>> read_texts(const json::object& from,
                                              std::string_view key);

/// An integer, also as text: "3"; nothing if it is missing or null.
expected<std::optional<int64_t>> read_integer(const json::object& from,
                                              std::string_view key);

/// Seconds, up to those of a century; nothing if it is missing or null.
expected<std::optional<std::chrono::milliseconds>>
read_seconds(const json::object& from, std::string_view key);

/// Python's notion of true, for booleans and numbers; any text is true.
bool is_true(const json::object& from, std::string_view key);

} // namespace umbel::remote
