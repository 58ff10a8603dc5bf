#include "protocol/backend/file/file_result_store.hpp"
#include "protocol/backend/file/result_folder.hpp"
#include "protocol/broker/filesystem/watch.hpp"

#include <unordered_map>

namespace umbel {

namespace {

class file_result_listener final : public result_listener {
public:
  file_result_listener(file_backend::result_folder folder,
                       filesystem::watch arrivals, wake_event wake)
      : folder_(std::move(folder)), arrivals_(std::move(arrivals)),
        wake_(std::move(wake)) {
  }

  expected<void> subscribe(std::span<const task_id> ids) override {
    for (auto& id : ids)
      ids_.emplace(folder_.name_of(id), id);
    return {};
  }

  expected<void> unsubscribe(std::span<const task_id> ids) override {
    for (auto& id : ids)
      ids_.erase(folder_.name_of(id));
    return {};
  }

  expected<std::vector<result_record>>
  wait(std::chrono::milliseconds timeout) override {
    std::vector<result_record> result;
    auto look = [&](const task_id& id) {
      if (auto document = folder_.read(id))
        result.push_back({id, std::move(*document)});
    };
    auto wanted = [&](std::string_view name) {
      if (name.empty()) // too much has come: any of them may have
        for (auto& [name, id] : ids_)
          look(id);
      else if (auto i = ids_.find(std::string{name}); i != ids_.end())
        look(i->second);
      return !result.empty();
    };
    if (auto done = arrivals_.wait(wake_, timeout, wanted); !done)
      return done.error();
    return result;
  }

  void interrupt() noexcept override {
    wake_.signal();
  }

private:
  file_backend::result_folder folder_;
  filesystem::watch arrivals_;
  wake_event wake_;
  std::unordered_map<std::string, task_id> ids_; ///< by the file's name
};

} // namespace

expected<std::unique_ptr<result_listener>>
connect_file_result_listener(const std::string& url,
                             const result_store_options& options) {
  auto folder = file_backend::result_folder::open(url, options);
  if (!folder)
    return folder.error();
  auto arrivals = filesystem::watch::open(folder->path());
  if (!arrivals)
    return arrivals.error();
  auto wake = wake_event::make();
  if (!wake)
    return wake.error();
  std::unique_ptr<result_listener> result
    = std::make_unique<file_result_listener>(
      std::move(*folder), std::move(*arrivals), std::move(*wake));
  return result;
}

} // namespace umbel
