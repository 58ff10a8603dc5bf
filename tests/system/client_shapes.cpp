// A client in C++ that sends workflows of any shape: reads lines `[name, tree]`
// (tests/harness/shapes.py says what trees are), starts them all, and prints a line
// `[name, result]` for each, or the type of the exception that it ended with.
//
//     client_shapes URL [URL of results]
#include "protocol/client/app.hpp"
#include "protocol/task/exceptions.hpp"

#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

using namespace umbel;
using namespace umbel::canvas;
using namespace std::chrono_literals;

namespace {

signature named(const json::value& task) {
  return {.task = std::string{task.as_string()}};
}

std::vector<signature> all_of(const json::value& trees);

signature build(const json::object& tree) {
  if (auto* task = tree.if_contains("task")) {
    auto to = named(*task);
    to.args = tree.at("args").as_array();
    to.immutable = tree.contains("immutable");
    return to;
  }
  auto& [kind, of] = *tree.begin();
  if (kind == "chain") {
    auto steps = all_of(of);
    auto to = steps.front();
    for (size_t i = 1; i < steps.size(); ++i)
      to = to | steps[i];
    return to;
  }
  if (kind == "group")
    return make_group(all_of(of));
  if (kind == "chord")
    return make_chord(make_group(all_of(of.at(0))),
                      build(of.at(1).as_object()));
  auto& items = of.at(1).as_array();
  if (kind == "map")
    return make_xmap(named(of.at(0)), items);
  if (kind == "starmap")
    return make_xstarmap(to_json_value(named(of.at(0))), items);
  return make_chunks(named(of.at(0)), items,
                     static_cast<size_t>(of.at(2).as_int64()));
}

std::vector<signature> all_of(const json::value& trees) {
  std::vector<signature> to;
  for (auto& tree : trees.as_array())
    to.push_back(build(tree.as_object()));
  return to;
}

bool gives_a_group(const signature& x) {
  switch (x.kind) {
    case kind::group:
    case kind::chunks:
      return true;
    case kind::chain:
      return gives_a_group(x.tasks().back());
    case kind::chord:
      return gives_a_group(x.body());
    default:
      return false;
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  app_options options;
  options.broker_url = argv[1];
  options.result_url = argv[argc - 1];
  options.broker.result_url = options.result_url;
  app app{options};
  std::vector<std::pair<json::value, group_result>> started;
  std::vector<bool> single;
  for (std::string line; std::getline(std::cin, line);) {
    auto shape = parse_json(line).value();
    auto x = build(shape.at(1).as_object());
    single.push_back(!gives_a_group(x));
    started.emplace_back(shape.at(0), app.apply_group(x));
  }
  for (size_t i = 0; i < started.size(); ++i) {
    json::value outcome;
    try {
      auto all = started[i].second.get({.timeout = 60s});
      outcome = single[i] ? all.at(0) : json::array(all.begin(), all.end());
    } catch (const exception& e) {
      outcome = json::value(e.type());
    }
    std::printf("%s\n",
                to_json(json::array{started[i].first, outcome}).c_str());
  }
}
