#include "protocol/http/access.hpp"

#include <algorithm>

namespace umbel::http {

expected<access> access::make(std::span<const std::string> hosts,
                              std::span<const std::string> networks) {
  access result;
  for (auto& text : hosts) {
    // Read as a URL's, so that both are written alike.
    auto below = text.starts_with("*.");
    auto any = text == "*" || text.starts_with("*:");
    auto plain = any || below ? "x" + text.substr(1) : text;
    auto parsed = parse_target("http://" + plain);
    if (!parsed || parsed->path != "/" || plain.find('/') != plain.npos
        || parsed->host.find('*') != std::string::npos)
      return error{errc::invalid_setting,
                   "'" + text
                       + "' is no host: write api.example.org, *.example.org, "
                         "localhost:8080 or *"};
    // Without one, all ports.
    auto has_port = parsed->authority.ends_with(':' + std::to_string(parsed->port));
    pattern to{parsed->host, has_port ? parsed->port : 0};
    if (any)
      to.host.clear();
    else if (below)
      to.host.erase(0, 1);
    result.hosts_.push_back(std::move(to));
  }
  for (auto& text : networks) {
    auto parsed = network::parse(text);
    if (!parsed)
      return parsed.error();
    result.networks_.push_back(*parsed);
  }
  return result;
}

void access::add(const target& x) {
  hosts_.push_back({x.host, x.port});
}

expected<void> access::check(const target& x) const {
  if (!lists(x))
    return error{errc::refused, x.host + ':' + std::to_string(x.port)
                                    + " is not in webhook_allowed_hosts"};
  if (auto literal = parse_address(x.host))
    if (auto why = obstacle(*literal); !why.empty())
      return error{errc::refused, why};
  return {};
}

std::string access::obstacle(const address& x) const {
  auto kind = special_kind(x);
  if (kind.empty()
      || std::ranges::any_of(networks_,
                             [&](auto& range) { return range.contains(x); }))
    return {};
  return to_string(x) + " is " + std::string{kind}
         + " and not in webhook_allowed_networks";
}

bool access::lists(const target& x) const {
  return std::ranges::any_of(hosts_, [&](const pattern& p) {
    if (p.port != 0 && p.port != x.port)
      return false;
    if (p.host.starts_with('.'))
      return x.host.size() > p.host.size() && x.host.ends_with(p.host);
    return p.host.empty() || p.host == x.host;
  });
}

} // namespace umbel::http
