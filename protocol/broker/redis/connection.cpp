#include "protocol/broker/redis/connection.hpp"

#include "protocol/broker/redis/exchange.hpp"
#include "protocol/broker/redis/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace umbel::redis {

namespace {

// "redis_version:7.0.15" -> 700; 0 if it is not there.
int parse_version(std::string_view info) {
  constexpr std::string_view key = "redis_version:";
  auto pos = info.find(key);
  if (pos == std::string_view::npos)
    return 0;
  info.remove_prefix(pos + key.size());
  int major = 0;
  int minor = 0;
  auto end = info.data() + info.size();
  auto [ptr, ec] = std::from_chars(info.data(), end, major);
  if (ec == std::errc{} && ptr != end && *ptr == '.')
    std::from_chars(ptr + 1, end, minor);
  return major * 100 + minor;
}

} // namespace

void reply_deleter::operator()(redisReply* x) const noexcept {
  freeReplyObject(x);
}

std::string_view text_of(const redisReply& x) {
  switch (x.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      return {x.str, x.len};
    default:
      return {};
  }
}

bool is_error(const redisReply& x) {
  return x.type == REDIS_REPLY_ERROR;
}

std::span<redisReply* const> elements_of(const redisReply& x) {
  if (x.type != REDIS_REPLY_ARRAY || x.elements == 0)
    return {};
  return {x.element, x.elements};
}

// -- constructors, destructors ------------------------------------------------

connection::connection(address where, const connection_options& options, int fd)
    : where_(std::move(where)), options_(options), fd_(fd),
      reader_(redisReaderCreate(), redisReaderFree) {
  // Keep the parser's buffer between batches; by default hiredis frees it as
  // soon as it is empty and above 16 KiB.
  reader_->maxbuf = 1024 * 1024;
}

connection::~connection() {
  if (fd_ >= 0)
    ::close(fd_);
}

expected<std::unique_ptr<connection>>
connection::open(const std::string& url, const connection_options& options) {
  auto parsed = parse_url(url);
  if (!parsed)
    return parsed.error();
  auto where = to_address(*parsed);
  if (!where)
    return where.error();
  return open(*where, options);
}

expected<std::unique_ptr<connection>>
connection::open(const address& where, const connection_options& options) {
  auto fd = open_socket(where, options.connect_timeout, options.socket_timeout);
  if (!fd)
    return fd.error();
  std::unique_ptr<connection> result{new connection{where, options, *fd}};
  // Until it has said hello, a server gets no more time than for connecting.
  result->timeout(std::min(options.connect_timeout, options.socket_timeout));
  if (auto ok = result->handshake(); !ok)
    return ok.error();
  result->timeout(options.socket_timeout);
  return result;
}

expected<void> connection::handshake() {
  pipeline commands;
  if (!where_.user.empty())
    commands.add({"AUTH", where_.user, where_.password});
  else if (!where_.password.empty())
    commands.add({"AUTH", where_.password});
  if (where_.db != 0)
    commands.add({"SELECT", std::to_string(where_.db)});
  commands.add({"PING"});
  auto essential = commands.size();
  commands.add({"CLIENT", "SETNAME", options_.client_name});
  commands.add({"INFO", "server"});
  constexpr auto doing = "log in";
  auto replies = run(commands, doing);
  if (!replies)
    return replies.error();
  for (size_t i = 0; i < essential; ++i)
    if (is_error(*(*replies)[i]))
      return refusal(*(*replies)[i], doing);
  // A server that hides its version has to be trusted.
  auto version = parse_version(text_of(*(*replies)[essential + 1]));
  if (version != 0 && version < options_.version_min)
    return error{errc::unsupported,
                 "the server at " + where_.str() + " is Redis "
                     + std::to_string(version / 100) + '.'
                     + std::to_string(version % 100) + "; at least "
                     + std::to_string(options_.version_min / 100) + '.'
                     + std::to_string(options_.version_min % 100)
                     + " is needed (RPOP with a count)"};
  return load_scripts();
}

// Not before it is logged in: from others Redis takes no text of this length, and
// hangs up instead of saying why they are refused.
expected<void> connection::load_scripts() {
  if (options_.scripts.empty())
    return {};
  pipeline commands;
  for (auto* x : options_.scripts)
    commands.add({"SCRIPT", "LOAD", x->text});
  constexpr auto doing = "load scripts";
  auto replies = run(commands, doing);
  if (!replies)
    return replies.error();
  for (auto& x : *replies)
    if (is_error(*x))
      return refusal(*x, doing);
  return {};
}

// -- commands -----------------------------------------------------------------

expected<std::vector<reply>> connection::run(pipeline commands,
                                             const char* doing) {
  exchange x{*this, std::move(commands), doing};
  if (auto ok = x.finish(); !ok)
    return ok.error();
  return std::move(x.replies());
}

expected<std::vector<reply>> connection::check(pipeline commands,
                                               const char* doing) {
  exchange x{*this, std::move(commands), doing};
  if (auto ok = x.finish(); !ok)
    return ok.error();
  if (auto ok = x.check(); !ok)
    return ok.error();
  return std::move(x.replies());
}

expected<reply>
connection::command(std::initializer_list<std::string_view> words,
                    const char* doing) {
  pipeline commands;
  commands.add(words);
  auto replies = check(std::move(commands), doing);
  if (!replies)
    return replies.error();
  return std::move(replies->front());
}

error connection::refusal(const redisReply& answer, const char* doing) const {
  auto text = text_of(answer);
  std::string hint;
  if (text.starts_with("NOAUTH"))
    hint = " (put the password into the URL: redis://:password@host)";
  return {errc::refused, std::string{"cannot "} + doing + " on " + where_.str()
                             + ": " + std::string{text} + hint};
}

// -- raw steps ----------------------------------------------------------------

error connection::broken(errc code, const char* doing, std::string_view why) {
  if (lost_.empty())
    lost_ = why;
  return {code, std::string{"cannot "} + doing + " on " + where_.str() + ": "
                    + std::string{why}};
}

expected<void> connection::send(std::string_view bytes, const char* doing) {
  if (!lost_.empty())
    return broken(errc::unavailable, doing, lost_);
  while (!bytes.empty()) {
    auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0)
      bytes.remove_prefix(static_cast<size_t>(n));
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return broken(errc::timeout, doing, "the server takes no more data");
    else if (errno != EINTR)
      return broken(errc::unavailable, doing,
                    std::string{"connection lost: "} + std::strerror(errno));
  }
  return {};
}

expected<size_t> connection::send_now(std::string_view bytes,
                                      const char* doing) {
  if (!lost_.empty())
    return broken(errc::unavailable, doing, lost_);
  for (;;) {
    auto n = ::send(fd_, bytes.data(), bytes.size(),
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
      return static_cast<size_t>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return size_t{0};
    if (errno != EINTR)
      return broken(errc::unavailable, doing,
                    std::string{"connection lost: "} + std::strerror(errno));
  }
}

expected<reply> connection::receive(const char* doing) {
  for (;;) {
    auto x = parsed(doing);
    if (!x || *x)
      return x;
    auto some = fill(0, doing);
    if (!some)
      return some.error();
    if (!*some)
      return broken(errc::timeout, doing, "no reply in time");
  }
}

expected<reply> connection::receive_now(const char* doing) {
  for (;;) {
    auto x = parsed(doing);
    if (!x || *x)
      return x;
    auto some = fill(MSG_DONTWAIT, doing);
    if (!some)
      return some.error();
    if (!*some)
      return reply{};
  }
}

expected<reply> connection::parsed(const char* doing) {
  if (!lost_.empty())
    return broken(errc::unavailable, doing, lost_);
  void* x = nullptr;
  if (redisReaderGetReply(reader_.get(), &x) != REDIS_OK)
    return broken(errc::unavailable, doing,
                  std::string{"this does not look like a Redis server: "}
                      + reader_->errstr);
  return reply{static_cast<redisReply*>(x)};
}

expected<bool> connection::fill(int flags, const char* doing) {
  char buffer[64 * 1024];
  for (;;) {
    auto n = ::recv(fd_, buffer, sizeof(buffer), flags);
    if (n > 0) {
      redisReaderFeed(reader_.get(), buffer, static_cast<size_t>(n));
      return true;
    }
    if (n == 0)
      return broken(errc::unavailable, doing,
                    "connection lost: the server closed it");
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return false;
    if (errno != EINTR)
      return broken(errc::unavailable, doing,
                    std::string{"connection lost: "} + std::strerror(errno));
  }
}

void connection::timeout(std::chrono::milliseconds x) {
  set_socket_timeout(fd_, x);
}

} // namespace umbel::redis
