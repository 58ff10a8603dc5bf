#include "protocol/task/http_exchange.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <charconv>

namespace umbel {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

/// The parts of a URL that a request needs.
struct target {
  std::string host;
  std::string port;
  std::string authority; ///< as the header Host has it
  std::string path;      ///< with the query
};

error malformed(const std::string& url, const char* why) {
  return {errc::malformed, "URL '" + url + "': " + why};
}

expected<target> parse_target(const std::string& url) {
  // What would end the line, or the header, and begin another.
  if (std::ranges::any_of(
          url, [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    return malformed(url, "spaces and control characters must be escaped");
  std::string_view rest = url;
  if (rest.starts_with("https://"))
    return error{errc::unsupported, "URL '" + url
                                        + "': only http:// is supported, not "
                                          "https://"};
  if (!rest.starts_with("http://"))
    return malformed(url, "it does not begin with http://");
  rest.remove_prefix(7);
  rest = rest.substr(0, rest.find('#'));
  target to;
  auto end = std::min(rest.find_first_of("/?"), rest.size());
  to.authority = rest.substr(0, end);
  to.path = rest.substr(end);
  if (!to.path.starts_with('/'))
    to.path.insert(0, "/");
  if (to.authority.find('@') != std::string::npos)
    return malformed(url, "a user or password does not belong here, but into "
                          "the header Authorization");
  std::string_view host = to.authority;
  auto colon = host.rfind(':');
  if (host.starts_with('[')) {
    auto bracket = host.find(']');
    if (bracket == host.npos)
      return malformed(url, "a ] is missing");
    if (colon < bracket)
      colon = host.npos;
    to.host = host.substr(1, bracket - 1);
  } else {
    to.host = host.substr(0, colon);
  }
  if (to.host.empty())
    return malformed(url, "there is no host");
  to.port = colon == host.npos ? "80" : host.substr(colon + 1);
  uint16_t number = 0;
  auto last = to.port.data() + to.port.size();
  auto [ptr, ec] = std::from_chars(to.port.data(), last, number);
  if (ec != std::errc{} || ptr != last || number == 0)
    return malformed(url, "the port is no number from 1 to 65535");
  return to;
}

/// Whether it can stand in a header or in the request line.
bool is_line(std::string_view text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) == text.npos;
}

expected<void> check_lines(const http_request& x) {
  auto bad = x.method.empty() || !is_line(x.method)
             || x.method.find(' ') != std::string::npos;
  for (auto& [name, value] : x.headers)
    bad = bad || name.empty() || !is_line(name) || !is_line(value)
          || name.find_first_of(" :") != std::string::npos;
  if (bad)
    return error{errc::malformed, "a method or header that cannot be sent"};
  return {};
}

class exchange : public std::enable_shared_from_this<exchange> {
public:
  exchange(asio::io_context& context, http_request&& request,
           std::function<void(expected<http_response>)>&& f)
      : given_(std::move(request)), f_(std::move(f)), resolver_(context),
        socket_(context), clock_(context) {
  }

  void start() {
    auto where = parse_target(given_.url);
    auto valid = check_lines(given_);
    if (!where || !valid) {
      asio::post(
          socket_.get_executor(),
          [self = shared_from_this(),
           why = where ? valid.error() : where.error()] { self->end(why); });
      return;
    }
    target_ = std::move(*where);
    clock_.expires_after(given_.timeout);
    clock_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec)
        self->end(self->failure(errc::timeout, "no answer in time"));
    });
    error_code ec;
    auto address = asio::ip::make_address(target_.host, ec);
    if (ec) {
      resolve();
      return;
    }
    auto port = static_cast<uint16_t>(std::stoul(target_.port));
    socket_.async_connect(
        {address, port},
        [self = shared_from_this()](error_code ec) { self->on_connected(ec); });
  }

  void give_up() {
    f_ = nullptr;
    close();
  }

private:
  /// By Asio's own thread: the system's look-up blocks.
  void resolve() {
    resolver_.async_resolve(
        target_.host, target_.port,
        [self = shared_from_this()](error_code ec,
                                    tcp::resolver::results_type found) {
          if (ec)
            return self->fail(ec);
          if (!self->f_)
            return;
          asio::async_connect(self->socket_, found,
                              [self](error_code ec, const tcp::endpoint&) {
                                self->on_connected(ec);
                              });
        });
  }

  void on_connected(error_code ec) {
    if (ec)
      return fail(ec);
    request_.method_string(given_.method);
    request_.target(target_.path);
    request_.version(11);
    request_.keep_alive(false);
    request_.set(http::field::host, target_.authority);
    request_.set(http::field::user_agent, "umbel");
    for (auto& [name, value] : given_.headers)
      request_.set(name, value);
    request_.body() = std::move(given_.body);
    request_.prepare_payload();
    parser_.body_limit(given_.response_bytes_max);
    parser_.skip(given_.method == "HEAD");
    http::async_write(socket_, request_,
                      [self = shared_from_this()](error_code ec, size_t) {
                        if (ec)
                          return self->fail(ec);
                        self->read();
                      });
  }

  void read() {
    http::async_read(socket_, buffer_, parser_,
                     [self = shared_from_this()](error_code ec, size_t) {
                       if (ec)
                         return self->fail(ec);
                       self->end(self->response());
                     });
  }

  http_response response() {
    auto message = parser_.release();
    http_response to;
    to.status = static_cast<int>(message.result_int());
    for (auto& x : message)
      to.headers.emplace_back(x.name_string(), x.value());
    to.body = std::move(message.body());
    return to;
  }

  error failure(errc code, const std::string& why) const {
    return {code, given_.method + ' ' + given_.url + ": " + why};
  }

  void fail(error_code ec) {
    if (ec == http::error::body_limit)
      end(failure(errc::refused, "the response has more than "
                                     + std::to_string(given_.response_bytes_max)
                                     + " bytes"));
    else if (ec == http::error::end_of_stream)
      end(failure(errc::unavailable, "the server closed the connection"));
    else
      end(failure(errc::unavailable, ec.message()));
  }

  void end(expected<http_response> x) {
    close();
    if (auto f = std::exchange(f_, nullptr))
      f(std::move(x));
  }

  void close() {
    error_code ignored;
    clock_.cancel();
    resolver_.cancel();
    socket_.close(ignored);
  }

  http_request given_;
  std::function<void(expected<http_response>)> f_; ///< null at the end
  target target_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer clock_;
  http::request<http::string_body> request_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

class operation final : public runtime::operation {
public:
  explicit operation(std::shared_ptr<exchange> x) : exchange_(std::move(x)) {
  }

  ~operation() override {
    exchange_->give_up();
  }

private:
  std::shared_ptr<exchange> exchange_;
};

} // namespace

std::unique_ptr<runtime::operation>
begin_http_exchange(asio::io_context& context, http_request request,
                    std::function<void(expected<http_response>)> f) {
  auto x =
      std::make_shared<exchange>(context, std::move(request), std::move(f));
  x->start();
  return std::make_unique<operation>(std::move(x));
}

} // namespace umbel
