// The message of a task that is sent over and over with other arguments: written
// once, then only filled in.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

class message_template {
public:
  /// @param payload what `make_task_message` has written for a task without
  ///                positional arguments, with a body in JSON, not compressed
  /// @returns `unsupported` for any other one
  static expected<message_template> make(std::string_view payload);

  /// The same message for another task: its id (wherever it stood), a delivery tag
  /// of its own, these arguments.
  std::string fill(std::string_view id, const json::array& args) const;

private:
  enum class gap : uint8_t { end, id, tag, args, body };

  struct piece {
    std::string text;
    gap after;
  };

  std::vector<piece> pieces_;
  std::string body_; ///< behind the arguments
};

} // namespace umbel
