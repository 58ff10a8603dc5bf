// Who may be reached by requests that strangers have a say in: hosts by an allow-list,
// and no address outside of the public internet unless its network is allowed.
//
// A host is judged by its name, before it is looked up; an address when it is about to
// be connected to, so that no answer of a name server gets around the rule.
#pragma once

#include "protocol/error.hpp"
#include "protocol/http/address.hpp"
#include "protocol/http/target.hpp"

#include <span>
#include <string>
#include <vector>

namespace umbel::http {

class access {
public:
  /// @param hosts "api.example.org", "*.example.org" (all below it, not itself), "*",
  ///              each also with a port: "localhost:8080"
  /// @param networks "127.0.0.0/8", "fd00::/8", "10.1.2.3"
  /// @returns `invalid_setting`
  static expected<access> make(std::span<const std::string> hosts,
                               std::span<const std::string> networks);

  /// Allows the very host and port of `x`.
  void add(const target& x);

  /// @returns `refused` with the reason: its host is not on the list, or is an
  ///          address that may not be reached
  expected<void> check(const target& x) const;

  /// Why there is no way to this address: "127.0.0.1 is a loopback address". Empty if
  /// there is one.
  std::string obstacle(const address& x) const;

private:
  struct pattern {
    std::string host; ///< ".example.org" for all below; empty: any
    int port = 0;     ///< 0: any
  };

  bool lists(const target& x) const;

  std::vector<pattern> hosts_;
  std::vector<network> networks_;
};

} // namespace umbel::http
