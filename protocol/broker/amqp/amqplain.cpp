#include "protocol/broker/amqp/amqplain.hpp"

#include "protocol/broker/amqp/table.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace umbel::amqp {

namespace {

/// Each text of an AMQP table may be as long; ours are far shorter.
constexpr size_t text_max = 4'096;

amqp_rpc_reply_t broken(int status) {
  amqp_rpc_reply_t result{};
  result.reply_type = AMQP_RESPONSE_LIBRARY_EXCEPTION;
  result.library_error = status;
  return result;
}

/// The next method, which has to be `wanted`; its fields are in `reply.decoded`.
amqp_rpc_reply_t hear(amqp_connection_state_t state, amqp_method_number_t wanted,
                      std::chrono::milliseconds patience) {
  amqp_frame_t frame{};
  timeval wait{static_cast<time_t>(patience.count() / 1000),
               static_cast<suseconds_t>(patience.count() % 1000 * 1000)};
  auto status = amqp_simple_wait_frame_noblock(state, &frame, &wait);
  if (status != AMQP_STATUS_OK)
    return broken(status);
  if (frame.frame_type != AMQP_FRAME_METHOD)
    return broken(AMQP_STATUS_WRONG_METHOD);
  amqp_rpc_reply_t result{};
  result.reply = frame.payload.method;
  result.reply_type = AMQP_RESPONSE_NORMAL;
  if (frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
    result.reply_type = AMQP_RESPONSE_SERVER_EXCEPTION;
  else if (frame.payload.method.id != wanted)
    return broken(AMQP_STATUS_WRONG_METHOD);
  return result;
}

/// A table of two texts, without its length.
std::string credentials(const address& to) {
  std::string result;
  auto add = [&](std::string_view name, std::string_view value) {
    result += static_cast<char>(name.size());
    result += name;
    result += 'S';
    for (int shift = 24; shift >= 0; shift -= 8)
      result += static_cast<char>(value.size() >> shift & 0xff);
    result += value;
  };
  add("LOGIN", to.user);
  add("PASSWORD", to.password);
  return result;
}

/// The smaller one; 0 says nothing.
int agreed(int ours, int theirs) {
  return ours == 0 || theirs == 0 ? std::max(ours, theirs)
                                  : std::min(ours, theirs);
}

} // namespace

amqp_rpc_reply_t log_in_with_amqplain(amqp_connection_state_t state,
                                      const address& to, const handshake& how) {
  if (auto status = amqp_send_header(state); status != AMQP_STATUS_OK)
    return broken(status);
  auto start = hear(state, AMQP_CONNECTION_START_METHOD, how.patience);
  if (start.reply_type != AMQP_RESPONSE_NORMAL)
    return start;
  std::string offered{view(
    static_cast<amqp_connection_start_t*>(start.reply.decoded)->mechanisms)};
  if ((' ' + offered + ' ').find(" AMQPLAIN ") == std::string::npos)
    return broken(AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
  if (std::max(to.user.size(), to.password.size()) > text_max)
    return broken(AMQP_STATUS_INVALID_PARAMETER);
  auto response = credentials(to);
  amqp_connection_start_ok_t ok{how.properties, amqp_cstring_bytes("AMQPLAIN"),
                                bytes(response), amqp_cstring_bytes("en_US")};
  auto status
    = amqp_send_method(state, 0, AMQP_CONNECTION_START_OK_METHOD, &ok);
  if (status != AMQP_STATUS_OK)
    return broken(status);
  auto tune = hear(state, AMQP_CONNECTION_TUNE_METHOD, how.patience);
  if (tune.reply_type != AMQP_RESPONSE_NORMAL)
    return tune;
  auto theirs = *static_cast<amqp_connection_tune_t*>(tune.reply.decoded);
  amqp_connection_tune_ok_t ours{
    theirs.channel_max,
    static_cast<uint32_t>(
      agreed(how.frame_max, static_cast<int>(theirs.frame_max))),
    // No beat if one of both wants none.
    static_cast<uint16_t>(std::min<int>(how.heartbeat, theirs.heartbeat))};
  status = amqp_tune_connection(state, ours.channel_max,
                                static_cast<int>(ours.frame_max),
                                ours.heartbeat);
  if (status == AMQP_STATUS_OK)
    status = amqp_send_method(state, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ours);
  if (status != AMQP_STATUS_OK)
    return broken(status);
  amqp_connection_open_t open{bytes(to.vhost), amqp_empty_bytes, true};
  std::array<amqp_method_number_t, 2> answers{AMQP_CONNECTION_OPEN_OK_METHOD,
                                              0};
  return amqp_simple_rpc(state, 0, AMQP_CONNECTION_OPEN_METHOD, answers.data(),
                         &open);
}

} // namespace umbel::amqp
