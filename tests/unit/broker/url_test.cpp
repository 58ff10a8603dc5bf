#define CAF_SUITE url

#include "tests/unit/dsl.hpp"

#include "protocol/broker/url.hpp"

using namespace umbel;

namespace {

std::string fault_of(const std::string& text) {
  auto x = parse_url(text);
  if (x)
    return "no fault";
  CAF_CHECK(x.error().code == errc::invalid_setting);
  return x.error().what;
}

} // namespace

CAF_TEST(all_parts_are_found) {
  auto x =
      parse_url("Redis://me:se:cret@example.org:1234/5/6?a=1&b=&c").value();
  CAF_CHECK_EQUAL(x.scheme, "redis");
  CAF_CHECK_EQUAL(x.user, "me");
  CAF_CHECK_EQUAL(x.password, "se:cret");
  CAF_CHECK_EQUAL(x.host, "example.org");
  CAF_CHECK_EQUAL(x.port, 1234);
  CAF_CHECK_EQUAL(x.path, "/5/6");
  CAF_CHECK_EQUAL(x.option("a"), "1");
  CAF_CHECK_EQUAL(x.option("b", "other"), "");
  CAF_CHECK_EQUAL(x.option("c", "other"), "");
  CAF_CHECK_EQUAL(x.option("d", "other"), "other");
}

CAF_TEST(all_parts_but_the_scheme_may_be_left_out) {
  auto x = parse_url("redis://").value();
  CAF_CHECK(x.user.empty() && x.password.empty() && x.host.empty());
  CAF_CHECK_EQUAL(x.port, 0);
  CAF_CHECK(x.path.empty() && x.query.empty());
  CAF_CHECK_EQUAL(parse_url("memory://name").value().host, "name");
  CAF_CHECK_EQUAL(parse_url("redis://:6380").value().port, 6380);
  CAF_CHECK_EQUAL(parse_url("redis://h?x=1").value().option("x"), "1");
  CAF_CHECK_EQUAL(parse_url("unix:///a@b").value().path, "/a@b");
}

CAF_TEST(escapes_are_decoded_in_every_part) {
  auto x =
      parse_url("redis://%40me:p%2Fw%3f%25@h/%31?a%3D=%26&x=%zz%4").value();
  CAF_CHECK_EQUAL(x.user, "@me");
  CAF_CHECK_EQUAL(x.password, "p/w?%");
  CAF_CHECK_EQUAL(x.path, "/1");
  CAF_CHECK_EQUAL(x.option("a="), "&");
  CAF_CHECK_EQUAL(x.option("x"), "%zz%4");
  CAF_CHECK_EQUAL(parse_url("redis://u:p@w@h").value().password, "p@w");
}

CAF_TEST(an_ipv6_address_stands_in_brackets) {
  auto x = parse_url("redis://:pw@[::1]:7/2").value();
  CAF_CHECK_EQUAL(x.host, "::1");
  CAF_CHECK_EQUAL(x.port, 7);
  CAF_CHECK_EQUAL(to_string(x), "redis://:**@[::1]:7/2");
  CAF_CHECK_EQUAL(parse_url("redis://[fe80::2]").value().host, "fe80::2");
}

CAF_TEST(rendering_has_neither_password_nor_query) {
  auto x = parse_url("redis://me:secret@h:1/2?password=secret").value();
  CAF_CHECK_EQUAL(to_string(x), "redis://me:**@h:1/2");
  CAF_CHECK_EQUAL(to_string(parse_url("redis://me@h").value()), "redis://me@h");
}

CAF_TEST(faults_are_named_without_the_password) {
  for (auto text :
       {"", "localhost", "://h", "redis:/h", "redis://h:x", "redis://h:0",
        "redis://h:65536", "redis://h:1x/0", "redis://[::1", "redis://[::1]1",
        "redis://:12/secret@h", "redis://:sec/ret@h"}) {
    auto fault = fault_of(text);
    CAF_CHECK(fault != "no fault");
    CAF_CHECK(fault.find("ret") == std::string::npos);
  }
  CAF_CHECK(fault_of("redis://:12/secret@h").find("%2F") != std::string::npos);
}
