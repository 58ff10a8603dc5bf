#include "protocol/broker/filesystem/exchange.hpp"

#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/broker/memory/binding.hpp"
#include "protocol/message/json.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace umbel::filesystem {

namespace {

constexpr auto exchange_ending = ".exchange";

std::string table_path(const std::string& control,
                       const std::string& exchange) {
  return control + '/' + escape(exchange) + exchange_ending;
}

expected<json::array> parse_table(const std::string& path,
                                  const std::string& text) {
  if (text.empty())
    return json::array{};
  boost::system::error_code failed;
  auto x = json::parse(text, failed);
  auto ok = !failed && x.is_array();
  for (size_t i = 0; ok && i < x.get_array().size(); ++i) {
    auto row = x.get_array()[i].if_array();
    ok = row && row->size() == 3;
    for (size_t j = 0; ok && j < 3; ++j)
      ok = (*row)[j].is_string() || (*row)[j].is_null();
  }
  if (!ok)
    return error{errc::malformed,
                 "'" + path + "' is no exchange table of kombu's"};
  return std::move(x.get_array());
}

std::string text_of(const json::value& x) {
  auto text = x.if_string();
  return text ? std::string{*text} : std::string{};
}

// kombu stores a topic's pattern as a regular expression beside the key that it is
// made from; the key says it all. Events go through a topic, as on RabbitMQ.
bool matches(const json::array& row, const std::string& routing_key,
             bool fanout) {
  if (fanout && text_of(row[1]).empty())
    return true;
  binding x{text_of(row[0]), !text_of(row[1]).empty(), {}};
  return x.matches(routing_key);
}

// Changes a table in place, as kombu does: it holds the file open while it waits for
// the lock.
expected<void> change_table(const std::string& control,
                            const std::string& exchange,
                            const std::function<bool(json::array&)>& change) {
  auto path = table_path(control, exchange);
  auto fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    return failure("open", path);
  struct closer {
    int fd;
    ~closer() {
      ::close(fd);
    }
  } guard{fd};
  while (::flock(fd, LOCK_EX) != 0)
    if (errno != EINTR)
      return failure("lock", path);
  auto text = read_file(path);
  if (!text)
    return failure("read", path);
  auto table = parse_table(path, *text);
  if (!table)
    return table.error();
  if (!change(*table))
    return {};
  auto bytes = json::serialize(*table);
  auto size = static_cast<ssize_t>(bytes.size());
  if (::pwrite(fd, bytes.data(), bytes.size(), 0) != size
      || ::ftruncate(fd, size) != 0)
    return failure("write", path);
  return {};
}

json::array row_of(const std::string& key, const std::string& pattern,
                   const queue_name& queue) {
  return {json::string{key}, json::string{pattern}, json::string{queue.str()}};
}

} // namespace

expected<void> bind(const std::string& control, const std::string& exchange,
                    const std::string& key, const std::string& pattern,
                    const queue_name& queue) {
  return change_table(control, exchange, [&](json::array& table) {
    auto row = row_of(key, pattern, queue);
    for (auto& x : table)
      if (x.get_array() == row)
        return false;
    table.insert(table.begin(), std::move(row));
    return true;
  });
}

expected<void> unbind(const std::string& control, const std::string& exchange,
                      const std::string& key, const std::string& pattern,
                      const queue_name& queue) {
  return change_table(control, exchange, [&](json::array& table) {
    auto row = row_of(key, pattern, queue);
    for (auto i = table.begin(); i != table.end(); ++i)
      if (i->get_array() == row) {
        table.erase(i);
        return true;
      }
    return false;
  });
}

std::string pattern_of(const std::string& key) {
  std::string result{"^"};
  for (auto c : key)
    if (c == '#')
      result += ".*?";
    else if (c == '*')
      result += ".*?[^\\.]";
    else if (c == '.')
      result += "\\.";
    else
      result += c;
  return result + '$';
}

expected<void> unbind_all(const std::string& control,
                          const std::string& exchange,
                          const queue_name& queue) {
  return change_table(control, exchange, [&](json::array& table) {
    auto leads_there = [&](const json::value& row) {
      return text_of(row.get_array()[2]) == queue.str();
    };
    auto end = std::remove_if(table.begin(), table.end(), leads_there);
    auto changed = end != table.end();
    table.erase(end, table.end());
    return changed;
  });
}

expected<std::set<queue_name>> route(const std::string& control,
                                     const std::string& exchange,
                                     const std::string& routing_key,
                                     bool fanout) {
  std::set<queue_name> result; // a queue that is bound twice gets one copy
  if (exchange.empty()) {
    result.emplace(routing_key);
    return result;
  }
  auto path = table_path(control, exchange);
  auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return result;
  if (fd < 0)
    return failure("open", path);
  while (::flock(fd, LOCK_SH) != 0 && errno == EINTR)
    ;
  auto text = read_file(path);
  ::close(fd);
  if (!text)
    return failure("read", path);
  auto table = parse_table(path, *text);
  if (!table)
    return table.error();
  for (auto& x : *table)
    if (matches(x.get_array(), routing_key, fanout))
      result.emplace(text_of(x.get_array()[2]));
  return result;
}

expected<binding_list> list_bindings(const std::string& url,
                                     const broker_options& options) {
  auto where = name_folders(url, options);
  if (!where)
    return where.error();
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<std::string> names;
  for (fs::directory_iterator i{where->control, failed}, end; !failed && i != end;
       i.increment(failed))
    if (i->path().extension() == exchange_ending)
      names.push_back(i->path().stem().string());
  if (failed && failed != std::errc::no_such_file_or_directory)
    return error{errc::unavailable, "cannot look into '" + where->control
                                      + "': " + failed.message()};
  std::ranges::sort(names);
  binding_list to;
  for (auto& name : names) {
    auto path = where->control + '/' + name + exchange_ending;
    auto text = read_file(path);
    auto table = parse_table(path, text.value_or(""));
    if (!table)
      return table.error();
    for (auto& row : *table)
      to.bindings.push_back({text_of(row.get_array()[2]), unescape(name),
                             text_of(row.get_array()[0])});
  }
  return to;
}

} // namespace umbel::filesystem
