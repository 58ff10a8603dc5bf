#define CAF_SUITE uuid

#include "tests/unit/dsl.hpp"

#include "protocol/message/envelope.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

using namespace umbel;

CAF_TEST(an id looks as RFC 4122 says) {
  for (int i = 0; i < 1000; ++i) {
    auto id = make_uuid();
    CAF_REQUIRE_EQUAL(id.size(), 36u);
    for (size_t k = 0; k < id.size(); ++k) {
      if (k == 8 || k == 13 || k == 18 || k == 23)
        CAF_CHECK_EQUAL(id[k], '-');
      else
        CAF_CHECK(std::string_view{"0123456789abcdef"}.find(id[k])
                  != std::string_view::npos);
    }
    CAF_CHECK_EQUAL(id[14], '4');
    CAF_CHECK(std::string_view{"89ab"}.find(id[19]) != std::string_view::npos);
  }
}

CAF_TEST(ids of two threads differ) {
  std::set<std::string> mine;
  std::set<std::string> theirs;
  std::thread other{[&] {
    for (int i = 0; i < 1000; ++i)
      theirs.insert(make_uuid());
  }};
  for (int i = 0; i < 1000; ++i)
    mine.insert(make_uuid());
  other.join();
  mine.merge(theirs);
  CAF_CHECK_EQUAL(mine.size(), 2000u);
}

CAF_TEST(a forked process makes ids of its own) {
  make_uuid(); // bytes for more of them are there now
  int fds[2];
  CAF_REQUIRE_EQUAL(pipe(fds), 0);
  auto pid = fork();
  if (pid == 0) {
    auto id = make_uuid();
    auto n = write(fds[1], id.data(), id.size());
    _exit(n == 36 ? 0 : 1);
  }
  char buf[36];
  CAF_CHECK_EQUAL(read(fds[0], buf, sizeof(buf)), 36);
  waitpid(pid, nullptr, 0);
  close(fds[0]);
  close(fds[1]);
  CAF_CHECK_NOT_EQUAL(std::string(buf, 36), make_uuid());
}
