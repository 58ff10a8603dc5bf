// Where a request goes: an http:// or https:// URL in the parts that it needs.
#pragma once

#include "protocol/error.hpp"

#include <cstdint>
#include <string>

namespace umbel::http {

struct target {
  bool tls = false;
  std::string host; ///< lower case; of an address of version 6, without brackets
  uint16_t port = 80;
  std::string authority; ///< as the header Host has it
  std::string path;      ///< with the query, without the fragment

  /// "https://host:port/path"
  std::string str() const;
};

/// Whether both are one server, for headers that are meant for it alone.
bool same_origin(const target& a, const target& b);

/// @returns `malformed` for what cannot be sent: another scheme, spaces and control
///          characters, a user or password, a bad port
expected<target> parse_target(const std::string& url);

/// Where a redirect leads: a URL, or a path as seen from `from`.
expected<target> follow(const target& from, const std::string& location);

} // namespace umbel::http
