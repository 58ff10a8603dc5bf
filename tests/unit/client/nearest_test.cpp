#define CAF_SUITE nearest

#include "tests/unit/dsl.hpp"

#include "protocol/client/nearest.hpp"

using namespace umbel;

CAF_TEST(distance counts single changes) {
  CAF_CHECK_EQUAL(edit_distance("", ""), 0u);
  CAF_CHECK_EQUAL(edit_distance("", "abc"), 3u);
  CAF_CHECK_EQUAL(edit_distance("worker", "worker"), 0u);
  CAF_CHECK_EQUAL(edit_distance("wrker", "worker"), 1u);
  CAF_CHECK_EQUAL(edit_distance("wokrer", "worker"), 1u);
  CAF_CHECK_EQUAL(edit_distance("wörker", "worker"), 2u); // two bytes
  CAF_CHECK_EQUAL(edit_distance("kitten", "sitting"), 3u);
}

CAF_TEST(only what is near is suggested) {
  constexpr std::string_view names[] = {"worker", "beat", "status"};
  CAF_CHECK(nearest("wrker", names) == "worker");
  CAF_CHECK(nearest("staus", names) == "status");
  CAF_CHECK(!nearest("purge", names).has_value());
  CAF_CHECK(!nearest("x", names).has_value());
  CAF_CHECK(!nearest("worker", {}).has_value());
}
