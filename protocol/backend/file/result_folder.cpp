#include "protocol/backend/file/result_folder.hpp"

#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/message/envelope.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel::file_backend {

namespace {

using filesystem::failure;

constexpr std::chrono::milliseconds lock_timeout{10'000};

// A status stands in a document's first bytes.
constexpr size_t status_bytes = 256;

error fault(const std::string& what) {
  return {errc::invalid_setting, "file result store: " + what};
}

} // namespace

expected<result_folder>
result_folder::open(const std::string& url, const result_store_options& options) {
  constexpr std::string_view local = "file://localhost/", scheme = "file://";
  // Not a URL's grammar, but Celery's: the rest is the path as it stands.
  std::string path;
  if (url.starts_with(local))
    path = url.substr(local.size() - 1);
  else if (url.starts_with(scheme))
    path = url.substr(scheme.size());
  if (path.empty())
    return fault("the URL names no folder; write file:///path/to/folder");
  std::error_code failed;
  path = std::filesystem::absolute(path, failed).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/'))
    path.pop_back();
  struct stat x {};
  if (::stat(path.c_str(), &x) != 0)
    return fault("cannot use '" + path + "': " + std::strerror(errno));
  if (!S_ISDIR(x.st_mode))
    return fault("'" + path + "' is not a folder");
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0)
    return fault("cannot write into '" + path + "': " + std::strerror(errno));
  return result_folder{std::move(path),
                       options.global_keyprefix + "celery-task-meta-",
                       options.result_expires};
}

expected<filesystem::folder_lock> result_folder::lock() const {
  return filesystem::folder_lock::take(path_, lock_timeout);
}

// An id that is no file name has no place with Celery; its writers fail.
std::string result_folder::name_of(const task_id& id) const {
  return prefix_ + filesystem::escape(id.str());
}

std::string result_folder::path_of(const task_id& id) const {
  return path_ + '/' + name_of(id);
}

bool result_folder::has_success(const task_id& id) const {
  auto fd = ::open(path_of(id).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  char start[status_bytes];
  auto size = ::read(fd, start, sizeof(start));
  ::close(fd);
  return size > 0
         && is_success(std::string_view{start, static_cast<size_t>(size)});
}

std::optional<std::string> result_folder::read(const task_id& id) const {
  auto result = filesystem::read_file(path_of(id));
  if (result && result->empty())
    return std::nullopt; // Celery is writing it
  return result;
}

expected<void> result_folder::write(const result_record& x) const {
  if (has_success(x.id))
    return {};
  auto path = path_of(x.id);
  auto staged = path_ + "/.umbel-" + make_uuid();
  auto done = filesystem::write_new(staged, x.document);
  if (done && ::rename(staged.c_str(), path.c_str()) != 0)
    done = failure("replace", path);
  if (!done)
    ::unlink(staged.c_str());
  return done;
}

void result_folder::sweep() {
  auto time = now();
  if (expires_.count() == 0 || time < next_sweep_)
    return;
  next_sweep_ = time + std::chrono::hours{1};
  for (auto& name : filesystem::list(path_)) {
    auto file = path_ + '/' + name;
    if (!name.starts_with(prefix_))
      continue;
    if (auto t = filesystem::time_of(file); t && *t + expires_ < time)
      ::unlink(file.c_str());
  }
}

} // namespace umbel::file_backend
