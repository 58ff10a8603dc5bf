#include "protocol/broker/filesystem/folders.hpp"

#include "protocol/broker/url.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbel::filesystem {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".msg";
constexpr std::string_view mark = "umbel-";

// Of a name's part: a file name has at most 255 bytes, and the other parts of one
// need up to 80.
constexpr size_t part_max = 170;

error fault(const std::string& what) {
  return {errc::invalid_setting, "filesystem broker: " + what};
}

expected<void> set_option(broker_options::filesystem_folders& x,
                          const std::string& name, const std::string& value) {
  if (name == "data_folder_in")
    x.data_folder_in = value;
  else if (name == "data_folder_out")
    x.data_folder_out = value;
  else if (name == "control_folder")
    x.control_folder = value;
  else if (name == "processed_folder")
    x.processed_folder = value;
  else if (name == "store_processed" && (value == "true" || value == "false"))
    x.store_processed = value == "true";
  else if (name == "store_processed")
    return fault("store_processed is true or false, not '" + value + '\'');
  else
    return fault("there is no option '" + name
                 + "' in the URL; known are data_folder_in, data_folder_out, "
                   "control_folder, processed_folder and store_processed");
  return {};
}

template <class T>
bool read_number(std::string_view text, T& result) {
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, result);
  return ec == std::errc{} && ptr == end;
}

} // namespace

std::string folders::owner(std::string_view name) const {
  return own + "/reserved/" + escape(name);
}

std::string folders::dead(const queue_name& queue) const {
  return own + "/dead/" + escape(queue.str());
}

expected<folders> name_folders(const std::string& url,
                               const broker_options& options) {
  auto parsed = parse_url(url);
  if (!parsed)
    return parsed.error();
  if (!parsed->host.empty() || parsed->path.size() > 1)
    return fault("the URL is filesystem://, without a path; set data_folder_in "
                 "and data_folder_out in broker_transport_options");
  auto where = options.filesystem;
  for (auto& [name, value] : parsed->query)
    if (auto done = set_option(where, name, value); !done)
      return done.error();
  folders result;
  result.in = where.data_folder_in;
  result.out = where.data_folder_out;
  result.control = where.control_folder;
  if (where.store_processed)
    result.processed = where.processed_folder;
  result.own = result.control + "/umbel";
  return result;
}

expected<folders> open_folders(const std::string& url,
                               const broker_options& options) {
  auto named = name_folders(url, options);
  if (!named)
    return named;
  auto& result = *named;
  std::optional<dev_t> device;
  for (auto path : {result.in, result.out, result.control, result.processed,
                    result.own, result.own + "/reserved",
                    result.own + "/delayed", result.own + "/dead",
                    result.own + "/once", result.own + "/rates",
                    result.own + "/stage"}) {
    if (path.empty())
      continue;
    std::error_code failed;
    fs::create_directories(path, failed);
    struct stat x {};
    if (failed)
      return fault("cannot make the folder '" + path + "': " + failed.message());
    if (::stat(path.c_str(), &x) != 0 || ::access(path.c_str(), R_OK | W_OK | X_OK) != 0)
      return fault("cannot use the folder '" + path
                   + "': " + std::strerror(errno));
    if (device.value_or(x.st_dev) != x.st_dev)
      return fault("'" + path + "' and '" + result.in
                   + "' are on different file systems; messages are renamed "
                     "from one to the other, put them on one");
    device = x.st_dev;
  }
  for (auto path : {&result.in, &result.out, &result.control, &result.processed,
                    &result.own})
    if (!path->empty())
      *path = fs::absolute(*path).lexically_normal().string();
  return result;
}

// -- names --------------------------------------------------------------------

std::optional<message_file> read_name(std::string_view name,
                                      const queue_name& queue) {
  auto tail = '.' + escape(queue.str()) + std::string{ending};
  auto dot = name.find('.');
  if (dot == name.npos || name.substr(dot) != tail)
    return std::nullopt;
  message_file result;
  result.name = name;
  auto bar = name.find('_');
  auto rest = name.substr(std::min(bar, dot - 1) + 1);
  if (bar > dot || !read_number(name.substr(0, bar), result.number))
    result.number = ~uint64_t{0}; // no name of kombu's: last
  result.foreign = !rest.starts_with(mark);
  if (!result.foreign) {
    rest.remove_prefix(mark.size());
    read_number(rest.substr(0, rest.find('-')), result.step);
  }
  return result;
}

queue_name queue_of(std::string_view name) {
  auto dot = name.find('.');
  name.remove_prefix(dot == name.npos ? name.size() : dot + 1);
  if (name.ends_with(ending))
    name.remove_suffix(ending.size());
  return queue_name{unescape(name)};
}

uint64_t new_number() {
  static std::atomic<uint64_t> last{0};
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  auto result = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000
                + static_cast<uint64_t>(now.tv_nsec);
  for (auto before = last.load();;) {
    result = std::max(result, before + 1);
    if (last.compare_exchange_weak(before, result))
      return result;
  }
}

std::string new_name(const queue_name& queue, int step, place where) {
  auto number = new_number();
  auto order = where == place::last ? number : ~number;
  return fmt::format("{}_{}{}-{}-{}.{}{}",
                     where == place::last ? number / 1'000'000 : 0, mark, step,
                     digits(order), make_uuid().substr(0, 8),
                     escape(queue.str()), ending);
}

std::string escape(std::string_view text) {
  std::string result;
  for (unsigned char c : text.substr(0, part_max)) {
    if (c == '/' || c == '%' || c < 32)
      result += fmt::format("%{:02X}", c);
    else
      result += static_cast<char>(c);
  }
  if (text.size() <= part_max && result.size() <= part_max)
    return result;
  result.resize(std::min(result.size(), part_max - 20));
  return result + fmt::format("~{:016x}", std::hash<std::string_view>{}(text));
}

std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    int c = 0;
    auto end = text.data() + std::min(i + 3, text.size());
    if (text[i] == '%' && i + 2 < text.size()
        && std::from_chars(text.data() + i + 1, end, c, 16).ptr == end) {
      result += static_cast<char>(c);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string digits(uint64_t x) {
  return fmt::format("{:020}", x);
}

// -- files --------------------------------------------------------------------

std::vector<std::string> list(const std::string& folder) {
  std::vector<std::string> result;
  auto dir = ::opendir(folder.c_str());
  if (dir == nullptr)
    return result;
  while (auto entry = ::readdir(dir))
    if (entry->d_name[0] != '.')
      result.emplace_back(entry->d_name);
  ::closedir(dir);
  std::ranges::sort(result);
  return result;
}

std::optional<std::string> read_file(const std::string& path) {
  auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return std::nullopt;
  std::optional<std::string> result{std::string{}};
  char buffer[65'536];
  ssize_t size = 0;
  while ((size = ::read(fd, buffer, sizeof(buffer))) > 0
         || (size < 0 && errno == EINTR))
    if (size > 0)
      result->append(buffer, static_cast<size_t>(size));
  if (size < 0)
    result.reset();
  ::close(fd);
  return result;
}

std::optional<std::string> read_unlocked(const std::string& path) {
  auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return std::nullopt;
  struct stat x {};
  auto unlocked = ::flock(fd, LOCK_SH | LOCK_NB) == 0 && ::fstat(fd, &x) == 0
                  && x.st_size > 0;
  ::close(fd);
  return unlocked ? read_file(path) : std::nullopt;
}

std::optional<timestamp> time_of(const std::string& path) {
  struct stat x {};
  if (::stat(path.c_str(), &x) != 0)
    return std::nullopt;
  return timestamp{std::chrono::seconds{x.st_mtim.tv_sec}
                   + std::chrono::microseconds{x.st_mtim.tv_nsec / 1'000}};
}

void set_time(const std::string& path, timestamp to) noexcept {
  auto us = to.time_since_epoch().count();
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = us / 1'000'000;
  times[1].tv_nsec = us % 1'000'000 * 1'000;
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

error failure(const char* what, const std::string& path) {
  return {errc::unavailable,
          fmt::format("cannot {} '{}': {}", what, path, std::strerror(errno))};
}

} // namespace umbel::filesystem
