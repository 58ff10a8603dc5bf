// For tests of what exactly stands in Redis: a server that is emptied for each
// test, a plain connection to it, and the whole keyspace as text.
#pragma once

#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/broker/redis/scripts.hpp"
#include "tests/unit/broker/redis_server.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace umbel::test {

using strings = std::vector<std::string>;

class redis_fixture {
public:
  redis_fixture() {
    redis::connection_options options;
    options.client_name = "test";
    options.scripts = {&redis::scripts::reserve, &redis::scripts::settle,
                       &redis::scripts::supersede,
                       &redis::scripts::renew,   &redis::scripts::stale,
                       &redis::scripts::restore, &redis::scripts::dead_owners,
                       &redis::scripts::forward, &redis::scripts::rate};
    auto where = redis::to_address(parse_url(server().url()).value()).value();
    admin = redis::connection::open(where, options).value();
    ask({"FLUSHALL"});
  }

  static redis_server& server() {
    static redis_server instance; // starting one takes longer than a test
    return instance;
  }

  /// A reply as text; the elements of arrays in brackets, nil as "-".
  static std::string text(const redisReply& x) {
    switch (x.type) {
      case REDIS_REPLY_INTEGER:
        return std::to_string(x.integer);
      case REDIS_REPLY_NIL:
        return "-";
      case REDIS_REPLY_ARRAY: {
        std::string result = "[";
        for (auto* item : redis::elements_of(x))
          result += (result.size() > 1 ? " " : "") + text(*item);
        return result + ']';
      }
      default:
        return std::string{redis::text_of(x)};
    }
  }

  /// One command; an error reply is returned as text, too.
  std::string ask(const strings& words) {
    redis::pipeline command;
    command.begin(words.size());
    for (auto& word : words)
      command.arg(word);
    return text(*admin->run(command, "test").value().front());
  }

  std::string run(const redis::script& x, const strings& keys,
                  const strings& args) {
    strings words{"EVALSHA", std::string{x.sha}, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), args.begin(), args.end());
    return ask(words);
  }

  /// Every key with its whole value, sorted, in lines such as
  ///   q: list c b a            left to right
  ///   unacked: hash tag=entry
  ///   unacked_index: zset tag
  ///   umbel.lease.i: string node (expires)
  /// kombu's separator shows as `|`.
  strings keyspace() {
    strings result;
    auto names = admin->command({"KEYS", "*"}, "test").value();
    for (auto* name : redis::elements_of(*names)) {
      auto key = text(*name);
      auto type = ask({"TYPE", key});
      auto line = key + ": " + type;
      for (auto& item : items(key, type))
        line += ' ' + item;
      if (ask({"PTTL", key}) != "-1")
        line += " (expires)";
      for (size_t i; (i = line.find("\x06\x16")) != std::string::npos;)
        line.replace(i, 2, "|");
      result.push_back(line);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  broker_options options(strings queues = {"q"}) const {
    broker_options result;
    result.node = node_name{"n"};
    result.incarnation = "i";
    result.lease = std::chrono::minutes{10}; // does not end while a test runs
    for (auto& queue : queues)
      result.queues.emplace_back(queue);
    result.result_url = server().url();
    return result;
  }

  static std::unique_ptr<broker> connect(const broker_options& options) {
    return connect_redis_broker(server().url(), options).value();
  }

  std::unique_ptr<redis::connection> admin;

private:
  strings items(const std::string& key, const std::string& type) {
    if (type == "string")
      return {ask({"GET", key})};
    redis::reply all;
    if (type == "list")
      all = admin->command({"LRANGE", key, "0", "-1"}, "test").value();
    else if (type == "set")
      all = admin->command({"SMEMBERS", key}, "test").value();
    else if (type == "zset")
      all = admin->command({"ZRANGE", key, "0", "-1"}, "test").value();
    else
      all = admin->command({"HGETALL", key}, "test").value();
    strings result;
    for (auto* item : redis::elements_of(*all))
      result.push_back(text(*item));
    if (type == "hash") {
      strings pairs;
      for (size_t i = 0; i + 1 < result.size(); i += 2)
        pairs.push_back(result[i] + '=' + result[i + 1]);
      result = pairs;
    }
    if (type != "list")
      std::sort(result.begin(), result.end());
    return result;
  }
};

} // namespace umbel::test
