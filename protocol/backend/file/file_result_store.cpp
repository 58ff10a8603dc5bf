#include "protocol/backend/file/file_result_store.hpp"

#include "protocol/backend/file/result_folder.hpp"
#include "protocol/broker/filesystem/folders.hpp"

#include <cerrno>

#include <unistd.h>

namespace umbel {

namespace {

class file_result_store final : public result_store {
public:
  explicit file_result_store(file_backend::result_folder folder)
      : folder_(std::move(folder)) {
  }

  std::string location() const override {
    return "file://" + folder_.path();
  }

  expected<void> store(std::span<const result_record> batch) override {
    if (batch.empty())
      return {};
    auto lock = folder_.lock();
    if (!lock)
      return lock.error();
    for (auto& x : batch)
      if (auto done = folder_.write(x); !done)
        return done;
    folder_.sweep();
    return {};
  }

  expected<std::optional<std::string>> fetch(const task_id& id) override {
    return folder_.read(id);
  }

  expected<void> forget(const task_id& id) override {
    auto path = folder_.path_of(id);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return filesystem::failure("remove", path);
    return {};
  }

private:
  file_backend::result_folder folder_;
};

} // namespace

expected<std::unique_ptr<result_store>>
connect_file_result_store(const std::string& url,
                          const result_store_options& options) {
  auto folder = file_backend::result_folder::open(url, options);
  if (!folder)
    return folder.error();
  std::unique_ptr<result_store> result
    = std::make_unique<file_result_store>(std::move(*folder));
  return result;
}

} // namespace umbel
