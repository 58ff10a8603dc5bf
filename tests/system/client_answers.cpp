// A client in C++: sends one of each kind of workflow to whatever workers there
// are, and prints a line of JSON for each: its name and what came back.
//
//     client_answers URL [URL of results]
#include "protocol/client/app.hpp"
#include "protocol/task/exceptions.hpp"

#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace umbel;
using namespace umbel::canvas;
using namespace std::chrono_literals;

namespace {

void tell(const std::string& name, const json::value& result) {
  std::printf("%s\n", to_json(json::array{json::value(name), result}).c_str());
}

/// What a function returns, or the exception that it throws.
void tell(const std::string& name, const std::function<json::value()>& f) {
  try {
    tell(name, f());
  } catch (const exception& e) {
    tell(name, json::object{{"type", e.type()},
                            {"args", e.args()},
                            {"module", e.module()}});
  }
}

/// Many threads at once over one connection. @returns how many calls were right
int many_threads(const remote_task<number(number, number)>& add) {
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int j = 0; j < 25; ++j)
        right += add.delay(i, j).get(60s) == number{i + j};
    });
  for (auto& x : threads)
    x.join();
  return right;
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
  auto add = app.task<number(number, number)>("tasks.add");
  auto mul = app.task<number(number, number)>("tasks.mul");
  auto xsum = app.task<number(std::vector<number>)>("tasks.xsum");
  auto fail = app.task<void(std::string)>("tasks.fail");
  auto ended = get_options{.timeout = 60s};
  auto result_of = [&](const signature& x) {
    return [&, x]() -> json::value {
      if (x.kind != kind::group && x.kind != kind::chunks)
        return app.apply(x).get(ended);
      json::array all;
      for (auto& one : app.apply_group(x).get(ended))
        all.push_back(one);
      return all;
    };
  };
  tell("typed", to_json_value(add.delay(4, 4).get(60s)));
  tell("options", [&]() -> json::value {
    auto result = add.with({.task_id = "chosen", .countdown = 0.1s}, 1, 2);
    return json::array{json::value(result.id()),
                       to_json_value(result.get(60s)),
                       json::value(result.state()), result.info()};
  });
  tell("chain", result_of(add.s(1, 1) | add.s(10) | mul.s(3)));
  tell("group", result_of(make_group({add.s(1, 1), add.s(2, 2)})));
  tell("failure", result_of(signature{.task = "tasks.fail", .args = {"no"}}));
  tell("timeout", [&]() -> json::value {
    return app.result("nobody").get({.timeout = 50ms});
  });
  tell("threads", json::value(many_threads(add)));
  if (options.result_url == "rpc://") // nobody counts chords
    return 0;
  auto header = make_group({add.s(1, 1), mul.s(3, 4), add.s(2, 2)});
  tell("chord", result_of(make_chord(header, xsum.s())));
  tell("group and task", result_of(header | xsum.s() | add.s(100)));
  tell("task, group, task",
       result_of(add.s(1, 1) | make_group({add.s(1), mul.s(3)}) | xsum.s()));
  tell("chord of chains",
       result_of(make_chord(make_group({add.s(1, 1) | add.s(1),
                                        header | xsum.s()}),
                            xsum.s() | mul.s(2))));
  tell("map", result_of(make_xmap(xsum.s(), {{1, 2}, {3, 4}})));
  tell("starmap",
       result_of(make_xstarmap(to_json_value(add.s()), {{1, 2}, {3, 4}})));
  tell("chunks",
       result_of(make_chunks(add.s(), {{1, 2}, {3, 4}, {5, 6}}, 2)));
  tell("failed step", result_of(fail.s("no") | add.s(1)));
  tell("failed part", [&]() -> json::value {
    auto result = app.apply(make_chord(
        make_group({add.s(1, 1), fail.s("no")}), xsum.s()));
    try {
      return result.get(ended);
    } catch (const exception& e) {
      return json::value(e.type());
    }
  });
  tell("callbacks", [&]() -> json::value {
    auto callback = add.s(5);
    callback.options["task_id"] = "callback";
    auto parent = add.with({.link = {callback}}, 1, 1);
    auto value = app.result("callback").get(ended);
    parent.async_result::get(ended);
    return json::array{value, json::value(parent.children().at(0).id())};
  });
  tell("forgotten", [&]() -> json::value {
    auto result = add.delay(1, 1);
    result.get(60s);
    result.forget();
    return json::value(result.state());
  });
  tell("revoked", [&]() -> json::value {
    auto result = add.with({.countdown = 8s}, 1, 1);
    result.revoke();
    return result.async_result::get(ended);
  });
  tell("saved group", [&]() -> json::value {
    auto group = app.apply_group(make_group({add.s(1, 1), add.s(2, 2)}));
    group.save();
    auto found = app.restore_group(group.id());
    auto values = found->get(ended);
    group.erase();
    values.push_back(json::value(app.restore_group(group.id()).has_value()));
    return json::array(values.begin(), values.end());
  });
  tell("collected", [&]() -> json::value {
    auto last = app.apply(add.s(1, 1) | add.s(10) | mul.s(3));
    last.get(ended);
    auto second = std::get<async_result>(*last.parent());
    json::array values;
    for (auto& [result, value] :
         std::get<async_result>(*second.parent()).collect(ended))
      values.push_back(value);
    return values;
  });
  tell("pipeline", [&]() -> json::value {
    auto calls = add.pipeline();
    std::vector<typed_result<number>> results;
    for (int i = 0; i < 600; ++i)
      results.push_back(calls.delay(i, 1));
    calls.flush();
    int right = 0;
    for (int i = 0; i < 600; ++i)
      right += results[size_t(i)].get(60s) == number{i + 1};
    return right;
  });
}
