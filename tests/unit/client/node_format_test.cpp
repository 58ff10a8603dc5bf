#define CAF_SUITE node_format

#include "tests/unit/dsl.hpp"

#include "protocol/client/node_format.hpp"

using namespace umbel;

namespace {

std::string expand(const std::string& text,
                   const std::string& host = "box.example.com") {
  auto result = expand_node_name(text, host);
  return result ? result->str() : result.error().what;
}

} // namespace

CAF_TEST(Celery expands these in the same way) {
  CAF_CHECK_EQUAL(expand("celery@%h"), "celery@box.example.com");
  CAF_CHECK_EQUAL(expand("w1@%n"), "w1@box");
  CAF_CHECK_EQUAL(expand("w1@%d"), "w1@example.com");
  CAF_CHECK_EQUAL(expand("%n.w1@%h"), "box.w1@box.example.com");
  CAF_CHECK_EQUAL(expand("w1"), "celery@w1");
  CAF_CHECK_EQUAL(expand("w1@"), "w1@box.example.com");
  CAF_CHECK_EQUAL(expand(""), "celery@box.example.com");
  CAF_CHECK_EQUAL(expand("w1@%h", "box"), "w1@box");
  CAF_CHECK_EQUAL(expand("w%i%I@x"), "w0@x");
}

CAF_TEST(a host without domain has an empty domain) {
  CAF_CHECK_EQUAL(expand("w1@a%d", "box"), "w1@a");
}

CAF_TEST(other names are refused) {
  CAF_CHECK_EQUAL(expand("w1@%x"),
                  "node name 'w1@%x' has '%x'; allowed are %h (host name), %n "
                  "(host name without domain), %d (domain) and %%");
  CAF_CHECK_EQUAL(expand("w1@%"),
                  "node name 'w1@%' ends with '%'; write '%%' for a '%'");
  CAF_CHECK_EQUAL(expand("my worker@%h"),
                  "node name 'my worker@%h' holds white space");
}

CAF_TEST(paths of a node) {
  auto path = [](const std::string& text, const std::string& node) {
    auto result = expand_node_path(text, node_name{node}, "worker_pidfile");
    return result ? *result : result.error().what;
  };
  CAF_CHECK_EQUAL(path("/run/%n.pid", "w1@a.b.org"), "/run/w1.pid");
  CAF_CHECK_EQUAL(path("%h/%d/%p", "w1@a.b.org"), "a.b.org/b.org/w1@a.b.org");
  CAF_CHECK_EQUAL(path("%n%I.log", "w1@a"), "w1.log");
  CAF_CHECK_EQUAL(path("%n-%i.log", "w1@a"), "w1-0.log");
  CAF_CHECK_EQUAL(path("100%%", "w1@a"), "100%");
  CAF_CHECK_EQUAL(path("%z", "w1@a"),
                  "worker_pidfile '%z' has '%z'; allowed are %n (node's name), "
                  "%h (its host), %d (domain), %p (name@host), %i, %I and %%");
}

CAF_TEST(the host name is known) {
  CAF_CHECK(!host_name().empty());
}
