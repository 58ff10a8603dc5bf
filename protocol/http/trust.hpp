// Who is believed to be who he says he is, over TLS.
#pragma once

#include "protocol/error.hpp"

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace umbel::http {

/// Read once and shared by any number of requests.
class trust {
public:
  /// @param ca_file authorities in PEM; empty: the system's
  /// @param verify false: whoever answers is believed
  /// @returns `invalid_setting` for a file that cannot be read
  static expected<std::shared_ptr<const trust>> make(const std::string& ca_file,
                                                     bool verify = true);

  ~trust();

  bool verifies() const noexcept {
    return verify_;
  }

  /// For streams, which take it for writing.
  boost::asio::ssl::context& context() const noexcept {
    return *context_;
  }

private:
  trust(std::unique_ptr<boost::asio::ssl::context> x, bool verify);

  std::unique_ptr<boost::asio::ssl::context> context_;
  bool verify_;
};

} // namespace umbel::http
