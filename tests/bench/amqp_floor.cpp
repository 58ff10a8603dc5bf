// The floor under RabbitMQ: bare rabbitmq-c that takes messages and acknowledges
// 64 at a time, or publishes with confirms. No task runs, no actor or process is involved.
//
// Usage: amqp_floor <port> <virtual host> <count> consume|publish
// Prints seconds: from the first message to the last acknowledgement, which is
// known to have arrived; or from the first message to the last confirm.
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr amqp_channel_t channel = 1;

/// Messages that RabbitMQ sends ahead, as to a worker with short tasks.
constexpr uint16_t prefetch = 2'048;

/// Messages that are published and not confirmed yet.
constexpr uint64_t unconfirmed_max = 512;

constexpr uint64_t acknowledged_at_once = 64;

constexpr auto queue = "celery";

void check(bool ok, const char* what) {
  if (ok)
    return;
  std::fprintf(stderr, "amqp_floor: cannot %s\n", what);
  std::exit(1);
}

void check(const amqp_rpc_reply_t& x, const char* what) {
  check(x.reply_type == AMQP_RESPONSE_NORMAL, what);
}

amqp_connection_state_t connect(int port, const char* virtual_host) {
  auto result = amqp_new_connection();
  auto socket = amqp_tcp_socket_new(result);
  check(amqp_socket_open(socket, "127.0.0.1", port) == AMQP_STATUS_OK, "connect");
  check(amqp_login(result, virtual_host, 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN,
                   "guest", "guest"),
        "log in");
  amqp_channel_open(result, channel);
  check(amqp_get_rpc_reply(result), "open a channel");
  return result;
}

void consume(amqp_connection_state_t x, uint64_t count) {
  amqp_basic_qos(x, channel, 0, prefetch, false);
  amqp_basic_consume(x, channel, amqp_cstring_bytes(queue), amqp_empty_bytes, false,
                     false, false, amqp_empty_table);
  check(amqp_get_rpc_reply(x), "consume");
  for (uint64_t i = 0; i < count; ++i) {
    amqp_envelope_t message;
    amqp_maybe_release_buffers(x);
    check(amqp_consume_message(x, &message, nullptr, 0), "get a message");
    if ((i + 1) % acknowledged_at_once == 0 || i + 1 == count)
      amqp_basic_ack(x, channel, message.delivery_tag, true);
    amqp_destroy_envelope(&message);
  }
  // It has an answer, which comes when all that was sent before has arrived.
  amqp_basic_qos(x, channel, 0, 1, false);
  check(amqp_get_rpc_reply(x), "acknowledge");
}

/// Reads one confirm. @returns the number up to which all are confirmed
uint64_t next_confirm(amqp_connection_state_t x) {
  amqp_frame_t frame;
  for (;;) {
    amqp_maybe_release_buffers(x);
    check(amqp_simple_wait_frame(x, &frame) == AMQP_STATUS_OK, "get a confirm");
    if (frame.frame_type != AMQP_FRAME_METHOD)
      continue;
    check(frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "have it confirmed");
    auto ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
    return ack->multiple ? ack->delivery_tag : 0;
  }
}

void publish(amqp_connection_state_t x, uint64_t count) {
  amqp_confirm_select(x, channel);
  check(amqp_get_rpc_reply(x), "have messages confirmed");
  std::string body(900, 'x'); // as much as a task has
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  uint64_t confirmed = 0;
  auto wait = [&] {
    auto all = next_confirm(x);
    confirmed = all > confirmed ? all : confirmed + 1;
  };
  for (uint64_t i = 0; i < count; ++i) {
    while (i - confirmed >= unconfirmed_max)
      wait();
    check(amqp_basic_publish(x, channel, amqp_empty_bytes,
                             amqp_cstring_bytes(queue), true, false, &properties,
                             {body.size(), body.data()})
            == AMQP_STATUS_OK,
          "publish");
  }
  while (confirmed < count)
    wait();
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: amqp_floor <port> <virtual host> <count> "
                         "consume|publish\n");
    return 2;
  }
  auto connection = connect(std::atoi(argv[1]), argv[2]);
  auto count = std::strtoull(argv[3], nullptr, 10);
  auto begin = std::chrono::steady_clock::now();
  std::string_view{argv[4]} == "consume" ? consume(connection, count)
                                         : publish(connection, count);
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
  amqp_destroy_connection(connection);
}
