#include "apps/daemon/identity.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace umbel {

namespace {

template <class T>
std::optional<T> parse_number(const std::string& text, int base) {
  T result{};
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, result, base);
  if (ec != std::errc{} || ptr != end)
    return std::nullopt;
  return result;
}

error invalid(const std::string& text, const std::string& wanted) {
  return {errc::invalid_setting, '\'' + text + "' is not " + wanted};
}

error refused(const std::string& tried) {
  return {errc::refused, "cannot " + tried + ": " + std::strerror(errno)};
}

} // namespace

expected<uid_t> parse_user(const std::string& text) {
  // The largest number means "no change" to the kernel.
  if (auto number = parse_number<uid_t>(text, 10);
      number && *number != static_cast<uid_t>(-1))
    return *number;
  if (auto entry = getpwnam(text.c_str()))
    return entry->pw_uid;
  return invalid(text, "a user of this machine or a number");
}

expected<gid_t> parse_group(const std::string& text) {
  if (auto number = parse_number<gid_t>(text, 10);
      number && *number != static_cast<gid_t>(-1))
    return *number;
  if (auto entry = getgrnam(text.c_str()))
    return entry->gr_gid;
  return invalid(text, "a group of this machine or a number");
}

expected<mode_t> parse_umask(const std::string& text) {
  auto number = parse_number<mode_t>(text, 8);
  if (number && *number <= 0777)
    return *number;
  return invalid(text, "an octal number from 0 to 777, such as 022");
}

expected<void> become(const identity& x) {
  if (!x.user && !x.group)
    return {};
  auto stays = (!x.user || *x.user == geteuid())
               && (!x.group || *x.group == getegid());
  if (geteuid() != 0) {
    if (stays)
      return {};
    return error{errc::refused,
                 "--uid, --gid: only root can become somebody else"};
  }
  auto entry = x.user ? getpwuid(*x.user) : nullptr;
  if (x.user && !x.group && entry == nullptr)
    return error{errc::refused, "--uid: user " + std::to_string(*x.user)
                                    + " is not in the user database, so it has "
                                      "no group: give --gid, too"};
  auto group = x.group ? *x.group : entry->pw_gid;
  if (entry != nullptr ? initgroups(entry->pw_name, group) != 0
                       : setgroups(0, nullptr) != 0)
    return refused("drop the groups of root");
  if (setgid(group) != 0)
    return refused("become group " + std::to_string(group));
  if (x.user && *x.user != 0) {
    if (setuid(*x.user) != 0)
      return refused("become user " + std::to_string(*x.user));
    if (setuid(0) == 0)
      return error{errc::refused, "user " + std::to_string(*x.user)
                                      + " could become root again"};
  }
  return {};
}

} // namespace umbel
