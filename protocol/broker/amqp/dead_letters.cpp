#include "protocol/broker/amqp/dead_letters.hpp"

#include "protocol/broker/amqp/message.hpp"
#include "protocol/broker/amqp/publisher.hpp"
#include "protocol/broker/dead_letter.hpp"

#include <algorithm>
#include <deque>
#include <iterator>

namespace umbel::amqp {

namespace {

constexpr auto reading = "read dead letters";

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
  result.payload = to_text(*parsed);
  result.id = dead_letter_id(result.reason + '\n' + result.payload);
  return result;
}

/// Calls `f` with each letter, the oldest first, and its delivery tag on the side
/// channel. They are taken and not acknowledged: when the channel is closed,
/// RabbitMQ puts all others back in their places.
expected<void>
for_each_letter(connection& x, const std::string& queue,
                const std::function<void(dead_letter, uint64_t)>& f) {
  auto handle = x.handle();
  auto name = dead_queue(queue);
  if (auto done = x.open_side_channel(); !done)
    return done;
  for (;;) {
    amqp_maybe_release_buffers(handle);
    auto reply = amqp_basic_get(handle, side_channel, bytes(name), false);
    auto done = x.check_side(reply, reading);
    if (!done)
      return done;
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
      return {};
    auto* ok = static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded);
    auto tag = ok->delivery_tag;
    // Not its mark: RabbitMQ sets it at every look but the first.
    amqp_envelope_t one{};
    one.exchange = ok->exchange;
    one.routing_key = bytes(queue);
    auto content = amqp_read_message(handle, side_channel, &one.message, 0);
    if (auto read = x.check(content, reading); !read)
      return read;
    f(to_dead_letter(one), tag);
    amqp_destroy_message(&one.message);
  }
}

} // namespace

std::string dead_queue(const std::string& queue) {
  return "umbel.dead." + queue;
}

expected<std::vector<dead_letter>> read_dead_letters(connection& x,
                                                     const std::string& queue,
                                                     size_t max) {
  std::deque<dead_letter> newest;
  auto done = for_each_letter(x, queue, [&](dead_letter one, uint64_t) {
    newest.push_front(std::move(one));
    if (newest.size() > max)
      newest.pop_back();
  });
  if (!done && done.error().code == errc::not_found)
    return std::vector<dead_letter>{}; // no such queue
  if (!done)
    return done.error();
  if (auto closed = x.close_side_channel(); !closed)
    return closed.error();
  return std::vector<dead_letter>{std::make_move_iterator(newest.begin()),
                                  std::make_move_iterator(newest.end())};
}

expected<size_t>
take_dead_letters(connection& x, const std::string& queue,
                  std::span<const std::string> ids,
                  const std::function<expected<void>(
                    const std::vector<dead_letter>&)>& send) {
  std::vector<dead_letter> taken;
  std::vector<uint64_t> tags;
  auto done = for_each_letter(x, queue, [&](dead_letter one, uint64_t tag) {
    if (std::ranges::find(ids, one.id) == ids.end())
      return;
    taken.push_back(std::move(one));
    tags.push_back(tag);
  });
  if (!done && done.error().code == errc::not_found)
    return size_t{0};
  if (!done)
    return done.error();
  if (auto sent = send(taken); !sent)
    return sent.error();
  for (auto tag : tags)
    if (amqp_basic_ack(x.handle(), side_channel, tag, false) != AMQP_STATUS_OK)
      return error{errc::unavailable, "take dead letters: connection lost"};
  if (auto closed = x.close_side_channel(); !closed)
    return closed.error();
  return taken.size();
}

} // namespace umbel::amqp
