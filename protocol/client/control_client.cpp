#include "protocol/client/control_client.hpp"

#include "protocol/control/control_reply.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <limits>

#include <unistd.h>

namespace umbel {

namespace {

using clock = std::chrono::steady_clock;

} // namespace

expected<control_client>
control_client::connect(const control_client_options& options) {
  control_client result{options};
  auto& how = result.options_.broker;
  result.address_ = make_uuid();
  how.node = node_name{"control" + std::to_string(::getpid())};
  how.incarnation = result.address_;
  how.queues.clear();
  auto connected = connect_broker(options.broker_url, how);
  if (!connected)
    return connected.error();
  result.broker_ = std::move(*connected);
  auto& broadcasts = options.broadcasts;
  auto mailbox = open_mailbox(options.broker_url, how,
                              broadcasts.reply_exchange, result.address_,
                              broadcasts);
  if (!mailbox)
    return mailbox.error();
  if (!*mailbox)
    return error{errc::unsupported,
                 "over " + result.location() + " workers cannot answer: there is "
                   "no remote control"};
  result.mailbox_ = std::move(*mailbox);
  return result;
}

expected<size_t> control_client::say(control_request x,
                                     std::optional<timestamp> expires) {
  x.clock = clock_->forward();
  auto& exchange = options_.broadcasts.control_exchange;
  return broker_->publish(
    exchange, "", make_control_request(x, options_.form, expires, exchange), 0);
}

expected<void> control_client::tell(control_request x) {
  auto done = say(std::move(x), std::nullopt);
  if (!done)
    return done.error();
  return {};
}

expected<std::vector<node_answer>>
control_client::ask(control_request x, std::chrono::milliseconds timeout) {
  auto ticket = make_uuid();
  auto wanted = x.destination ? x.destination->size()
                              : std::numeric_limits<size_t>::max();
  x.reply_to = reply_address{options_.broadcasts.reply_exchange, address_,
                             ticket};
  auto begin = clock::now();
  auto heard = say(std::move(x), now() + timeout);
  if (!heard)
    return heard.error();
  if (*heard == 0 || broker_->counts_listeners())
    wanted = std::min(wanted, *heard);
  std::vector<node_answer> result;
  while (result.size() < wanted) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(
      begin + timeout - clock::now());
    if (left.count() <= 0)
      break;
    auto heard_now = mailbox_->next(left);
    if (!heard_now)
      return heard_now.error();
    if (!*heard_now)
      continue;
    auto reply = parse_control_reply((*heard_now)->payload, options_.rules);
    if (!reply || reply->ticket != ticket)
      continue; // a stranger's, or late
    clock_->adjust(reply->clock);
    auto after = std::chrono::duration_cast<std::chrono::microseconds>(
      clock::now() - begin);
    for (auto& [node, value] : reply->answers)
      result.push_back({node, std::move(value), after});
  }
  return result;
}

} // namespace umbel
