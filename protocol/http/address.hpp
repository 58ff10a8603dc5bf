// IP addresses and networks, and which of them are not of the public internet.
#pragma once

#include "protocol/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbel::http {

/// An IP address in network order; one of version 4 as ::ffff:a.b.c.d, so that both
/// ways of writing it are one.
using address = std::array<uint8_t, 16>;

/// "127.0.0.1", "::1". @returns `invalid_setting` for anything else
expected<address> parse_address(std::string_view text);

/// As it is usually written; version 4 with dots.
std::string to_string(const address& x);

/// A range of addresses.
class network {
public:
  /// "10.0.0.0/8", "fd00::/8", or one address.
  /// @returns `invalid_setting`, also for bits that are set behind the prefix
  static expected<network> parse(std::string_view text);

  bool contains(const address& x) const noexcept;

private:
  address base_{};
  size_t bits_ = 0; ///< of the 128
};

/// What an address is that does not belong to the public internet: "a loopback
/// address", "a private address" ... Empty for all others. An address of version 4
/// counts in whatever it is wrapped (mapped, compatible, 6to4, NAT64).
std::string_view special_kind(const address& x);

} // namespace umbel::http
