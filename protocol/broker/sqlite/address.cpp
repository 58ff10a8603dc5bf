#include "protocol/broker/sqlite/address.hpp"

#include <charconv>
#include <filesystem>

namespace umbel::sqlite {

namespace fs = std::filesystem;

namespace {

error fault(std::string what) {
  return {errc::invalid_setting, "sqlite URL: " + std::move(what)};
}

} // namespace

std::string address::str() const {
  return (kombu ? "sqla+sqlite:///" : "sqlite://") + path;
}

bool address::same_file(const address& other) const {
  std::error_code failed;
  auto mine = fs::weakly_canonical(path, failed);
  auto others = fs::weakly_canonical(other.path, failed);
  return !failed && mine == others;
}

expected<address> to_address(const url& x) {
  address result;
  result.kombu = is_kombu(x.scheme);
  std::string right = result.kombu ? "write sqla+sqlite:////path/to/file"
                                   : "write sqlite:///path/to/file";
  if (!x.user.empty() || !x.password.empty() || x.port != 0)
    return fault("there is no user, password or port; " + right);
  if (result.kombu && !x.host.empty())
    return fault("there is no host; " + right);
  auto path = x.host + x.path;
  if (result.kombu && path.starts_with('/'))
    path.erase(0, 1); // SQLAlchemy's third slash ends the host
  if (path.empty() || path.ends_with('/'))
    return fault("it names no file; " + right);
  if (path == ":memory:")
    return fault("a database in memory has no other side; use memory://name "
                 "within one process");
  if (path.find('\0') != path.npos)
    return fault("a path cannot hold the character 0");
  std::error_code failed;
  auto absolute = fs::absolute(path, failed).lexically_normal().string();
  if (failed)
    return fault("cannot resolve '" + path + "': " + failed.message());
  // "//x" is left as it is by the library.
  result.path = absolute.substr(absolute.starts_with("//") ? 1 : 0);
  for (auto& [name, value] : x.query) {
    if (name == "synchronous") {
      if (value != "normal" && value != "full")
        return fault("synchronous is normal or full, not '" + value + '\'');
      result.full_sync = value == "full";
    } else if (name == "timeout") {
      double seconds = 0;
      auto end = value.data() + value.size();
      auto [ptr, ec] = std::from_chars(value.data(), end, seconds);
      if (ec != std::errc{} || ptr != end || !(seconds > 0 && seconds <= 3600))
        return fault("timeout is a number of seconds up to 3600, not '" + value
                     + '\'');
      result.timeout
        = std::chrono::milliseconds{static_cast<int64_t>(seconds * 1000)};
    } else {
      return fault("there is no option '" + name
                   + "'; known are synchronous and timeout");
    }
  }
  return result;
}

bool is_sqlite(std::string_view scheme) {
  return scheme == "sqlite" || is_kombu(scheme);
}

bool is_kombu(std::string_view scheme) {
  return scheme == "sqla+sqlite" || scheme == "sqlalchemy+sqlite";
}

} // namespace umbel::sqlite
