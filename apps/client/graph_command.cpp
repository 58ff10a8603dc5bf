#include "apps/client/graph_command.hpp"

#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "protocol/broker/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace umbel::client {

namespace {

/// A name as `dot` reads it.
std::string dot_name(std::string_view text) {
  std::string to = "\"";
  for (auto c : text) {
    if (c == '"' || c == '\\')
      to += '\\';
    to += c < ' ' && c >= 0 ? ' ' : c;
  }
  return to + '"';
}

std::string shown(const std::string& address) {
  auto parsed = parse_url(address);
  return parsed ? to_string(*parsed) : address.substr(0, address.find("://"));
}

/// How many tasks a worker runs at once, by its `stats`; 0 if it does not say.
int64_t children_of(const json::value& stats) {
  auto* all = stats.if_object();
  auto* pool = all ? all->if_contains("pool") : nullptr;
  auto* inner = pool ? pool->if_object() : nullptr;
  auto* count = inner ? inner->if_contains("max-concurrency") : nullptr;
  return count && count->is_int64() ? count->get_int64() : 0;
}

} // namespace

int graph_workers(const std::string& name, const options& given,
                  std::chrono::milliseconds timeout) {
  auto loaded = read_settings(name, given);
  if (!loaded)
    return refuse(name, loaded.error());
  auto client = control_client::connect(to_control_client_options(*loaded));
  if (!client)
    return refuse(name, client.error());
  control_request stats;
  stats.method = "stats";
  auto answers = client->ask(std::move(stats), timeout);
  if (!answers)
    return refuse(name, answers.error());
  std::ranges::sort(*answers, {}, &node_answer::node);
  auto broker = dot_name(client->location());
  auto results = loaded->result_backend.empty()
                     ? std::string{}
                     : dot_name("results: " + shown(loaded->result_backend));
  std::string to = "digraph workers {\n  rankdir=LR;\n  node [shape=box];\n";
  to += fmt::format("  {} [shape=circle];\n", broker);
  if (!results.empty())
    to += fmt::format("  {} [shape=folder];\n", results);
  for (auto& x : *answers) {
    auto label = fmt::format("{} ({} at once)", x.node.str(),
                             children_of(x.value));
    auto node = dot_name(x.node.str());
    to += fmt::format("  {} [label={}];\n  {} -> {};\n", node, dot_name(label),
                      broker, node);
    if (!results.empty())
      to += fmt::format("  {} -> {};\n", node, results);
  }
  std::printf("%s}\n", to.c_str());
  return exit_ok;
}

} // namespace umbel::client
