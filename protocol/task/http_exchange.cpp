#include "protocol/task/http_exchange.hpp"

#include "protocol/http/access.hpp"
#include "protocol/http/target.hpp"
#include "protocol/http/trust.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace umbel {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

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

bool is_content_type(const http_headers::value_type& header) {
  return boost::beast::iequals(header.first, "Content-Type");
}

http::address to_address(const asio::ip::address& x) {
  auto v6 = x.is_v6() ? x.to_v6()
                      : asio::ip::make_address_v6(asio::ip::v4_mapped, x.to_v4());
  auto bytes = v6.to_bytes();
  http::address result;
  std::copy(bytes.begin(), bytes.end(), result.begin());
  return result;
}

class exchange : public std::enable_shared_from_this<exchange> {
public:
  exchange(asio::io_context& context, http_request&& request,
           std::function<void(expected<http_response>)>&& f)
      : given_(std::move(request)), method_(given_.method), f_(std::move(f)),
        redirects_left_(given_.redirects_max), resolver_(context),
        socket_(context), clock_(context) {
  }

  void start() {
    auto where = http::parse_target(given_.url);
    auto valid = check_lines(given_);
    clock_.expires_after(given_.timeout);
    clock_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec)
        self->end(self->failure(errc::timeout, "no answer in time"));
    });
    if (!where)
      return end_soon(where.error());
    if (!valid)
      return end_soon(valid.error());
    go(std::move(*where));
  }

  void give_up() {
    f_ = nullptr;
    close();
  }

private:
  using step = void (exchange::*)();

  /// A handler that goes on with `next`, unless it has ended in the meantime.
  auto then(step next) {
    return [self = shared_from_this(), next](error_code ec, auto&&...) {
      if (!self->f_)
        return;
      if (ec)
        return self->fail(ec);
      (self.get()->*next)();
    };
  }

  /// One request, to the first target or to where a redirect leads.
  void go(http::target to) {
    target_ = std::move(to);
    if (given_.access)
      if (auto allowed = given_.access->check(target_); !allowed)
        return end_soon(failure(errc::refused, allowed.error().what));
    endpoints_.clear();
    error_code ec;
    auto address = asio::ip::make_address(target_.host, ec);
    if (!ec) {
      endpoints_.emplace_back(address, target_.port);
      return connect();
    }
    // By Asio's own thread: the system's look-up blocks.
    resolver_.async_resolve(
        target_.host, std::to_string(target_.port),
        [self = shared_from_this()](error_code ec,
                                    tcp::resolver::results_type found) {
          if (!self->f_)
            return;
          if (ec)
            return self->fail(ec);
          for (auto& x : found)
            self->endpoints_.push_back(x.endpoint());
          self->connect();
        });
  }

  /// To what was found, and to nothing that is looked up again: what is judged here
  /// is what is connected to.
  void connect() {
    std::string why = "no address";
    if (given_.access)
      std::erase_if(endpoints_, [&](const tcp::endpoint& x) {
        auto obstacle = given_.access->obstacle(to_address(x.address()));
        if (obstacle.empty())
          return false;
        why = obstacle;
        return true;
      });
    if (endpoints_.empty())
      return end_soon(failure(errc::refused, why));
    auto next = target_.tls ? &exchange::shake_hands : &exchange::write;
    asio::async_connect(socket_, endpoints_, then(next));
  }

  void shake_hands() {
    if (!given_.trust) {
      auto trust = http::trust::make({});
      if (!trust)
        return end(failure(errc::unsupported, trust.error().what));
      given_.trust = std::move(*trust);
    }
    tls_.emplace(socket_, given_.trust->context());
    error_code ec;
    asio::ip::make_address(target_.host, ec);
    // A name, not an address, is what the server has to know.
    if (ec && !SSL_set_tlsext_host_name(tls_->native_handle(),
                                        target_.host.c_str()))
      return end(failure(errc::malformed, "the host name is too long for TLS"));
    if (given_.trust->verifies())
      tls_->set_verify_callback(ssl::host_name_verification{target_.host}, ec);
    tls_->async_handshake(ssl::stream_base::client,
                          [self = shared_from_this()](error_code ec) {
                            if (!self->f_)
                              return;
                            if (ec)
                              return self->fail_to_trust(ec);
                            self->write();
                          });
  }

  void write() {
    request_ = {};
    request_.method_string(method_);
    request_.target(target_.path);
    request_.version(11);
    request_.keep_alive(false);
    request_.set(beast::field::host, target_.authority);
    request_.set(beast::field::user_agent, "umbel");
    for (auto& [name, value] : given_.headers)
      request_.set(name, value);
    request_.body() = given_.body;
    request_.prepare_payload();
    if (tls_)
      beast::async_write(*tls_, request_, then(&exchange::read));
    else
      beast::async_write(socket_, request_, then(&exchange::read));
  }

  void read() {
    buffer_.clear();
    parser_.emplace();
    parser_->body_limit(given_.response_bytes_max);
    parser_->skip(method_ == "HEAD");
    if (tls_)
      beast::async_read(*tls_, buffer_, *parser_, then(&exchange::arrive));
    else
      beast::async_read(socket_, buffer_, *parser_, then(&exchange::arrive));
  }

  void arrive() {
    auto x = response();
    auto location = x.header("Location");
    auto redirects = x.status == 301 || x.status == 302 || x.status == 303
                     || x.status == 307 || x.status == 308;
    if (!redirects || location.empty() || redirects_left_ == 0)
      return end(std::move(x));
    --redirects_left_;
    auto next = http::follow(target_, std::string{location});
    if (!next)
      return end(failure(errc::unsupported,
                         "a redirect that leads nowhere: " + next.error().what));
    if (target_.tls && !next->tls)
      return end(failure(errc::unsupported, "a redirect from https:// to "
                                                "http://"
                                                + next->authority));
    // As browsers do, and Python.
    if (x.status < 307 && method_ != "GET" && method_ != "HEAD") {
      method_ = "GET";
      given_.body.clear();
      std::erase_if(given_.headers, is_content_type);
    }
    if (!http::same_origin(target_, *next))
      std::erase_if(given_.headers, std::not_fn(is_content_type));
    // The stream must not go while it calls.
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), to = std::move(*next)] {
                 if (!self->f_)
                   return;
                 error_code ignored;
                 self->socket_.close(ignored);
                 self->tls_.reset();
                 self->go(to);
               });
  }

  http_response response() {
    auto message = parser_->release();
    http_response to;
    to.status = static_cast<int>(message.result_int());
    for (auto& x : message)
      to.headers.emplace_back(x.name_string(), x.value());
    to.body = std::move(message.body());
    return to;
  }

  /// Without the query, which may hold a key.
  error failure(errc code, const std::string& why) const {
    return {code, given_.method + ' '
                      + given_.url.substr(0, given_.url.find_first_of("?#"))
                      + ": " + why};
  }

  void fail(error_code ec) {
    if (ec == beast::error::body_limit)
      end(failure(errc::unsupported,
                  "the response has more than "
                      + std::to_string(given_.response_bytes_max) + " bytes"));
    else if (ec == beast::error::end_of_stream
             || ec == ssl::error::stream_truncated)
      end(failure(errc::unavailable, "the server closed the connection"));
    else
      end(failure(errc::unavailable, ec.message()));
  }

  /// Another try would not make the certificate better.
  void fail_to_trust(error_code ec) {
    auto verdict = SSL_get_verify_result(tls_->native_handle());
    if (ec.category() != asio::error::get_ssl_category())
      return fail(ec);
    std::string why = ec.message();
    if (verdict != X509_V_OK)
      why = std::string{"certificate not accepted: "}
            + X509_verify_cert_error_string(verdict);
    else if (given_.trust->verifies() && why.find("verify") != why.npos)
      why = "certificate not accepted: it is not of " + target_.host;
    end(failure(errc::unsupported, why));
  }

  /// Not before `begin_http_exchange` has returned.
  void end_soon(error x) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), x = std::move(x)] { self->end(x); });
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
  std::string method_; ///< a redirect may change it
  std::function<void(expected<http_response>)> f_; ///< null at the end
  int redirects_left_;
  http::target target_;
  tcp::resolver resolver_;
  std::vector<tcp::endpoint> endpoints_;
  tcp::socket socket_;
  std::optional<ssl::stream<tcp::socket&>> tls_;
  asio::steady_timer clock_;
  beast::request<beast::string_body> request_;
  boost::beast::flat_buffer buffer_;
  std::optional<beast::response_parser<beast::string_body>> parser_;
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
