// Puts a JSON value together from the events of a parser, as deep as JSON may be.
// Internal to this folder.
#pragma once

#include "protocol/message/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

class value_builder {
public:
  /// @returns false if it would be nested too deeply
  bool begin(json::value container) {
    if (open_.size() >= json_depth_max)
      return false;
    open_.push_back(add(std::move(container)));
    return true;
  }

  /// @returns what has ended; it may be changed in place
  /// @pre something is open
  json::value& end() {
    auto done = open_.back();
    open_.pop_back();
    return *done;
  }

  /// The next value's key; the last one of two equal keys counts.
  void key(std::string_view x) {
    key_.emplace(x);
  }

  /// Whether an object is open and waits for a key.
  bool wants_key() const {
    return !open_.empty() && open_.back()->is_object() && !key_;
  }

  json::value* add(json::value x) {
    if (open_.empty()) {
      root_ = std::move(x);
      return &root_;
    }
    if (auto list = open_.back()->if_array())
      return &list->emplace_back(std::move(x));
    auto& place = open_.back()->get_object()[*key_];
    key_.reset();
    place = std::move(x);
    return &place;
  }

  json::value take() {
    return std::move(root_);
  }

private:
  json::value root_;
  std::vector<json::value*> open_; ///< only the innermost changes
  std::optional<std::string> key_;
};

} // namespace umbel
