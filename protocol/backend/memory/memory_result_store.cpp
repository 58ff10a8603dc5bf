#include "protocol/backend/memory/memory_result_store.hpp"

#include "protocol/backend/memory/result_table.hpp"

namespace umbel {

namespace {

class memory_result_store : public result_store {
public:
  memory_result_store(const std::string& url,
                      const result_store_options& options)
      : location_("memory://" + memory_name(url)),
        expires_(options.result_expires),
        table_(result_table_of(url, options)) {
    // nop
  }

  std::string location() const override {
    return location_;
  }

  expected<void> store(std::span<const result_record> batch) override {
    for (auto& record : batch)
      table_->store(record, expires_);
    return {};
  }

  expected<std::optional<std::string>> fetch(const task_id& id) override {
    return table_->fetch(id);
  }

  expected<void> forget(const task_id& id) override {
    table_->forget(id);
    return {};
  }

private:
  std::string location_;
  std::chrono::seconds expires_;
  std::shared_ptr<result_table> table_;
};

} // namespace

std::unique_ptr<result_store>
connect_memory_result_store(const std::string& url,
                            const result_store_options& options) {
  return std::make_unique<memory_result_store>(url, options);
}

std::shared_ptr<result_table>
result_table_of(const std::string& url, const result_store_options& options) {
  // A line break occurs in no URL: one name cannot pass for another's prefix.
  return result_table::of(memory_name(url) + '\n' + options.global_keyprefix);
}

std::string memory_name(const std::string& url) {
  auto pos = url.find("://");
  auto name = pos == std::string::npos ? url : url.substr(pos + 3);
  while (name.ends_with('/'))
    name.pop_back();
  return name;
}

} // namespace umbel
