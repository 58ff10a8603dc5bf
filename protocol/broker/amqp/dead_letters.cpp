#include "protocol/broker/amqp/dead_letters.hpp"

#include "protocol/broker/amqp/message.hpp"
#include "protocol/broker/amqp/publisher.hpp"

#include <algorithm>
#include <deque>

namespace umbel::amqp {

namespace {

constexpr auto doing = "read dead letters";

/// The message as it was received: without what was added to park it.
dead_letter to_dead_letter(const amqp_envelope_t& x) {
  dead_letter result;
  auto parsed = parse_envelope(to_envelope(x, "dead"));
  if (!parsed)
    return result;
  if (auto reason = parsed->headers.if_contains(dead_header);
      reason && reason->is_string())
    result.reason = std::string_view{reason->get_string()};
  parsed->headers.erase(dead_header);
  parsed->headers.erase("redelivered");
  result.payload = to_text(*parsed);
  return result;
}

} // namespace

std::string dead_queue(const std::string& queue) {
  return "umbel.dead." + queue;
}

// Taken on a channel that is closed at the end, without being acknowledged:
// RabbitMQ puts all back in their places.
expected<std::vector<dead_letter>> read_dead_letters(connection& x,
                                                     const std::string& queue,
                                                     size_t max) {
  std::deque<dead_letter> newest;
  auto handle = x.handle();
  auto name = dead_queue(queue);
  if (auto done = x.open_side_channel(); !done)
    return done.error();
  for (;;) {
    amqp_maybe_release_buffers(handle);
    auto reply = amqp_basic_get(handle, side_channel, bytes(name), false);
    auto done = x.check_side(reply, doing);
    if (!done && done.error().code == errc::not_found)
      return std::vector<dead_letter>{};
    if (!done)
      return done.error();
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
      break;
    auto* ok = static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded);
    amqp_envelope_t one{};
    one.redelivered = ok->redelivered;
    one.exchange = ok->exchange;
    one.routing_key = bytes(queue);
    auto content
      = amqp_read_message(handle, side_channel, &one.message, 0);
    if (auto read = x.check(content, doing); !read)
      return read.error();
    newest.push_front(to_dead_letter(one));
    amqp_destroy_message(&one.message);
    if (newest.size() > max)
      newest.pop_back();
  }
  if (auto done = x.close_side_channel(); !done)
    return done.error();
  return std::vector<dead_letter>{std::make_move_iterator(newest.begin()),
                                  std::make_move_iterator(newest.end())};
}

} // namespace umbel::amqp
