#include "protocol/client/settings.hpp"

#include "protocol/broker/broker.hpp"
#include "protocol/client/nearest.hpp"
#include "protocol/client/routing_settings.hpp"
#include "protocol/client/setting_table.hpp"
#include "protocol/task/settings.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <sstream>

namespace umbel {

namespace {

error invalid(std::string what) {
  return {errc::invalid_setting, std::move(what)};
}

std::string upper(std::string_view text) {
  std::string result{text};
  for (auto& c : result)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

// The error for a name that is not in the table.
error unknown_setting(const std::string& name, const std::string& where) {
  auto text = "unknown setting '" + name + "' " + where;
  if (auto row = find_old_setting(name))
    return invalid("setting '" + name + "' " + where
                   + " is an old upper-case name; write '"
                   + std::string{row->name} + "'");
  auto word = name;
  for (auto& c : word)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::vector<std::string_view> names;
  for (auto& row : setting_table())
    names.push_back(row.name);
  if (auto meant = nearest(word, names))
    text += "; did you mean '" + std::string{*meant} + "'?";
  else
    text += "; 'umbel settings' lists all of them";
  return invalid(std::move(text));
}

// Python compares 1 and 1.0 as equal, and so do its users.
bool same(const json::value& x, const json::value& y) {
  if (x.is_number() && y.is_number())
    return x.to_number<double>() == y.to_number<double>();
  return x == y;
}

expected<void> apply(settings& x, const setting_info& row,
                     const json::value& value, const std::string& where,
                     std::vector<std::string>& warnings) {
  std::string name{row.name};
  if (row.implemented())
    return row.set(x, value, {name, where, row.secret, &warnings});
  if (!same(value, json::parse(row.default_json)))
    warnings.push_back("setting '" + name + "' " + where
                       + " is not supported yet: it has no effect");
  return {};
}

// "3:14" for the place where a parser stopped.
std::string position(std::string_view text, size_t offset) {
  auto before = text.substr(0, offset);
  auto line = std::ranges::count(before, '\n') + 1;
  auto start = before.rfind('\n');
  auto column = start == before.npos ? offset + 1 : offset - start;
  return std::to_string(line) + ':' + std::to_string(column);
}

expected<json::object> read_file(const std::string& path) {
  std::ifstream file{path};
  std::ostringstream buffer;
  // An empty file is a failure to `<<`; here it is the parser's to speak of.
  if (file && file.peek() != std::ifstream::traits_type::eof())
    buffer << file.rdbuf();
  if (!file.is_open() || file.bad() || !buffer)
    return error{errc::not_found, "cannot read the settings file '" + path
                                      + "': " + std::strerror(errno)};
  auto text = buffer.str();
  json::parse_options options;
  options.allow_comments = true;
  options.allow_trailing_commas = true;
  json::stream_parser parser{{}, options};
  boost::system::error_code ec;
  auto end = parser.write_some(text, ec);
  if (!ec && end < text.size())
    ec = json::make_error_code(json::error::extra_data);
  if (!ec)
    parser.finish(ec);
  if (ec)
    return invalid("settings file '" + path + "' is not valid JSON: "
                   + position(text, end) + ": " + ec.message());
  auto value = parser.release();
  if (!value.is_object())
    return invalid("settings file '" + path
                   + "' must hold one object: {\"name\": value, ...}");
  return std::move(value.get_object());
}

// "worker.prefetch_multiplier", ".concurrency" and "WORKER_POOL" as the names
// in the table.
std::string plain_name(std::string name) {
  for (auto& c : name)
    c = c == '.'
            ? '_'
            : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.starts_with('_') ? "worker" + name : name;
}

} // namespace

expected<settings> load_settings(const settings_sources& sources,
                                 std::vector<std::string>& warnings) {
  settings result;
  if (!sources.file.empty()) {
    auto given = read_file(sources.file);
    if (!given)
      return given.error();
    auto where = "in " + sources.file;
    for (auto& [name, value] : *given) {
      auto row = find_setting(name);
      if (row == nullptr)
        return unknown_setting(name, where);
      if (auto done = apply(result, *row, value, where, warnings); !done)
        return done.error();
    }
  }
  // Only names that are settings: other programs and orchestrators put
  // variables of their own under CELERY_.
  for (auto& row : setting_table()) {
    auto variable = "CELERY_" + upper(row.name);
    auto given = sources.environment.find(variable);
    if (given == sources.environment.end() || given->second.empty())
      continue;
    auto value = value_from_text(row.kind, given->second);
    auto done = apply(result, row, value,
                      "in the environment (" + variable + ")", warnings);
    if (!done)
      return done.error();
  }
  for (auto& [name, text] : sources.assignments) {
    std::string where = "on the command line";
    auto row = find_setting(plain_name(name));
    if (row == nullptr)
      return unknown_setting(name, where);
    auto done =
        apply(result, *row, value_from_text(row->kind, text), where, warnings);
    if (!done)
      return done.error();
  }
  if (result.accept_content.empty())
    return invalid("accept_content is empty: nothing could be run");
  complete_queues(result);
  // Celery's two ways of saying "for ever".
  if (result.broker_connection_max_retries == size_t{0})
    result.broker_connection_max_retries.reset();
  return result;
}

std::string to_child_settings(const settings& x) {
  json::object result;
  for (auto& row : setting_table()) {
    auto name = row.name;
    auto for_webhooks = name.starts_with("webhook_");
    if (!row.implemented() || (row.secret && !for_webhooks))
      continue;
    if (for_webhooks || name.starts_with("task_") || name == "result_extended"
        || name == "result_serializer" || name == "result_accept_content"
        || name == "accept_content" || name == "timezone"
        || name == "enable_utc" || name == "result_chord_retry_interval"
        || name == "worker_deduplicate_successful_tasks")
      result.emplace(name, row.get(x));
  }
  result.emplace(chord_counting_name,
                 name_of(chord_counting_of(x.result_backend)));
  result.emplace(unique_keys_name, keeps_unique_keys(x.broker_url));
  return json::serialize(result);
}

} // namespace umbel
