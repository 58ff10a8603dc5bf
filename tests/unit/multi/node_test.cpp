#define CAF_SUITE node

#include "tests/unit/dsl.hpp"

#include "apps/multi/node.hpp"

using namespace umbel;
using namespace umbel::multi;

namespace {

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> result{""};
  for (auto c : text)
    if (c == ' ')
      result.emplace_back();
    else
      result.back() += c;
  return result;
}

expected<std::vector<node>> nodes(const std::string& text) {
  auto args = parse(words(text));
  if (!args)
    return args.error();
  return nodes_of(*args, {"box.org", "/bin/umbel"});
}

/// The names.
std::string names(const std::string& text) {
  auto xs = nodes(text);
  if (!xs)
    return xs.error().what;
  std::string result;
  for (auto& x : *xs)
    result += (result.empty() ? "" : " ") + x.name;
  return result;
}

/// The value of -c for each node.
std::string sizes(const std::string& text) {
  auto xs = nodes(text);
  if (!xs)
    return xs.error().what;
  std::string result;
  for (auto& x : *xs) {
    auto i = std::find(x.args.begin(), x.args.end(), "-c");
    result += (result.empty() ? "" : " ")
              + (i == x.args.end() ? std::string{"none"} : *(i + 1));
  }
  return result;
}

node only(const std::string& text) {
  auto xs = nodes(text);
  if (!xs || xs->size() != 1)
    CAF_FAIL("not one node: " << text);
  return xs->front();
}

} // namespace

CAF_TEST(names of nodes) {
  CAF_CHECK_EQUAL(names("w1 w2"), "w1@box.org w2@box.org");
  CAF_CHECK_EQUAL(names("2"), "celery1@box.org celery2@box.org");
  CAF_CHECK_EQUAL(names("2 --range-prefix=w"), "w1@box.org w2@box.org");
  CAF_CHECK_EQUAL(names("w1 w2 --prefix=x"), "xw1@box.org xw2@box.org");
  CAF_CHECK_EQUAL(names("2 --hostname=h"), "celery1@h celery2@h");
  CAF_CHECK_EQUAL(names("w1 -n h"), "w1@h");
  CAF_CHECK_EQUAL(names("w1 --suffix=s"), "w1@s");
  CAF_CHECK_EQUAL(names("w1 --suffix=\"\""), "w1@");
  CAF_CHECK_EQUAL(names("w1@h w2@%h w3@%n w4@%d"),
                  "w1@h w2@box.org w3@box w4@org");
}

CAF_TEST(options for some nodes) {
  CAF_CHECK_EQUAL(sizes("3 -c 3 -c:1 10"), "10 3 3");
  CAF_CHECK_EQUAL(sizes("3 -c:1-2 10"), "10 10 none");
  CAF_CHECK_EQUAL(sizes("5 -c 3 -c:1-2,4 10"), "10 10 3 10 3");
  CAF_CHECK_EQUAL(sizes("a b d -c 3 -c:b 10"), "3 10 3");
  CAF_CHECK_EQUAL(sizes("a b d -c 3 -c:a,d 10"), "10 3 10");
  CAF_CHECK_EQUAL(sizes("a b d -c 3 -c:2 10"), "3 10 3");
  CAF_CHECK_EQUAL(sizes("a@x b@x -c:a@x 10"), "10 none");
  CAF_CHECK_EQUAL(sizes("a@x b@x -c:b 10"), "none 10");
  CAF_CHECK_EQUAL(sizes("my-node -c:my-node 3"), "3");
}

CAF_TEST(what means no node) {
  CAF_CHECK_EQUAL(sizes("3 -c:0 1"), "indices start at 1, not at 0");
  CAF_CHECK_EQUAL(sizes("3 -c:4 1"), "there is no node number 4: there are 3");
  CAF_CHECK_EQUAL(names("0"), "'0' is not a number of nodes from 1 to 4096");
  CAF_CHECK_EQUAL(sizes("3 -c:1-99999 1"),
                  "'1-99999' is not a range of nodes, such as 1-3");
  CAF_CHECK(names("w1@%z").find("has '%z'") != std::string::npos);
}

CAF_TEST(the command line of a worker) {
  CAF_CHECK_EQUAL(only("w1 -c 3").str(),
                  "/bin/umbel worker --detach -c 3 -n w1@box.org "
                  "--pidfile=w1.pid --logfile=w1%I.log "
                  "--executable=/bin/umbel");
  CAF_CHECK_EQUAL(only("w1 -A proj --workdir=/srv --pidfile=/run/%n.pid -f x -E")
                    .str(),
                  "/bin/umbel --workdir=/srv -A proj worker --detach "
                  "--pidfile=/run/w1.pid -f x -E -n w1@box.org "
                  "--executable=/bin/umbel");
  CAF_CHECK_EQUAL(only("w1 --cmd=worker --append=%n.x=1 -p x -f y -- a=1").str(),
                  "/bin/umbel worker -f y -n w1@box.org "
                  "--executable=/bin/umbel --pidfile=x -- a=1 w1.x=1");
}

CAF_TEST(a signal is no option of the workers) {
  CAF_CHECK_EQUAL(only("w1 -c 3 -QUIT -9").str(), only("w1 -c 3").str());
}

CAF_TEST(words are quoted when a shell would not take them as they are) {
  arguments args;
  args.names = {"w1"};
  args.options.set("--logfile", "my log's");
  auto xs = nodes_of(args, {"h", "/bin/umbel"});
  CAF_REQUIRE(xs.has_value());
  CAF_CHECK(xs->front().str().find(" '--logfile=my log'\\''s' ")
            != std::string::npos);
}

CAF_TEST(where files are) {
  CAF_CHECK_EQUAL(only("w1").pidfile, "w1.pid");
  CAF_CHECK_EQUAL(only("w1").logfile, "w1.log");
  CAF_CHECK_EQUAL(only("w1 --workdir=/srv").pidfile, "/srv/w1.pid");
  CAF_CHECK_EQUAL(only("w1 --workdir=/srv --pidfile=/run/%n-%i.pid").pidfile,
                  "/run/w1-0.pid");
  CAF_CHECK_EQUAL(only("w1 -p /run/x").pidfile, "/run/x");
}

CAF_TEST(letters) {
  auto x = only("w1@a.org");
  CAF_CHECK_EQUAL(x.expand("%n %N %h %p %d"),
                  "w1 w1 w1@a.org w1@a.org a.org");
  CAF_CHECK_EQUAL(x.expand("%i%I %% %%n %z redis://:p%40s@h %"),
                  "%i%I %% %%n %z redis://:p%40s@h %");
}
