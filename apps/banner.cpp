#include "apps/banner.hpp"

#include "apps/version.hpp"
#include "protocol/broker/amqp/address.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/redis/address.hpp"
#include "protocol/broker/url.hpp"
#include "protocol/task/builtin_tasks.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include <sys/utsname.h>

namespace umbel {

namespace {

/// An umbel: every stalk springs from one point.
constexpr std::string_view art[] = {
    "    .  o  .",       "  o   .|.   o",    " .\\\\ o | o //.",
    " o \\\\ \\|/ // o", "  \\ \\\\ | // /", "   \\ \\\\|// /",
    "    `-\\|/-'",      "       |",         "       |",
    "       |",          "       |",         "       |",
};

constexpr size_t art_width = 16;

std::string platform() {
  utsname x;
  if (uname(&x) != 0)
    return "unknown platform";
  return fmt::format("{}-{}-{}", x.sysname, x.release, x.machine);
}

// A URL that cannot be parsed is not shown: its password could not be found.
std::string shown_url(const std::string& text) {
  if (text.empty())
    return "disabled://";
  if (auto addresses = amqp::to_addresses(text)) // of several, the first
    return addresses->front().str();
  auto parsed = parse_url(text);
  if (parsed && parsed->scheme != "memory" && parsed->scheme != "disabled")
    if (auto address = redis::to_address(*parsed))
      return address->str();
  return parsed ? to_string(*parsed) : "(not a URL)";
}

std::string joined(const std::vector<std::string>& xs) {
  return fmt::format("{}", fmt::join(xs, ", "));
}

std::string size_of_pool(const worker_config& config) {
  auto& kind = config.settings.worker_pool;
  if (auto& bounds = config.autoscale)
    return fmt::format("{{min={}, max={}}} ({})", bounds->min, bounds->max,
                       kind);
  return fmt::format("{} ({})", config.concurrency, kind);
}

} // namespace

std::string banner(const worker_config& config,
                   std::span<const std::string> tasks) {
  auto now = std::time(nullptr);
  std::vector<std::string> lines{
      fmt::format("{} v{} (umbel)", config.broker.node.str(), version),
      "",
      fmt::format("{} {:%Y-%m-%d %H:%M:%S}", platform(), fmt::localtime(now)),
      "",
      "[config]",
      ".> app:         " + joined(config.apps),
      ".> transport:   " + shown_url(config.settings.broker_url),
      ".> results:     " + shown_url(config.settings.result_backend),
      ".> concurrency: " + size_of_pool(config),
      ".> task events: OFF",
      "",
      "[queues]",
  };
  auto queues = config.broker.queues;
  std::ranges::sort(queues);
  for (auto& queue : queues) {
    auto way = binding_of(config.broker, queue.str());
    lines.push_back(fmt::format(".> {:<16} exchange={}({}) key={}", queue.str(),
                                way.exchange, way.exchange_type,
                                way.routing_key));
  }
  std::string result = "\n";
  for (size_t i = 0; i < lines.size(); ++i) {
    auto left = i < std::size(art) ? art[i] : std::string_view{};
    auto line = fmt::format("{:<{}} {}", left, art_width, lines[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + '\n';
  }
  if (config.log_level <= spdlog::level::info) {
    std::vector<std::string> names{tasks.begin(), tasks.end()};
    if (config.log_level > spdlog::level::debug)
      std::erase_if(names, is_builtin_task);
    std::ranges::sort(names);
    result += "\n[tasks]\n";
    for (auto& name : names)
      result += "  . " + name + '\n';
  }
  return result + '\n';
}

} // namespace umbel
