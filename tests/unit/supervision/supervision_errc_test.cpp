#define CAF_SUITE supervision_errc

#include "actors/supervision/supervision_errc.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

struct fixture {};

} // namespace

CAF_TEST_FIXTURE_SCOPE(supervision_errc_tests, fixture)

CAF_TEST(reasons are readable without an actor system) {
  CAF_CHECK_EQUAL(describe(caf::none), "normal");
  CAF_CHECK_EQUAL(describe(caf::exit_reason::kill), "kill");
  CAF_CHECK_EQUAL(describe(caf::exit_reason::user_shutdown), "user_shutdown");
  CAF_CHECK_EQUAL(describe(caf::sec::request_timeout), "request_timeout");
  CAF_CHECK_EQUAL(describe(make_error(supervision_errc::stuck)), "stuck");
  CAF_CHECK_EQUAL(describe(make_error(supervision_errc::connection_lost,
                                      "redis:// closed")),
                  "connection_lost: redis:// closed");
  CAF_CHECK_EQUAL(describe(caf::make_error(supervision_errc::start_failed,
                                           "exit status", 3)),
                  "start_failed: exit status, 3");
  CAF_CHECK_EQUAL(describe(caf::error{7, caf::atom("other")}), "other error 7");
}

CAF_TEST(a fatal error is described by its message alone) {
  CAF_CHECK_EQUAL(describe(make_fatal("cannot load libtasks.so")),
                  "cannot load libtasks.so");
}

CAF_TEST(codes compare with errors whatever the context) {
  auto err = make_error(supervision_errc::start_failed, "no memory");
  CAF_CHECK(err == supervision_errc::start_failed);
  CAF_CHECK(!(err == supervision_errc::fatal));
  CAF_CHECK(!(caf::error{} == supervision_errc::fatal));
  // The same number in another category is another error.
  CAF_CHECK(!(caf::error{1, caf::atom("other")} == supervision_errc::fatal));
}

CAF_TEST(every code has a name) {
  for (auto code = 1; code <= int(supervision_errc::shutting_down); ++code)
    CAF_CHECK_NOT_EQUAL(to_string(supervision_errc(code)), "unknown");
}

CAF_TEST(an end on request is normal and everything else is not ) {
  CAF_CHECK(is_normal(caf::none));
  CAF_CHECK(is_normal(caf::exit_reason::normal));
  CAF_CHECK(is_normal(caf::exit_reason::user_shutdown));
  CAF_CHECK(!is_normal(caf::exit_reason::kill));
  CAF_CHECK(!is_normal(caf::sec::runtime_error));
  CAF_CHECK(!is_normal(make_fatal("x")));
}

CAF_TEST_FIXTURE_SCOPE_END()
