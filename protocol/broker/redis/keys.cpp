#include "protocol/broker/redis/keys.hpp"

#include "protocol/broker/priority.hpp"

#include <algorithm>

namespace umbel::redis {

keys::keys(const broker_options& options)
    : prefix_(options.global_keyprefix), sep_(options.sep),
      steps_(options.priority_steps) {
  std::sort(steps_.begin(), steps_.end());
  if (steps_.empty())
    steps_.push_back(0);
}

int keys::step(int priority) const {
  return step_of(steps_, priority);
}

std::string keys::list(std::string_view queue, int priority) const {
  auto result = prefix_;
  result += queue;
  if (auto x = step(priority); x != 0)
    result += sep_ + std::to_string(x);
  return result;
}

std::vector<std::string> keys::lists(std::string_view queue) const {
  std::vector<std::string> result;
  for (auto step : steps_)
    result.push_back(list(queue, step));
  return result;
}

std::string keys::unacked() const {
  return prefix_ + "unacked";
}

std::string keys::unacked_index() const {
  return prefix_ + "unacked_index";
}

std::string keys::binding(std::string_view exchange) const {
  return (prefix_ + "_kombu.binding.").append(exchange);
}

std::string keys::fanout(int db, std::string_view exchange,
                         std::string_view routing_key) const {
  auto result = prefix_ + '/' + std::to_string(db) + '.';
  result += exchange;
  if (!routing_key.empty())
    (result += '/') += routing_key;
  return result;
}

std::string keys::lease(std::string_view incarnation) const {
  return (prefix_ + "umbel.lease.").append(incarnation);
}

std::string keys::nothing() const {
  return prefix_ + "umbel.nothing";
}

std::string keys::reader(std::string_view incarnation) const {
  return (prefix_ + "umbel.reader.").append(incarnation);
}

std::string keys::incarnations() const {
  return prefix_ + "umbel.incarnations";
}

std::string keys::delayed() const {
  return prefix_ + "umbel.delayed";
}

std::string keys::rate(std::string_view limit) const {
  return (prefix_ + "umbel.rate.").append(limit);
}

std::string keys::fanout_queues() const {
  return prefix_ + "umbel.fanout";
}

std::string keys::revoked() const {
  return prefix_ + "umbel.revoked";
}

std::string keys::unique(std::string_view key) const {
  return prefix_ + "umbel.unique." + std::string{key};
}

std::string keys::published(std::string_view id) const {
  return prefix_ + "umbel.published." + std::string{id};
}

std::string keys::forwarder() const {
  return prefix_ + "umbel.forwarder";
}

std::string keys::dead(std::string_view queue) const {
  return (prefix_ + "umbel.dead.").append(queue);
}

std::string keys::settled() const {
  return prefix_ + "umbel.settled.";
}

std::string glob_escape(std::string_view text) {
  std::string result;
  for (auto c : text) {
    if (std::string_view{"*?[]\\^-"}.find(c) != std::string_view::npos)
      result += '\\';
    result += c;
  }
  return result;
}

} // namespace umbel::redis
