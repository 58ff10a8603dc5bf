#include "protocol/broker/amqp/topology.hpp"

#include "protocol/broker/amqp/dead_letters.hpp"
#include "protocol/broker/amqp/delay.hpp"
#include "protocol/broker/amqp/table.hpp"
#include "protocol/broker/fanout.hpp"
#include "protocol/broker/queue_binding.hpp"

#include <vector>

namespace umbel::amqp {

namespace {

/// Arguments of a queue. The texts are the caller's.
class arguments {
public:
  arguments& text(const char* name, std::string_view value) {
    auto& x = add(name);
    x.kind = AMQP_FIELD_KIND_UTF8;
    x.value.bytes = bytes(value);
    return *this;
  }

  arguments& number(const char* name, int64_t value) {
    auto& x = add(name);
    x.kind = AMQP_FIELD_KIND_I64;
    x.value.i64 = value;
    return *this;
  }

  amqp_table_t table() {
    return {static_cast<int>(entries_.size()), entries_.data()};
  }

private:
  amqp_field_value_t& add(const char* name) {
    entries_.push_back({amqp_cstring_bytes(name), {}});
    return entries_.back().value;
  }

  std::vector<amqp_table_entry_t> entries_;
};

} // namespace

expected<void> topology::declare(const std::string& queue) {
  if (known_.count(queue) > 0)
    return {};
  auto to = binding_of(*options_, queue);
  if (broadcast_address(*options_, queue)) {
    auto done = make_exchange(to.exchange, to.exchange_type);
    if (done)
      known_.insert(queue);
    return done;
  }
  auto waiting = size(queue);
  if (!waiting)
    return waiting.error();
  if (!*waiting)
    if (auto done = make_task_queue(queue); !done)
      return done;
  // If there is such an exchange, of whatever type, it is the one.
  auto done = make_exchange(to.exchange, to.exchange_type);
  if (done)
    done = bind(queue, to.exchange, to.routing_key);
  if (done)
    known_.insert(queue);
  return done;
}

expected<void> topology::remove(const std::string& queue) {
  forget(queue);
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  auto handle = connection_->handle();
  amqp_queue_delete(handle, side_channel, bytes(queue), false, false);
  return connection_->check_side(amqp_get_rpc_reply(handle),
                                 "delete queue " + queue);
}

expected<void> topology::declare_dead(const std::string& queue) {
  auto name = dead_queue(queue);
  if (known_.count(name) > 0)
    return {};
  auto waiting = size(name);
  if (!waiting)
    return waiting.error();
  if (!*waiting) {
    arguments how;
    how.number("x-max-length",
               static_cast<int64_t>(options_->dead_letters_max));
    if (auto done = make_queue(name, how.table()); !done)
      return done;
  }
  known_.insert(name);
  return {};
}

expected<void> topology::declare_delay(const std::string& queue) {
  if (delayed_.count(queue) > 0)
    return {};
  if (!levels_)
    if (auto done = declare_levels(); !done)
      return done;
  levels_ = true;
  auto done = bind(queue, std::string{delay_exit}, delay_pattern(queue));
  if (done)
    delayed_.insert(queue);
  return done;
}

void topology::forget(const std::string& queue) {
  known_.erase(queue);
  delayed_.erase(queue);
}

expected<std::optional<size_t>> topology::size(const std::string& queue) {
  if (auto done = connection_->open_side_channel(); !done)
    return done.error();
  auto handle = connection_->handle();
  auto* ok = amqp_queue_declare(handle, side_channel, bytes(queue), true, false,
                                false, false, amqp_empty_table);
  auto done = connection_->check_side(amqp_get_rpc_reply(handle),
                                      "look at queue " + queue);
  if (done)
    return std::optional{static_cast<size_t>(ok->message_count)};
  if (done.error().code == errc::not_found)
    return std::optional<size_t>{};
  return done.error();
}

/// From the exit upwards: whatever is there, a message that enters gets out.
expected<void> topology::declare_levels() {
  auto handle = connection_->handle();
  if (auto done = make_exchange(std::string{delay_exit}, "topic"); !done)
    return done;
  for (int level = 0; level < delay_levels; ++level) {
    auto name = delay_level(level);
    auto below = level == 0 ? std::string{delay_exit} : delay_level(level - 1);
    if (auto done = make_exchange(name, "topic"); !done)
      return done;
    auto waiting = size(name);
    if (!waiting)
      return waiting.error();
    if (!*waiting) {
      arguments how;
      how.text("x-queue-type", options_->delay_queue_type)
        .text("x-overflow", "reject-publish")
        .number("x-message-ttl", (int64_t{1} << level) * 1'000)
        .text("x-dead-letter-exchange", below);
      if (options_->delay_queue_type == "quorum")
        how.text("x-dead-letter-strategy", "at-least-once");
      if (auto done = make_queue(name, how.table()); !done)
        return done;
    }
    if (auto done = bind(name, name, level_pattern(level, true)); !done)
      return done;
    amqp_exchange_bind(handle, side_channel, bytes(below), bytes(name),
                       bytes(level_pattern(level, false)), amqp_empty_table);
    auto done = connection_->check_side(amqp_get_rpc_reply(handle),
                                        "bind exchange " + below);
    if (!done)
      return done;
  }
  return {};
}

expected<void> topology::make_task_queue(const std::string& name) {
  auto& known = options_->queue_arguments;
  auto i = known.find(name);
  if (i == known.end())
    i = known.find("");
  pool memory;
  auto given = parse_json(i == known.end() ? "{}" : i->second);
  if (!given || !given->is_object())
    return error{errc::invalid_setting,
                 "the arguments of queue " + name + " are not an object"};
  return make_queue(name, to_table(given->get_object(), memory));
}

expected<void> topology::make_queue(const std::string& name,
                                    const amqp_table_t& args) {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  auto handle = connection_->handle();
  amqp_queue_declare(handle, side_channel, bytes(name), false, true, false,
                     false, args);
  return connection_->check_side(amqp_get_rpc_reply(handle),
                                 "declare queue " + name);
}

expected<void> topology::declare_exchange(const std::string& name) {
  if (exchanges_.count(name) > 0)
    return {};
  expected<void> done;
  if (name == options_->event_exchange)
    done = make_exchange(name, "topic");
  else if (leads_to_mailboxes(name))
    done = make_exchange(name, "direct", false);
  else if (is_fanout(*options_, name))
    done = make_exchange(name, "fanout", false);
  else
    done = look_at_exchange(name, "direct");
  if (done)
    exchanges_.insert(name);
  return done;
}

expected<void> topology::look_at_exchange(const std::string& name,
                                          const std::string& type) {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  auto handle = connection_->handle();
  amqp_exchange_declare(handle, side_channel, bytes(name),
                        bytes(type), true, false, false, false,
                        amqp_empty_table);
  return connection_->check_side(amqp_get_rpc_reply(handle),
                                 "look at exchange " + name);
}

expected<void> topology::make_exchange(const std::string& name,
                                       const std::string& type, bool durable) {
  auto done = look_at_exchange(name, type);
  if (done || done.error().code != errc::not_found)
    return done;
  if (auto open = connection_->open_side_channel(); !open)
    return open;
  auto handle = connection_->handle();
  amqp_exchange_declare(handle, side_channel, bytes(name),
                        bytes(type), false, durable, false, false,
                        amqp_empty_table);
  return connection_->check_side(amqp_get_rpc_reply(handle),
                                 "declare exchange " + name);
}

expected<void> topology::bind(const std::string& queue,
                              const std::string& exchange,
                              const std::string& key) {
  if (auto done = connection_->open_side_channel(); !done)
    return done;
  auto handle = connection_->handle();
  amqp_queue_bind(handle, side_channel, bytes(queue), bytes(exchange),
                  bytes(key), amqp_empty_table);
  return connection_->check_side(
    amqp_get_rpc_reply(handle), "bind queue " + queue + " to " + exchange);
}

} // namespace umbel::amqp
