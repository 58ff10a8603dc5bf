// URLs of brokers and result stores, as Celery's settings write them.
#pragma once

#include "protocol/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbel {

/// A URL in its parts, percent-decoded. What a part means is up to the scheme.
struct url {
  std::string scheme; ///< lower case: "redis", "redis+socket", "memory"
  std::string user;
  std::string password;
  std::string host;
  int port = 0;     ///< 0: not given
  std::string path; ///< with its leading slash; empty if there is none
  std::vector<std::pair<std::string, std::string>> query;

  /// The value of a query option, or `fallback`.
  std::string option(std::string_view name, std::string fallback = {}) const;
};

/// Takes `scheme://[[user]:password@]host[:port][/path][?name=value&...]`.
/// @returns `invalid_setting`, naming the fault and never the password.
expected<url> parse_url(std::string_view text);

/// For logs: two asterisks in place of the password, and no query.
std::string to_string(const url& x);

} // namespace umbel
