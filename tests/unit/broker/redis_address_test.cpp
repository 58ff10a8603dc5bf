#define CAF_SUITE redis_address

#include "tests/unit/dsl.hpp"

#include "protocol/broker/redis/address.hpp"

using namespace umbel;
using redis::address;

namespace {

address at(const std::string& text) {
  return redis::to_address(parse_url(text).value()).value();
}

error fault(const std::string& text) {
  return redis::to_address(parse_url(text).value()).error();
}

} // namespace

CAF_TEST(what_is_left_out_has_redis_defaults) {
  CAF_CHECK_EQUAL(at("redis://").str(), "redis://127.0.0.1:6379/0");
  CAF_CHECK_EQUAL(at("redis:///3").str(), "redis://127.0.0.1:6379/3");
  CAF_CHECK_EQUAL(at("redis://h").str(), "redis://h:6379/0");
  CAF_CHECK_EQUAL(at("redis://h/").str(), "redis://h:6379/0");
  CAF_CHECK_EQUAL(at("redis://:6380/2").str(), "redis://127.0.0.1:6380/2");
}

CAF_TEST(login_and_options_of_pythons_client) {
  auto x = at("redis://me:secret@h/1?health_check_interval=3&db=7");
  CAF_CHECK_EQUAL(x.user, "me");
  CAF_CHECK_EQUAL(x.password, "secret");
  CAF_CHECK_EQUAL(x.db, 1);
  CAF_CHECK_EQUAL(x.str(), "redis://me:**@h:6379/1");
  CAF_CHECK_EQUAL(at("redis://h?db=7").db, 7);
}

CAF_TEST(unix_sockets_have_two_spellings) {
  for (auto text : {"redis+socket:///run/r.sock?virtual_host=2",
                    "redis+socket:///run/r.sock?virtual_host=/2",
                    "unix:///run/r.sock?db=2"}) {
    auto x = at(text);
    CAF_CHECK_EQUAL(x.socket_path, "/run/r.sock");
    CAF_CHECK_EQUAL(x.db, 2);
    CAF_CHECK_EQUAL(x.str(), "redis+socket:///run/r.sock?virtual_host=2");
  }
  CAF_CHECK_EQUAL(at("unix://:pw@/run/r.sock").password, "pw");
}

CAF_TEST(what_cannot_be_meant_is_refused_in_one_line) {
  for (auto text : {"redis://h/x", "redis://h/-1", "redis://h/1/2", "unix://",
                    "redis+socket://relative", "memory://x"})
    CAF_CHECK(fault(text).code == errc::invalid_setting);
  auto tls = fault("rediss://me:secret@h");
  CAF_CHECK(tls.code == errc::unsupported);
  CAF_CHECK(tls.what.find("TLS") != std::string::npos);
  CAF_CHECK(tls.what.find("secret") == std::string::npos);
  CAF_CHECK(tls.what.find('\n') == std::string::npos);
}

CAF_TEST(the_same_database_is_recognised) {
  auto same = [](const std::string& x, const std::string& y) {
    return at(x).same_database(at(y));
  };
  CAF_CHECK(same("redis://", "redis://localhost:6379/0"));
  CAF_CHECK(same("unix:///a?db=1", "redis+socket:///a?virtual_host=1"));
  CAF_CHECK(!same("redis://", "redis:///1"));
  CAF_CHECK(!same("redis://h", "redis://g"));
  CAF_CHECK(!same("redis://h:1", "redis://h:2"));
  CAF_CHECK(!same("unix:///a", "unix:///b"));
  CAF_CHECK(!same("unix:///a", "redis://"));
  CAF_CHECK(!same("redis://me:x@h", "redis://you:x@h"));
}
