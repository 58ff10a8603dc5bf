// Which way tasks go by their names: Celery's task_routes.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/delivery_mode.hpp"
#include "protocol/message/json.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace umbel {

/// What a route says; empty members are left to others.
struct route {
  std::string queue = {};
  std::string exchange = {};
  std::string exchange_type = {};
  std::string routing_key = {};
  std::optional<int> priority = {};
  std::optional<umbel::serializer> serializer = {};
  std::optional<umbel::compression> compression = {};
  std::optional<umbel::delivery_mode> delivery_mode = {};
  json::object headers = {}; ///< if the call has none of its own
};

/// What a router is asked about.
struct routed_call {
  std::string_view task;
  const json::array& args;
  const json::object& kwargs;
  const json::object& options; ///< Celery's names: `queue`, `priority` ...
};

class router {
public:
  using function = std::function<std::optional<route>(const routed_call&)>;

  /// Reads Celery's form: an object of patterns and routes, or a list of such
  /// objects, of lists of pairs, and of pairs. A pattern is a task's name, a glob
  /// ("mail.*"), or between slashes a regular expression for its beginning
  /// ("/video\\./"). A route is a queue's name, or an object with members of `route`.
  /// @returns `invalid_setting` with what is wrong
  static expected<router> parse(const json::value& routes);

  /// Asked first to last; the first that answers decides. Among patterns that are
  /// added one after another, an exact name comes before all others.
  void add(function f);

  /// @throws std::regex_error
  void add(std::string_view text, route to);

  std::optional<route> find(const routed_call& x) const;

  /// Whether the way may depend on more than the task's name.
  bool has_functions() const noexcept;

private:
  struct pattern;

  /// One of Celery's `MapRoute`s.
  struct table {
    std::vector<std::pair<std::string, route>> names;
    std::vector<std::pair<std::shared_ptr<const pattern>, route>> patterns;

    void add(std::string_view text, route to);
    const route* find(std::string_view task) const;
  };

  expected<void> add_json(table& to, std::string_view text,
                          const json::value& x);
  expected<void> add_all(const json::object& all);
  expected<void> add_pairs(const json::array& all);
  table& last_table();

  std::vector<std::variant<table, function>> rules_;
};

} // namespace umbel
