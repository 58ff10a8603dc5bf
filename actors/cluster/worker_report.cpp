#include "actors/cluster/worker_report.hpp"

#include "actors/pool/memory_gauge.hpp"
#include "protocol/broker/queue_binding.hpp"
#include "protocol/broker/url.hpp"
#include "protocol/client/shown_settings.hpp"

#include <caf/config.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace umbel {

namespace {

double seconds(std::chrono::milliseconds x) {
  return std::chrono::duration<double>{x}.count();
}

double seconds(const timeval& x) {
  return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) / 1e6;
}

json::value text_or_null(std::string x) {
  return x.empty() ? json::value{} : json::value(std::move(x));
}

/// Seconds since this process began.
int64_t uptime() {
  std::ifstream file{"/proc/self/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  // Fields are counted from behind the name, which may hold anything.
  auto at = text.rfind(')');
  for (int field = 2; field < 22 && at != text.npos; ++field)
    at = text.find(' ', at + 1);
  if (at == text.npos)
    return 0;
  auto ticks = std::strtod(text.c_str() + at, nullptr);
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::max<int64_t>(
    0, now.tv_sec - std::lround(ticks / static_cast<double>(sysconf(_SC_CLK_TCK))));
}

json::object usage() {
  struct rusage x {};
  getrusage(RUSAGE_SELF, &x);
  return {{"utime", seconds(x.ru_utime)}, {"stime", seconds(x.ru_stime)},
          {"maxrss", x.ru_maxrss},        {"ixrss", x.ru_ixrss},
          {"idrss", x.ru_idrss},          {"isrss", x.ru_isrss},
          {"minflt", x.ru_minflt},        {"majflt", x.ru_majflt},
          {"nswap", x.ru_nswap},          {"inblock", x.ru_inblock},
          {"oublock", x.ru_oublock},      {"msgsnd", x.ru_msgsnd},
          {"msgrcv", x.ru_msgrcv},        {"nsignals", x.ru_nsignals},
          {"nvcsw", x.ru_nvcsw},          {"nivcsw", x.ru_nivcsw}};
}

json::object broker_document(const worker_config& config) {
  url where;
  if (auto parsed = parse_url(config.settings.broker_url))
    where = std::move(*parsed);
  auto host = where.path;
  host.erase(0, host.starts_with('/') ? 1 : 0);
  json::object result;
  result["hostname"] = text_or_null(where.host);
  result["userid"] = text_or_null(where.user);
  result["virtual_host"] = host.empty() ? "/" : host;
  result["port"] = where.port == 0 ? json::value{} : json::value(where.port);
  result["insist"] = false;
  result["ssl"] = where.scheme == "rediss" || where.scheme == "amqps";
  result["transport"] = where.scheme;
  result["connect_timeout"] = seconds(config.broker.connect_timeout);
  result["transport_options"] = json::object{};
  result["login_method"] = text_or_null(config.broker.login_method);
  result["uri_prefix"] = nullptr;
  result["heartbeat"] = config.broker.heartbeat.count();
  result["failover_strategy"] = "round-robin";
  result["alternates"] = json::array{};
  return result;
}

/// How tasks are spread over the children, as Celery writes it: shares of all that
/// they have done.
json::object writes_document(uint64_t total, const pool_info& pool) {
  auto& done = pool.finished;
  auto all = std::accumulate(done.begin(), done.end(), size_t{0});
  auto share = [all](double x) {
    return fmt::format("{:.2f}", all == 0 ? 0 : x / static_cast<double>(all));
  };
  std::vector<std::string> shares;
  for (auto x : done)
    shares.push_back(share(static_cast<double>(x)));
  auto number = static_cast<double>(std::max<size_t>(done.size(), 1));
  json::object inqueues{{"total", done.size()}, {"active", pool.running.size()}};
  return {{"total", total},
          {"avg", share(static_cast<double>(all) / number)},
          {"all", fmt::format("{}", fmt::join(shares, ", "))},
          {"raw", fmt::format("{}", fmt::join(done, ", "))},
          {"strategy", "fair"},
          {"inqueues", std::move(inqueues)}};
}

json::object pool_document(const worker_config& config, const run_counts& runs,
                           const pool_info& pool) {
  auto& x = config.settings;
  constexpr std::chrono::milliseconds none{0};
  auto max_tasks = x.worker_max_tasks_per_child.value_or(0);
  json::object result;
  result["implementation"] = "umbel:" + x.worker_pool;
  result["max-concurrency"] = pool.size;
  result["processes"] = json::array(pool.processes.begin(),
                                    pool.processes.end());
  result["max-tasks-per-child"] = max_tasks == 0 ? json::value("N/A")
                                                 : json::value(max_tasks);
  result["put-guarded-by-semaphore"] = false;
  result["timeouts"] = json::array{
    seconds(x.task_soft_time_limit.value_or(none)),
    seconds(x.task_time_limit.value_or(none))};
  result["writes"] = writes_document(runs.total(), pool);
  result["restarts"] = pool.restarts;
  return result;
}

} // namespace

json::object worker_statistics(const worker_config& config,
                               const run_counts& runs, const pool_info& pool,
                               uint64_t clock) {
  json::object total;
  for (auto& [task, n] : runs.begun)
    total[task] = n;
  json::object result;
  result["total"] = std::move(total);
  result["pid"] = getpid();
  result["clock"] = std::to_string(clock);
  result["uptime"] = uptime();
  result["pool"] = pool_document(config, runs, pool);
  result["broker"] = broker_document(config);
  result["prefetch_count"] = runs.prefetch;
  json::object dead;
  for (auto& [queue, n] : runs.dead)
    dead[queue] = n;
  result["dead_letters"] = std::move(dead);
  result["duplicates"] = runs.duplicates;
  result["rusage"] = usage();
  return result;
}

std::string worker_report(const worker_config& config) {
  utsname x{};
  uname(&x);
  auto text = fmt::format("\nsoftware -> umbel:{} caf:{}.{}.{} gcc:{}\n"
                          "platform -> system:{} arch:{}\n"
                          "            kernel version:{} imp:C++\n"
                          "loader   -> {}\n",
                          config.version, CAF_MAJOR_VERSION, CAF_MINOR_VERSION,
                          CAF_PATCH_VERSION, __VERSION__, x.sysname, x.machine,
                          x.release, fmt::join(config.libraries, ", "));
  auto shown = shown_settings(config.settings, false);
  auto url = parse_url(config.settings.broker_url);
  auto results = shown.if_contains("result_backend");
  text += fmt::format("settings -> transport:{} results:{}\n\n",
                      url ? url->scheme : "?",
                      results && results->is_string()
                        ? std::string{std::string_view{results->get_string()}}
                        : "");
  for (auto& [key, value] : shown)
    text += fmt::format("{}: {}\n", std::string_view{key}, python_repr(value));
  return text;
}

namespace {

json::value delivery_mode_of(const settings& from, const std::string& queue) {
  auto known = std::ranges::find(from.task_queues, queue, &queue_setting::name);
  if (known == from.task_queues.end() || !known->delivery_mode)
    return nullptr;
  return static_cast<int>(*known->delivery_mode);
}

} // namespace

json::array queue_documents(const worker_config& config,
                            std::span<const queue_name> queues) {
  json::array result;
  for (auto& name : queues) {
    auto x = binding_of(config.broker, name.str());
    result.push_back(json::object{
      {"name", name.str()},
      {"exchange", json::object{{"name", x.exchange},
                                {"type", x.exchange_type},
                                {"arguments", nullptr},
                                {"durable", true},
                                {"passive", false},
                                {"auto_delete", false},
                                {"delivery_mode",
                                 delivery_mode_of(config.settings, name.str())},
                                {"no_declare", false}}},
      {"routing_key", x.routing_key},
      {"queue_arguments", nullptr},
      {"binding_arguments", nullptr},
      {"consumer_arguments", nullptr},
      {"durable", true},
      {"exclusive", false},
      {"auto_delete", false},
      {"no_ack", false},
      {"alias", nullptr},
      {"bindings", json::array{}},
      {"no_declare", nullptr},
      {"expires", nullptr},
      {"message_ttl", nullptr},
      {"max_length", nullptr},
      {"max_length_bytes", nullptr},
      {"max_priority", nullptr}});
  }
  return result;
}

std::string resident_memory() {
  auto kib = static_cast<double>(memory_gauge{getpid()}.read());
  return fmt::format("{:.1f}MB", kib / 1024);
}

} // namespace umbel
