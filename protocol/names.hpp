// Strong types for names that must not be mixed up.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace umbel {

/// A string that is only one kind of name. Construction is explicit, reading
/// is by `str()`; two kinds never compare or convert.
template <class Kind>
class name {
public:
  name() = default;

  explicit name(std::string text) : text_(std::move(text)) {
  }

  const std::string& str() const noexcept {
    return text_;
  }

  bool empty() const noexcept {
    return text_.empty();
  }

  friend auto operator<=>(const name&, const name&) = default;

private:
  std::string text_;
};

/// A task's id: any string, usually a UUID (header `id`).
using task_id = name<struct task_id_kind>;

/// Names one delivery of one message: `<node>/<incarnation>/<sequence>` for
/// messages reserved by Umbel, the publisher's UUID for those of Python peers.
using delivery_tag = name<struct delivery_tag_kind>;

/// A node: "celery@host".
using node_name = name<struct node_name_kind>;

/// A queue as users name it, without key prefix or priority suffix.
using queue_name = name<struct queue_name_kind>;

} // namespace umbel

template <class Kind>
struct std::hash<umbel::name<Kind>> {
  size_t operator()(const umbel::name<Kind>& x) const noexcept {
    return std::hash<std::string>{}(x.str());
  }
};
