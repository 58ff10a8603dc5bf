#define CAF_SUITE http_access

#include "tests/unit/dsl.hpp"

#include "protocol/http/access.hpp"

using namespace umbel;
using namespace umbel::http;

namespace {

std::string kind(std::string_view text) {
  auto x = parse_address(text);
  return x ? std::string{special_kind(*x)} : "no address";
}

http::access make(std::vector<std::string> hosts,
            std::vector<std::string> networks = {}) {
  auto result = http::access::make(hosts, networks);
  CAF_REQUIRE(result.has_value());
  return *result;
}

bool allows(const http::access& x, const std::string& url) {
  auto to = parse_target(url);
  CAF_REQUIRE(to.has_value());
  return x.check(*to).has_value();
}

std::string followed(const std::string& from, const std::string& location) {
  auto base = parse_target(from);
  CAF_REQUIRE(base.has_value());
  auto to = follow(*base, location);
  return to ? to->str() : "malformed";
}

} // namespace

CAF_TEST(addresses of the public internet) {
  for (auto x : {"1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255",
                 "192.167.1.1", "223.255.255.255", "2606:4700::1111",
                 "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"})
    CAF_CHECK_EQUAL(kind(x), "");
}

CAF_TEST(addresses of version 4 that are special) {
  CAF_CHECK_EQUAL(kind("127.0.0.1"), "a loopback address");
  CAF_CHECK_EQUAL(kind("127.255.255.254"), "a loopback address");
  CAF_CHECK_EQUAL(kind("10.1.2.3"), "a private address");
  CAF_CHECK_EQUAL(kind("172.16.0.1"), "a private address");
  CAF_CHECK_EQUAL(kind("172.31.255.255"), "a private address");
  CAF_CHECK_EQUAL(kind("192.168.0.1"), "a private address");
  CAF_CHECK_EQUAL(kind("100.64.0.1"), "a private address of a carrier");
  CAF_CHECK_EQUAL(kind("169.254.169.254"), "a link-local address");
  CAF_CHECK_EQUAL(kind("0.0.0.0"), "an address of this host");
  CAF_CHECK_EQUAL(kind("224.0.0.1"), "a multicast address");
  CAF_CHECK_EQUAL(kind("255.255.255.255"), "a reserved address");
  CAF_CHECK_EQUAL(kind("198.19.0.1"), "a reserved address");
}

CAF_TEST(addresses of version 6 that are special) {
  CAF_CHECK_EQUAL(kind("::1"), "a loopback address");
  CAF_CHECK_EQUAL(kind("::"), "an address of this host");
  CAF_CHECK_EQUAL(kind("fe80::1"), "a link-local address");
  CAF_CHECK_EQUAL(kind("fd00::1"), "a private address");
  CAF_CHECK_EQUAL(kind("fec0::1"), "a private address");
  CAF_CHECK_EQUAL(kind("ff02::1"), "a multicast address");
  CAF_CHECK_EQUAL(kind("2001:db8::1"), "a reserved address");
  CAF_CHECK_EQUAL(kind("2001::1"), "a reserved address"); // Teredo
  CAF_CHECK_EQUAL(kind("4000::1"), "a reserved address");
}

CAF_TEST(addresses of version 4 in those of version 6) {
  CAF_CHECK_EQUAL(kind("::ffff:127.0.0.1"), "a loopback address");
  CAF_CHECK_EQUAL(kind("::ffff:a9fe:a9fe"), "a link-local address");
  CAF_CHECK_EQUAL(kind("::127.0.0.1"), "a loopback address");
  CAF_CHECK_EQUAL(kind("64:ff9b::7f00:1"), "a loopback address");
  CAF_CHECK_EQUAL(kind("2002:7f00:1::"), "a loopback address");
  CAF_CHECK_EQUAL(kind("2002:c0a8:101::1"), "a private address");
}

CAF_TEST(networks) {
  auto in = [](std::string_view range, std::string_view x) {
    return network::parse(range).value().contains(parse_address(x).value());
  };
  CAF_CHECK(in("10.0.0.0/8", "10.255.0.1"));
  CAF_CHECK(!in("10.0.0.0/8", "11.0.0.0"));
  CAF_CHECK(in("10.0.0.0/8", "::ffff:10.0.0.1"));
  CAF_CHECK(in("10.1.2.3", "10.1.2.3"));
  CAF_CHECK(!in("10.1.2.3", "10.1.2.2"));
  CAF_CHECK(in("0.0.0.0/0", "8.8.8.8"));
  CAF_CHECK(!in("0.0.0.0/0", "::1"));
  CAF_CHECK(in("::/0", "8.8.8.8"));
  CAF_CHECK(in("fd00::/12", "fd0f::1"));
  CAF_CHECK(!in("fd00::/12", "fd10::1"));
  for (auto x : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
                 "10.0.0.0/8x", "10.0.0.1/8", "host", "::/129", "fe80::1/10"})
    CAF_CHECK(!network::parse(x));
}

CAF_TEST(hosts by an allow list) {
  auto x = make({"api.example.org", "*.intern.example", "localhost:8080"});
  CAF_CHECK(allows(x, "https://api.example.org/x"));
  CAF_CHECK(allows(x, "http://API.Example.ORG.:99/"));
  CAF_CHECK(allows(x, "http://a.b.intern.example/"));
  CAF_CHECK(allows(x, "http://localhost:8080/"));
  for (auto url :
       {"http://example.org/", "http://api.example.org.evil.com/",
        "http://intern.example/", "http://evilintern.example/",
        "http://localhost/", "http://localhost:8081/",
        "http://evil.com/#api.example.org", "http://evil.com\\.intern.example/"})
    CAF_CHECK(!allows(x, url));
  CAF_CHECK(!allows(make({}), "http://example.org/"));
  CAF_CHECK(allows(make({"*"}), "http://example.org/"));
  CAF_CHECK(allows(make({"*:443"}), "https://example.org/"));
  CAF_CHECK(!allows(make({"*:443"}), "http://example.org/"));
  for (auto bad : {"", "http://x", "a/b", "*x", "a.*.b", "user@host", "x:0"})
    CAF_CHECK(!http::access::make(std::vector<std::string>{bad}, {}));
}

CAF_TEST(an address needs its network allowed although its host is) {
  CAF_CHECK(!allows(make({"*"}), "http://127.0.0.1/"));
  CAF_CHECK(!allows(make({"127.0.0.1"}), "http://127.0.0.1/"));
  CAF_CHECK(!allows(make({"*"}), "http://[::1]/"));
  CAF_CHECK(!allows(make({"*"}), "http://[::ffff:10.0.0.1]/"));
  CAF_CHECK(allows(make({"*"}, {"127.0.0.0/8"}), "http://127.0.0.1/"));
  CAF_CHECK(allows(make({"*"}, {"::1"}), "http://[::1]:80/"));
  CAF_CHECK(!allows(make({}, {"127.0.0.0/8"}), "http://127.0.0.1/"));
  auto x = make({"*"}, {"10.0.0.0/8"});
  CAF_CHECK_EQUAL(x.obstacle(parse_address("::ffff:10.0.0.1").value()), "");
  CAF_CHECK_EQUAL(x.obstacle(parse_address("::ffff:127.0.0.1").value()),
                  "127.0.0.1 is a loopback address and not in "
                  "webhook_allowed_networks");
}

CAF_TEST(where redirects lead) {
  auto from = "https://host:8443/a/b?c=d";
  CAF_CHECK_EQUAL(followed(from, "http://other/x"), "http://other/x");
  CAF_CHECK_EQUAL(followed(from, "//other/x"), "https://other/x");
  CAF_CHECK_EQUAL(followed(from, "/x?y=http://z"),
                  "https://host:8443/x?y=http://z");
  CAF_CHECK_EQUAL(followed(from, "x:y/z"), "malformed");
  CAF_CHECK_EQUAL(followed(from, "x/y"), "https://host:8443/a/x/y");
  CAF_CHECK_EQUAL(followed(from, "?e=f"), "https://host:8443/a/b?e=f");
  CAF_CHECK_EQUAL(followed(from, "javascript:alert(1)"), "malformed");
}
