#include "protocol/broker/filesystem/transaction.hpp"

#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/message/envelope.hpp"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace umbel::filesystem {

// -- the lock -----------------------------------------------------------------

expected<folder_lock> folder_lock::take(const std::string& folder,
                                        std::chrono::milliseconds timeout) {
  auto fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return failure("open", folder);
  folder_lock result{fd};
  auto end = std::chrono::steady_clock::now() + timeout;
  // flock has no timeout of its own, and whoever holds the lock may be stopped.
  for (std::chrono::microseconds pause{20};;) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0)
      return result;
    if (errno != EWOULDBLOCK && errno != EINTR)
      return failure("lock", folder);
    if (std::chrono::steady_clock::now() > end)
      return error{errc::timeout, "somebody else has kept the lock of '" + folder
                                    + "' for "
                                    + std::to_string(timeout.count()) + " ms"};
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds{1'000});
  }
}

folder_lock::folder_lock(folder_lock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {
}

folder_lock::~folder_lock() {
  if (fd_ >= 0)
    ::close(fd_);
}

// -- transactions -------------------------------------------------------------

expected<transaction> transaction::begin(const std::string& own,
                                         std::chrono::milliseconds timeout) {
  auto lock = folder_lock::take(own, timeout);
  if (!lock)
    return lock.error();
  transaction result{std::move(*lock), own};
  if (auto done = result.replay(); !done)
    return done.error();
  return result;
}

transaction::~transaction() {
  for (auto& path : staged_)
    ::unlink(path.c_str());
}

std::string transaction::journal() const {
  return own_ + "/journal";
}

void transaction::move(const std::string& from, const std::string& to) {
  changes_.push_back({from, to});
}

void transaction::remove(const std::string& path) {
  changes_.push_back({path, {}});
}

void transaction::write(std::string_view bytes, const std::string& to) {
  if (!state_)
    return;
  auto path = own_ + "/stage/" + make_uuid();
  staged_.push_back(path);
  if (auto done = write_new(path, bytes); !done)
    state_ = done.error();
  move(path, to);
}

expected<void> transaction::commit() {
  if (!state_)
    return state_;
  if (changes_.size() <= 1) {
    auto done = apply(changes_);
    if (done)
      staged_.clear();
    return done;
  }
  std::string text;
  for (auto& x : changes_)
    text.append(x.from).append(1, '\0').append(x.to).append(1, '\0');
  auto path = own_ + "/stage/" + make_uuid();
  staged_.push_back(path);
  if (auto done = write_new(path, text); !done)
    return done;
  if (::rename(path.c_str(), journal().c_str()) != 0)
    return failure("write", journal());
  staged_.clear(); // it is committed: they are the journal's
  if (auto done = apply(changes_); !done)
    return done;
  if (::unlink(journal().c_str()) != 0)
    return failure("remove", journal());
  return {};
}

expected<void> transaction::replay() {
  if (::access(journal().c_str(), F_OK) != 0)
    return {};
  auto text = read_file(journal());
  if (!text)
    return failure("read", journal());
  std::vector<change> changes;
  for (size_t i = 0; i < text->size();) {
    std::string from = text->c_str() + i;
    i += from.size() + 1;
    std::string to = i < text->size() ? text->c_str() + i : "";
    i += to.size() + 1;
    changes.push_back({std::move(from), std::move(to)});
  }
  if (auto done = apply(changes); !done)
    return done;
  if (::unlink(journal().c_str()) != 0)
    return failure("remove", journal());
  return {};
}

expected<void> transaction::apply(const std::vector<change>& changes) {
  for (auto& [from, to] : changes) {
    auto done = to.empty() ? ::unlink(from.c_str())
                           : ::rename(from.c_str(), to.c_str());
    // One that is not there has been moved before.
    if (done != 0 && (errno != ENOENT || ::access(from.c_str(), F_OK) == 0))
      return failure(to.empty() ? "remove" : "move", from);
  }
  return {};
}

expected<void> write_new(const std::string& path, std::string_view bytes) {
  auto fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return failure("make", path);
  while (!bytes.empty()) {
    auto size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0) {
      auto result = failure("write", path);
      ::close(fd);
      return result;
    }
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  if (::close(fd) != 0)
    return failure("write", path);
  return {};
}

} // namespace umbel::filesystem
