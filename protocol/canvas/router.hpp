// Which queue a task goes to: Celery's task_routes.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

/// What a route says; empty members are left to others.
struct route {
  std::string queue;
  std::optional<int> priority;
};

class router {
public:
  using function = std::function<std::optional<route>(std::string_view task)>;

  /// Reads Celery's form: an object of patterns and options, or a list of such
  /// objects and of pairs. A pattern is a task's name, a glob ("mail.*"), or
  /// between slashes a regular expression for its beginning ("/video\\./").
  /// Options are a queue's name, or an object with `queue` (or `routing_key`) and
  /// `priority`.
  /// @returns `invalid_setting` with what is wrong
  static expected<router> parse(const json::value& routes);

  /// Asked first to last; the first that answers decides.
  void add(function f);
  void add(std::string_view pattern, route to);

  /// The exact name has precedence over patterns, as in Celery.
  std::optional<route> find(std::string_view task) const;

private:
  struct exact {
    std::string name;
    route to;
  };

  expected<void> add_json(std::string_view pattern, const json::value& to);

  std::vector<exact> names_;
  std::vector<function> others_; ///< patterns, too
};

} // namespace umbel
