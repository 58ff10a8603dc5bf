// The result store of programs that want no results: `disabled://`.
#pragma once

#include "protocol/backend/result_store.hpp"

namespace umbel {

/// Accepts and forgets everything.
class disabled_result_store : public result_store {
public:
  std::string location() const override {
    return "disabled://";
  }

  expected<void> store(std::span<const result_record>) override {
    return {};
  }

  expected<std::optional<std::string>> fetch(const task_id&) override {
    return std::optional<std::string>{};
  }

  expected<void> forget(const task_id&) override {
    return {};
  }
};

} // namespace umbel
