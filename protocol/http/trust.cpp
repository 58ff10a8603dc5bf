#include "protocol/http/trust.hpp"

#include <boost/asio/ssl/context.hpp>

namespace umbel::http {

namespace ssl = boost::asio::ssl;

trust::trust(std::unique_ptr<ssl::context> x, bool verify)
    : context_(std::move(x)), verify_(verify) {
}

trust::~trust() = default;

expected<std::shared_ptr<const trust>> trust::make(const std::string& ca_file,
                                                   bool verify) {
  auto x = std::make_unique<ssl::context>(ssl::context::tls_client);
  boost::system::error_code ec;
  x->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1
                     | ssl::context::no_tlsv1_1,
                 ec);
  if (!ca_file.empty())
    x->load_verify_file(ca_file, ec);
  else
    x->set_default_verify_paths(ec);
  if (ec)
    return error{errc::invalid_setting,
                 "cannot read certificates of "
                     + (ca_file.empty() ? std::string{"the system"} : ca_file)
                     + ": " + ec.message()};
  x->set_verify_mode(verify ? ssl::verify_peer : ssl::verify_none, ec);
  return std::shared_ptr<const trust>{new trust{std::move(x), verify}};
}

} // namespace umbel::http
