#include "protocol/broker/redis/redis_queue_admin.hpp"

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/redis/redis_broker.hpp"

#include <algorithm>
#include <utility>

namespace umbel {

namespace redis {

namespace {

class admin final : public queue_admin {
public:
  admin(std::unique_ptr<connection> main, const broker_options& options)
      : main_(std::move(main)), keys_(options), sep_(options.sep) {
  }

  expected<void> declare_exchange(const std::string&, const std::string&,
                                  bool) override {
    return {}; // it is there when something is bound to it
  }

  expected<void> delete_exchange(const std::string& name,
                                 bool if_unused) override {
    auto key = keys_.binding(name);
    if (if_unused) {
      auto bound = count({"SCARD", key});
      if (!bound)
        return bound.error();
      if (*bound > 0)
        return error{errc::refused, "exchange " + name + " is in use: "
                                      + std::to_string(*bound)
                                      + " queues are bound to it"};
    }
    auto done = count({"DEL", key});
    if (!done)
      return done.error();
    return {};
  }

  expected<size_t> declare_queue(const std::string& name, bool) override {
    if (auto done = bind({name, name, name}); !done)
      return done.error();
    return size(name);
  }

  expected<size_t> delete_queue(const std::string& name, bool,
                                bool if_empty) override {
    auto waiting = size(name);
    if (!waiting)
      return waiting;
    if (if_empty && *waiting > 0)
      return error{errc::refused, "queue " + name + " is not empty: "
                                    + std::to_string(*waiting)
                                    + " messages wait in it"};
    auto found = members();
    if (!found)
      return found.error();
    pipeline commands;
    for (auto& [key, member] : *found)
      if (parse(key, member).queue == name)
        commands.add({"SREM", key, member});
    for (auto& list : keys_.lists(name))
      commands.add({"DEL", list});
    auto done = main_->check(commands, doing);
    if (!done)
      return done.error();
    return waiting;
  }

  expected<void> bind(const queue_binding& x) override {
    auto done = count({"SADD", keys_.binding(x.exchange),
                       x.routing_key + sep_ + sep_ + x.queue});
    if (!done)
      return done.error();
    return {};
  }

  expected<binding_list> bindings() override {
    auto found = members();
    if (!found)
      return found.error();
    binding_list to;
    for (auto& [key, member] : *found)
      to.bindings.push_back(parse(key, member));
    return to;
  }

private:
  static constexpr auto doing = "look after queues";

  /// A key of bindings and one of its members.
  using member = std::pair<std::string, std::string>;

  queue_binding parse(const std::string& key, const std::string& text) const {
    auto key_end = text.find(sep_);
    auto queue = text.rfind(sep_);
    if (key_end == text.npos)
      return {text, key.substr(keys_.binding("").size()), ""};
    return {text.substr(queue + sep_.size()),
            key.substr(keys_.binding("").size()), text.substr(0, key_end)};
  }

  expected<size_t> count(std::initializer_list<std::string_view> words) {
    auto x = main_->command(words, doing);
    if (!x)
      return x.error();
    return static_cast<size_t>((*x)->integer);
  }

  expected<size_t> size(const std::string& queue) {
    size_t to = 0;
    for (auto& list : keys_.lists(queue)) {
      auto n = count({"LLEN", list});
      if (!n)
        return n;
      to += *n;
    }
    return to;
  }

  expected<std::vector<member>> members() {
    std::vector<member> to;
    std::vector<std::string> sets;
    std::string cursor = "0";
    auto pattern = glob_escape(keys_.binding("")) + '*';
    do {
      auto x = main_->command({"SCAN", cursor, "MATCH", pattern, "COUNT", "512",
                               "TYPE", "set"},
                              doing);
      if (!x)
        return x.error();
      auto parts = elements_of(**x);
      if (parts.size() != 2)
        break;
      cursor = text_of(*parts[0]);
      for (auto* key : elements_of(*parts[1]))
        sets.emplace_back(text_of(*key));
    } while (cursor != "0");
    std::ranges::sort(sets);
    sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
    for (auto& set : sets) {
      auto x = main_->command({"SMEMBERS", set}, doing);
      if (!x)
        return x.error();
      auto first = to.size();
      for (auto* text : elements_of(**x))
        to.emplace_back(set, std::string{text_of(*text)});
      std::sort(to.begin() + static_cast<std::ptrdiff_t>(first), to.end());
    }
    return to;
  }

  std::unique_ptr<connection> main_;
  keys keys_;
  std::string sep_;
};

} // namespace

} // namespace redis

expected<std::unique_ptr<queue_admin>>
connect_redis_queue_admin(const std::string& url,
                          const broker_options& options) {
  auto main = redis::connection::open(url, redis::timeouts_of(options));
  if (!main)
    return main.error();
  std::unique_ptr<queue_admin> to
    = std::make_unique<redis::admin>(std::move(*main), options);
  return to;
}

} // namespace umbel
