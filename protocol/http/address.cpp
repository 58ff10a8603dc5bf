#include "protocol/http/address.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <arpa/inet.h>

namespace umbel::http {

namespace {

constexpr size_t mapped_bits = 96;
constexpr address mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_version_4(const address& x) {
  return std::equal(x.begin(), x.begin() + 12, mapped_prefix.begin());
}

/// The four bytes at `at`, as an address of version 4.
address embedded(const address& x, size_t at) {
  auto result = mapped_prefix;
  std::copy_n(x.begin() + static_cast<ptrdiff_t>(at), 4, result.begin() + 12);
  return result;
}

using kinds = std::vector<std::pair<network, std::string_view>>;

kinds make_kinds() {
  // IANA's registries of special-purpose addresses.
  constexpr std::pair<const char*, const char*> rows[] = {
      {"0.0.0.0/8", "an address of this host"},
      {"10.0.0.0/8", "a private address"},
      {"100.64.0.0/10", "a private address of a carrier"},
      {"127.0.0.0/8", "a loopback address"},
      {"169.254.0.0/16", "a link-local address"},
      {"172.16.0.0/12", "a private address"},
      {"192.0.0.0/24", "a reserved address"},
      {"192.0.2.0/24", "a reserved address"},
      {"192.88.99.0/24", "a reserved address"},
      {"192.168.0.0/16", "a private address"},
      {"198.18.0.0/15", "a reserved address"},
      {"198.51.100.0/24", "a reserved address"},
      {"203.0.113.0/24", "a reserved address"},
      {"224.0.0.0/4", "a multicast address"},
      {"240.0.0.0/4", "a reserved address"},
      {"::/128", "an address of this host"},
      {"::1/128", "a loopback address"},
      {"fc00::/7", "a private address"},
      {"fe80::/10", "a link-local address"},
      {"fec0::/10", "a private address"},
      {"ff00::/8", "a multicast address"},
      {"2001::/23", "a reserved address"}, // Teredo among them
      {"2001:db8::/32", "a reserved address"},
      {"3fff::/20", "a reserved address"},
  };
  kinds result;
  for (auto& [range, kind] : rows)
    result.emplace_back(network::parse(range).value(), kind);
  return result;
}

/// Where an address of version 6 holds one of version 4.
struct wrapping {
  network range;
  size_t at; ///< of 16 bytes
};

const std::vector<wrapping>& wrappings() {
  static const std::vector<wrapping> result{
      {network::parse("::/96").value(), 12}, // IPv4-compatible
      {network::parse("64:ff9b::/96").value(), 12}, // NAT64
      {network::parse("2002::/16").value(), 2}, // 6to4
  };
  return result;
}

} // namespace

expected<address> parse_address(std::string_view text) {
  std::string copy{text};
  address result{};
  if (inet_pton(AF_INET6, copy.c_str(), result.data()) == 1)
    return result;
  result = mapped_prefix;
  if (inet_pton(AF_INET, copy.c_str(), result.data() + 12) == 1)
    return result;
  return error{errc::invalid_setting, "'" + copy + "' is no IP address"};
}

std::string to_string(const address& x) {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (is_version_4(x))
    inet_ntop(AF_INET, x.data() + 12, buffer, sizeof(buffer));
  else
    inet_ntop(AF_INET6, x.data(), buffer, sizeof(buffer));
  return buffer;
}

expected<network> network::parse(std::string_view text) {
  auto wrong = [&](const char* why) {
    return error{errc::invalid_setting,
                 "'" + std::string{text} + "' is no network: " + why};
  };
  auto slash = text.find('/');
  auto base = parse_address(text.substr(0, slash));
  if (!base)
    return wrong("write 10.0.0.0/8, fd00::/8 or an address");
  auto version_4 = text.find(':') == text.npos;
  auto most = version_4 ? size_t{32} : size_t{128};
  network result;
  result.base_ = *base;
  result.bits_ = most;
  if (slash != text.npos) {
    auto digits = text.substr(slash + 1);
    auto last = digits.data() + digits.size();
    auto [ptr, ec] = std::from_chars(digits.data(), last, result.bits_);
    if (ec != std::errc{} || ptr != last || result.bits_ > most)
      return wrong("behind the slash stands the length of its prefix");
  }
  if (version_4)
    result.bits_ += mapped_bits;
  for (size_t i = result.bits_; i < 128; ++i)
    if ((result.base_[i / 8] >> (7 - i % 8)) & 1)
      return wrong("there are bits behind its prefix");
  return result;
}

bool network::contains(const address& x) const noexcept {
  auto whole = bits_ / 8;
  if (!std::equal(x.begin(), x.begin() + static_cast<ptrdiff_t>(whole),
                  base_.begin()))
    return false;
  auto rest = bits_ % 8;
  return rest == 0 || ((x[whole] ^ base_[whole]) >> (8 - rest)) == 0;
}

std::string_view special_kind(const address& x) {
  static const kinds known = make_kinds();
  for (auto& [range, kind] : known)
    if (range.contains(x))
      return kind;
  if (is_version_4(x))
    return {};
  for (auto& [range, at] : wrappings())
    if (range.contains(x))
      return special_kind(embedded(x, at));
  // Nothing else was given to anybody.
  static const auto global = network::parse("2000::/3").value();
  return global.contains(x) ? std::string_view{} : "a reserved address";
}

} // namespace umbel::http
