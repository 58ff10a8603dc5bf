#include "apps/call_options.hpp"

#include "apps/options.hpp"
#include "protocol/message/content.hpp"
#include "protocol/message/time.hpp"
#include "protocol/message/uniqueness.hpp"

#include <charconv>
#include <cmath>

namespace umbel {

namespace {

std::optional<double> seconds(const std::string& text) {
  double x = 0;
  auto end = text.data() + text.size();
  auto [ptr, ec] = std::from_chars(text.data(), end, x);
  if (ec != std::errc{} || ptr != end || !(x >= 0 && x <= 1e11))
    return std::nullopt;
  return x;
}

template <class Duration>
Duration to_duration(double x) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>{x});
}

send_options::seconds seconds_of(const std::string& text) {
  return send_options::seconds{*seconds(text)};
}

// A check returns what is wrong, or nothing.
using complaint = std::string;

complaint some_seconds(const std::string& text) {
  return seconds(text) ? "" : '\'' + text
                                + "' is not a number of seconds, 0 or more";
}

complaint a_time(const std::string& text) {
  return parse_time(text) ? "" : '\'' + text
                                   + "' is not a time such as "
                                     "2030-01-31T12:00:00Z";
}

complaint a_time_or_seconds(const std::string& text) {
  return seconds(text) || parse_time(text)
           ? ""
           : '\'' + text
               + "' is neither a number of seconds nor a time such as "
                 "2030-01-31T12:00:00Z";
}

complaint a_list(const std::string& text) {
  auto x = parse_json(text);
  return x && x->is_array() ? "" : '\'' + text
                                     + "' is not a list in JSON, such as "
                                       "[4, \"text\"]";
}

complaint a_mapping(const std::string& text) {
  auto x = parse_json(text);
  return x && x->is_object() ? "" : '\'' + text
                                      + "' is not a mapping in JSON, such as "
                                        "{\"x\": 4}";
}

complaint a_serializer(const std::string& text) {
  auto known = parse_serializer(text);
  return known ? "" : known.error().what;
}

complaint a_compression(const std::string& text) {
  auto known = parse_compression(text);
  return known ? "" : known.error().what;
}

complaint start_or_done(const std::string& text) {
  return text == "start" || text == "done"
           ? ""
           : '\'' + text + "' is neither start nor done";
}

complaint a_priority(const std::string& text) {
  return text.size() == 1 && text[0] >= '0' && text[0] <= '9'
           ? ""
           : '\'' + text + "' is not a whole number from 0 to 9";
}

void add(CLI::App& command, const char* names, const char* type,
         std::function<void(const std::string&)> use, const char* meaning,
         complaint (*check)(const std::string&) = nullptr) {
  auto option = command.add_option_function<std::string>(names, std::move(use),
                                                         meaning)
                  ->type_name(type)
                  ->group(options_group)
                  ->take_last();
  if (check != nullptr)
    option->check(CLI::Validator{
      [check](std::string& text) { return check(text); }, ""});
}

} // namespace

void add_call_options(CLI::App& command, call_options& x) {
  // No group: the usage line shows it.
  command.add_option("task", x.task)->group("");
  add(
    command, "-a,--args", "JSON",
    [&x](const std::string& text) { x.args = parse_json(text)->as_array(); },
    "Positional arguments, a list [default: []]", a_list);
  add(
    command, "-k,--kwargs", "JSON",
    [&x](const std::string& text) { x.kwargs = parse_json(text)->as_object(); },
    "Keyword arguments, a mapping [default: {}]", a_mapping);
  add(
    command, "-Q,--queue", "NAME",
    [&x](const std::string& text) { x.how.queue = text; },
    "Queue to send it to [default: by the settings task_routes and "
    "task_default_queue]");
  add(
    command, "--exchange", "NAME",
    [&x](const std::string& text) { x.how.exchange = text; },
    "Exchange to send it through, with --routing-key");
  add(
    command, "--routing-key", "KEY",
    [&x](const std::string& text) { x.how.routing_key = text; },
    "Key for --exchange, or for a queue behind a topic exchange [default: the "
    "queue's own]");
  add(
    command, "--priority", "0-9",
    [&x](const std::string& text) { x.how.priority = text[0] - '0'; },
    "Priority in its queue; which end is urgent depends on the broker [default: "
    "by the settings task_routes and task_default_priority, or 0]",
    a_priority);
  add(
    command, "--countdown", "SECONDS",
    [&x](const std::string& text) { x.how.countdown = seconds_of(text); },
    "Run it so much later", some_seconds);
  add(
    command, "--eta", "TIME",
    [&x](const std::string& text) { x.how.eta = *parse_time(text); },
    "Run it at this time (ISO 8601), not earlier", a_time);
  add(
    command, "--expires", "SECONDS|TIME",
    [&x](const std::string& text) {
      if (seconds(text))
        x.how.expires_in = seconds_of(text);
      else
        x.how.expires = *parse_time(text);
    },
    "Do not run it later than that", a_time_or_seconds);
  add(
    command, "--serializer", "NAME",
    [&x](const std::string& text) { x.how.serializer = text; },
    "json, yaml or msgpack [default: by the settings task_routes and "
    "task_serializer]",
    a_serializer);
  add(
    command, "--compression", "NAME",
    [&x](const std::string& text) { x.how.compression = text; },
    "zlib, bzip2, lzma, zstd or brotli [default: by the settings task_routes and "
    "task_compression]",
    a_compression);
  add(
    command, "--time-limit", "SECONDS",
    [&x](const std::string& text) { x.how.time_limit = seconds_of(text); },
    "Kill it when it has run so long", some_seconds);
  add(
    command, "--soft-time-limit", "SECONDS",
    [&x](const std::string& text) { x.how.soft_time_limit = seconds_of(text); },
    "Tell it to end when it has run so long", some_seconds);
  add(
    command, "--task-id", "ID",
    [&x](const std::string& text) { x.how.task_id = text; },
    "Id of the task [default: a new one]");
  add(
    command, "--publish-once", "SECONDS",
    [&x](const std::string& text) {
      x.how.headers[publish_once_header] = *seconds(text);
    },
    "With --task-id: do nothing if it was published so within this time",
    some_seconds);
  add(
    command, "--unique-key", "KEY",
    [&x](const std::string& text) { x.how.headers[unique_key_header] = text; },
    "Refuse it while another task of this name with this key waits or runs");
  add(
    command, "--unique-for", "SECONDS",
    [&x](const std::string& text) {
      x.how.headers[unique_for_header] = *seconds(text);
    },
    "With --unique-key: longest time for which it holds the key [default: 3600]",
    some_seconds);
  add(
    command, "--unique-until", "start|done",
    [&x](const std::string& text) { x.how.headers[unique_until_header] = text; },
    "With --unique-key: when the key is free again [default: done]",
    start_or_done);
  command
    .add_flag_callback(
      "--wait", [&x] { x.wait = true; },
      "Wait for the end and print the result as JSON")
    ->group(options_group)
    ->disable_flag_override();
  command
    .add_flag_callback(
      "--no-wait", [&x] { x.wait = false; },
      "Print the task's id and do not wait [default]")
    ->group(options_group)
    ->disable_flag_override();
  add(
    command, "--timeout", "SECONDS",
    [&x](const std::string& text) {
      x.timeout = to_duration<std::chrono::milliseconds>(*seconds(text));
    },
    "With --wait: give up waiting after that [default: never]", some_seconds);
}

} // namespace umbel
