// A real Redis server, emptied for each scenario. Time is real: leases are
// short, and scenarios wait for conditions.
#pragma once

#include "protocol/broker/redis/pipeline.hpp"
#include "tests/unit/broker/awaiting_broker.hpp"
#include "tests/unit/broker/redis_server.hpp"
#include "tests/unit/broker/world.hpp"


namespace umbel::test {

class redis_world : public real_world {
public:
  redis_world() {
    ask({"FLUSHALL"});
  }

  std::string url() const override {
    return server().url();
  }

  void bind(const std::string& exchange, const std::string& key, bool topic,
            const queue_name& queue) override {
    const std::string sep = "\x06\x16";
    auto pattern = topic ? to_regex(key) : "";
    ask({"SADD", "_kombu.binding." + exchange,
         key + sep + pattern + sep + queue.str()});
  }

  void plant(const delivery_tag& tag, const queue_name& queue,
             const std::string& payload,
             std::chrono::milliseconds age) override {
    auto entry = '[' + payload + R"(, "", ")" + queue.str() + R"("])";
    auto since = static_cast<double>((now() - age).count()) / 1000;
    ask({"HSET", "unacked", tag.str(), entry});
    ask({"ZADD", "unacked_index", std::to_string(since), tag.str()});
  }

  size_t unacknowledged() override {
    auto entries = ask({"HLEN", "unacked"});
    auto indexed = ask({"ZCARD", "unacked_index"});
    if (entries != indexed)
      throw std::logic_error("unacked and unacked_index do not agree");
    return static_cast<size_t>(std::stoul(entries.substr(1)));
  }

  /// One command. @returns the first line of the reply, with its type letter.
  static std::string ask(const std::vector<std::string>& words) {
    redis::pipeline command;
    command.begin(words.size());
    for (auto& word : words)
      command.arg(word);
    auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto path = server().socket_path();
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    auto bytes = command.bytes();
    auto size = static_cast<ssize_t>(bytes.size());
    std::string answer;
    if (fd >= 0 && ::connect(fd, generic, sizeof(address)) == 0
        && ::write(fd, bytes.data(), bytes.size()) == size) {
      char c = 0;
      while (::read(fd, &c, 1) == 1 && c != '\r')
        answer += c;
    }
    if (fd >= 0)
      ::close(fd);
    if (answer.empty() || answer.front() == '-')
      throw std::runtime_error("redis: " + words.front() + ": " + answer);
    return answer;
  }

private:
  static redis_server& server() {
    static redis_server instance; // starting one takes longer than a scenario
    return instance;
  }

  /// As kombu's TopicExchange.key_to_pattern writes it.
  static std::string to_regex(const std::string& key) {
    std::string result = "^", word;
    for (auto c : key + '.')
      if (c == '.') {
        result += result.size() > 1 ? "\\." : "";
        result += word == "*" ? ".*?[^\\.]" : word == "#" ? ".*?" : word;
        word.clear();
      } else {
        word += c;
      }
    return result + '$';
  }
};

/// The same, where reserving and settling do not block.
class polled_redis_world final : public redis_world {
public:
  using redis_world::connect;

  std::unique_ptr<broker>
  connect(const broker_options& options) const override {
    return std::make_unique<awaiting_broker>(url(), options);
  }

  bool waits_by_reserving() const override {
    return true;
  }
};

} // namespace umbel::test
