#include "protocol/broker/amqp/connection.hpp"

#include "protocol/broker/amqp/amqplain.hpp"
#include "protocol/broker/amqp/table.hpp"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include <sys/socket.h>

namespace umbel::amqp {

namespace {

/// Larger ones are what RabbitMQ and Celery agree on.
constexpr int frame_max = 131'072;

/// An operator who looks at the end of a log finds why nothing happens.
constexpr auto remind_every = std::chrono::minutes{1};

/// Without `ca_certs` a server is verified against the system's.
constexpr auto system_certificates = "/etc/ssl/certs/ca-certificates.crt";

timeval to_timeval(std::chrono::milliseconds x) {
  return {static_cast<time_t>(x.count() / 1000),
          static_cast<suseconds_t>(x.count() % 1000 * 1000)};
}

amqp_table_entry_t entry(const char* key, amqp_field_value_t value) {
  return {amqp_cstring_bytes(key), value};
}

amqp_field_value_t field(bool x) {
  amqp_field_value_t result{};
  result.kind = AMQP_FIELD_KIND_BOOLEAN;
  result.value.boolean = x;
  return result;
}

amqp_field_value_t field(const std::string& x) {
  amqp_field_value_t result{};
  result.kind = AMQP_FIELD_KIND_UTF8;
  result.value.bytes = bytes(x);
  return result;
}

errc code_of(int status) {
  return status == AMQP_STATUS_TIMEOUT || status == AMQP_STATUS_HEARTBEAT_TIMEOUT
           ? errc::timeout
           : errc::unavailable;
}

/// The reply of a server that closes a channel or the connection, and its code.
std::pair<int, std::string> closing(const amqp_method_t& x) {
  if (x.id == AMQP_CHANNEL_CLOSE_METHOD) {
    auto* close = static_cast<amqp_channel_close_t*>(x.decoded);
    return {close->reply_code, std::string{view(close->reply_text)}};
  }
  if (x.id == AMQP_CONNECTION_CLOSE_METHOD) {
    auto* close = static_cast<amqp_connection_close_t*>(x.decoded);
    return {close->reply_code, std::string{view(close->reply_text)}};
  }
  return {0, std::string{"unexpected answer "} + amqp_method_name(x.id)};
}

/// Reply codes that another attempt will not change (AMQP 0-9-1, section 1.2).
errc code_of_reply(int code) {
  switch (code) {
    case 404: // not found
      return errc::not_found;
    case 402: // invalid path
    case 403: // access refused
    case 405: // resource locked
    case 406: // precondition failed
    case 503: // command invalid: an exchange of a type that there is not
    case 530: // not allowed
      return errc::refused;
    default:
      return errc::unavailable;
  }
}

/// Seconds.
int shortest_heartbeat(const broker_options& options) {
  using std::chrono::ceil, std::chrono::seconds;
  return static_cast<int>(ceil<seconds>(options.lease * 2 / 3).count());
}

} // namespace

// -- constructors, destructors ----------------------------------------------------

connection::connection(const address& to, amqp_connection_state_t state)
    : state_(state), location_(to.str()) {
}

connection::~connection() {
  set_blocked(false, {});
  hang_up();
  amqp_destroy_connection(state_);
}

// The server's log has a line about who does not say goodbye. Nobody waits for
// its answer: the server may be gone.
void connection::hang_up() noexcept {
  if (!std::exchange(logged_in_, false))
    return;
  amqp_connection_close_t farewell{AMQP_REPLY_SUCCESS, amqp_empty_bytes, 0, 0};
  amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_METHOD, &farewell);
  ::shutdown(fd(), SHUT_RDWR);
}

expected<std::unique_ptr<connection>>
connection::open(const std::string& urls, const broker_options& options,
                 const std::string& purpose) {
  auto addresses = to_addresses(urls);
  if (!addresses)
    return addresses.error();
  if (auto fine = check_options(options); !fine)
    return fine.error();
  std::optional<error> first;
  for (auto& to : *addresses) {
    auto state = amqp_new_connection();
    if (!state)
      return error{errc::unavailable, "no memory for a connection"};
    std::unique_ptr<connection> result{new connection{to, state}};
    result->tell_ = options.tell;
    result->shared_ = options.shared;
    result->patient_ = !options.queues.empty();
    auto done = result->connect(to, options);
    if (done)
      done = result->log_in(to, options, purpose);
    if (done)
      return result;
    if (!first)
      first = done.error();
    else
      first->what += "; " + done.error().what;
  }
  return *first;
}

expected<void> connection::connect(const address& to,
                                   const broker_options& options) {
  amqp_socket_t* socket = nullptr;
  if (to.tls || options.tls.enabled) {
    socket = amqp_ssl_socket_new(state_);
    if (!socket)
      return failure(errc::unavailable, "connect", "no memory");
    amqp_ssl_socket_set_verify_peer(socket, options.tls.verify);
    amqp_ssl_socket_set_verify_hostname(socket, options.tls.verify);
    auto& given = options.tls.ca_certs;
    std::string authorities = given.empty() ? system_certificates : given;
    if ((!given.empty() || options.tls.verify)
        && amqp_ssl_socket_set_cacert(socket, authorities.c_str())
             != AMQP_STATUS_OK)
      return error{errc::invalid_setting,
                   "broker_use_ssl: \"" + authorities
                     + "\" holds no certificates of authorities"};
    if (!options.tls.certfile.empty()
        && amqp_ssl_socket_set_key(socket, options.tls.certfile.c_str(),
                                   options.tls.keyfile.c_str())
             != AMQP_STATUS_OK)
      return error{errc::invalid_setting,
                   "broker_use_ssl: certificate \"" + options.tls.certfile
                     + "\" and key \"" + options.tls.keyfile
                     + "\" cannot be used"};
  } else {
    socket = amqp_tcp_socket_new(state_);
    if (!socket)
      return failure(errc::unavailable, "connect", "no memory");
  }
  auto patience = to_timeval(options.connect_timeout);
  auto status
    = amqp_socket_open_noblock(socket, to.host.c_str(), to.port, &patience);
  if (status == AMQP_STATUS_OK)
    return {};
  if (status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED)
    return failure(errc::refused, "connect",
                   "the server's certificate is not signed by an authority of "
                   "broker_use_ssl's ca_certs");
  if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED)
    return failure(errc::refused, "connect",
                   "the server's certificate is not for host " + to.host);
  // The library does not say which error it was.
  return failure(code_of(status), "connect",
                 status == AMQP_STATUS_SOCKET_ERROR
                   ? "nobody accepts the connection"
                   : amqp_error_string2(status));
}

expected<void> connection::log_in(const address& to,
                                  const broker_options& options,
                                  const std::string& purpose) {
  auto patience = to_timeval(options.connect_timeout);
  amqp_set_handshake_timeout(state_, &patience);
  auto reply_patience = to_timeval(options.socket_timeout);
  amqp_set_rpc_timeout(state_, &reply_patience);
  std::array capabilities{entry("authentication_failure_close", field(true)),
                          entry("consumer_cancel_notify", field(true)),
                          entry("connection.blocked", field(true)),
                          entry("publisher_confirms", field(true)),
                          entry("basic.nack", field(true))};
  amqp_field_value_t can{};
  can.kind = AMQP_FIELD_KIND_TABLE;
  can.value.table = {static_cast<int>(capabilities.size()),
                     capabilities.data()};
  std::string product = "umbel";
  std::array properties{entry("product", field(product)),
                        entry("connection_name", field(purpose)),
                        entry("capabilities", can)};
  amqp_table_t table{static_cast<int>(properties.size()), properties.data()};
  auto heartbeat
    = to.heartbeat.value_or(static_cast<int>(options.heartbeat.count()));
  // The worker looks after its connections three times within a lease (`renew`);
  // it could not keep up with a quicker beat.
  if (heartbeat > 0)
    heartbeat = std::max(heartbeat, shortest_heartbeat(options));
  amqp_rpc_reply_t reply{};
  if (options.login_method == "AMQPLAIN")
    reply = log_in_with_amqplain(
      state_, to, {frame_max, heartbeat, table, options.connect_timeout});
  else if (options.login_method != "EXTERNAL")
    reply = amqp_login_with_properties(
      state_, to.vhost.c_str(), 0, frame_max, heartbeat, &table,
      AMQP_SASL_METHOD_PLAIN, to.user.c_str(), to.password.c_str());
  else
    reply = amqp_login_with_properties(state_, to.vhost.c_str(), 0, frame_max,
                                       heartbeat, &table,
                                       AMQP_SASL_METHOD_EXTERNAL,
                                       to.user.c_str());
  if (auto done = check(reply, "log in"); !done)
    return done;
  logged_in_ = true;
  amqp_channel_open(state_, main_channel);
  return check(amqp_get_rpc_reply(state_), "open a channel");
}

// -- requests -------------------------------------------------------------------

expected<void> connection::check(const amqp_rpc_reply_t& x,
                                 const std::string& doing) {
  switch (x.reply_type) {
    case AMQP_RESPONSE_NORMAL:
      return {};
    case AMQP_RESPONSE_SERVER_EXCEPTION: {
      auto [code, text] = closing(x.reply);
      return failure(code_of_reply(code), doing, std::move(text));
    }
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
      return check(x.library_error, doing);
    default:
      return failure(errc::unavailable, doing, "the connection was closed");
  }
}

expected<void> connection::check(int status, const std::string& doing) {
  if (status >= AMQP_STATUS_OK)
    return {};
  return failure(code_of(status), doing, amqp_error_string2(status));
}

expected<void> connection::close_main_channel() {
  return check(amqp_channel_close(state_, main_channel, AMQP_REPLY_SUCCESS),
               "close a channel");
}

expected<void> connection::open_side_channel() {
  if (side_open_)
    return {};
  amqp_channel_open(state_, side_channel);
  auto done = check(amqp_get_rpc_reply(state_), "open a channel");
  side_open_ = done.has_value();
  return done;
}

expected<void> connection::close_side_channel() {
  if (!std::exchange(side_open_, false))
    return {};
  return check(amqp_channel_close(state_, side_channel, AMQP_REPLY_SUCCESS),
               "close a channel");
}

expected<void> connection::check_side(const amqp_rpc_reply_t& x,
                                      const std::string& doing) {
  if (x.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION
      && x.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    // The text lies in the channel's memory.
    auto [code, text] = closing(x.reply);
    side_open_ = false;
    amqp_channel_close_ok_t ok{};
    if (auto sent = check(amqp_send_method(state_, side_channel,
                                           AMQP_CHANNEL_CLOSE_OK_METHOD, &ok),
                          doing);
        !sent)
      return sent;
    return failure(code_of_reply(code), doing, std::move(text));
  }
  return check(x, doing);
}

// -- frames ---------------------------------------------------------------------

expected<std::optional<amqp_frame_t>>
connection::next(std::chrono::milliseconds timeout, const std::string& doing) {
  amqp_frame_t frame;
  auto patience = to_timeval(timeout);
  auto status = amqp_simple_wait_frame_noblock(state_, &frame, &patience);
  if (status == AMQP_STATUS_TIMEOUT)
    return std::optional<amqp_frame_t>{};
  if (auto done = check(status, doing); !done)
    return done.error();
  if (auto fine = judge(frame, doing); !fine)
    return fine.error();
  return std::optional{frame};
}

expected<void> connection::judge(const amqp_frame_t& x,
                                 const std::string& doing) {
  if (x.frame_type != AMQP_FRAME_METHOD)
    return {};
  switch (x.payload.method.id) {
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD: {
      auto [code, text] = closing(x.payload.method);
      return failure(code_of_reply(code), doing, std::move(text));
    }
    case AMQP_BASIC_CANCEL_METHOD: {
      auto* cancel
        = static_cast<amqp_basic_cancel_t*>(x.payload.method.decoded);
      return failure(errc::not_found, doing,
                     "the server cancelled the consumer "
                       + std::string{view(cancel->consumer_tag)}
                       + ": its queue was deleted or moved");
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      auto* what
        = static_cast<amqp_connection_blocked_t*>(x.payload.method.decoded);
      set_blocked(true, "takes no messages in: "
                          + std::string{view(what->reason)}
                          + "; publishing waits");
      return {};
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      set_blocked(false, "takes messages in again");
      return {};
    default:
      return {};
  }
}

/// All connections that publish are blocked, but the operator is told once.
void connection::set_blocked(bool x, const std::string& line) {
  if (std::exchange(blocked_, x) == x)
    return;
  blocked_at_ = told_at_ = std::chrono::steady_clock::now();
  auto others = shared_ ? (x ? shared_->blocked++ : --shared_->blocked) : 0;
  if (others == 0 && !line.empty())
    tell_(location_ + ' ' + line);
}

expected<void> connection::while_blocked(const std::string& doing) {
  meanwhile_();
  auto now = std::chrono::steady_clock::now();
  if (!patient_ && now - blocked_at_ >= blocked_max)
    return failure(errc::timeout, doing,
                   "RabbitMQ takes nothing in: it is short of memory or disk "
                   "space");
  if (now - told_at_ < remind_every)
    return {};
  told_at_ = now;
  auto minutes = std::chrono::floor<std::chrono::minutes>(now - blocked_at_);
  tell_(fmt::format("{} has taken no messages in for {} min; publishing waits "
                    "until it does",
                    location_, minutes.count()));
  return {};
}

bool connection::has_frames() const noexcept {
  return amqp_frames_enqueued(state_) || amqp_data_in_buffer(state_);
}

int connection::fd() const noexcept {
  return amqp_get_sockfd(state_);
}

error connection::failure(errc code, const std::string& doing,
                          std::string why) const {
  return {code, "cannot " + doing + " on " + location_ + ": " + std::move(why)};
}

} // namespace umbel::amqp
