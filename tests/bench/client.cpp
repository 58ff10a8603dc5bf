// How quickly a client in C++ sends tasks, and how long workflows take.
//
// Usage: client <url> calls <count>             calls of a pipeline, none waits
//        client <url> single <count>            each call waits for the broker
//        client <url> floor <count> <payload>   bare LPUSH of that file, pipelined
//        client <url> chord <parts>             with results, workers are needed
//        client <url> chain <steps>
// Prints seconds, from the first call to the last one's arrival or result.
#include "protocol/client/app.hpp"

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

using namespace umbel;

namespace {

// What may be under way without an answer, as with `call_pipeline`.
constexpr size_t window = 512;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "client: %s\n", what.c_str());
  std::exit(1);
}

void push_bare(const std::string& url, size_t count, const char* file) {
  std::ifstream in{file};
  std::string payload{std::istreambuf_iterator<char>{in}, {}};
  auto port = std::atoi(url.substr(url.rfind(':') + 1).c_str());
  auto* redis = redisConnect("127.0.0.1", port);
  if (!redis || redis->err != 0)
    give_up("no Redis at " + url);
  for (size_t sent = 0; sent < count;) {
    auto end = std::min(count, sent + window);
    auto first = sent;
    for (; sent < end; ++sent)
      redisAppendCommand(redis, "LPUSH celery %b", payload.data(),
                         payload.size());
    for (; first < end; ++first) {
      void* answer = nullptr;
      if (redisGetReply(redis, &answer) != REDIS_OK)
        give_up("the connection is lost");
      freeReplyObject(answer);
    }
  }
  redisFree(redis);
}

void run_chord(const app& app, size_t parts) {
  auto add = app.task<number(number, number)>("tasks.add");
  auto xsum = app.task<number(std::vector<number>)>("tasks.xsum");
  std::vector<canvas::signature> header;
  for (size_t i = 0; i < parts; ++i)
    header.push_back(add.s(int64_t(i), 1));
  auto x = canvas::make_chord(canvas::make_group(header), xsum.s());
  auto sum = typed_result<int64_t>{app.apply(std::move(x))}.get();
  auto n = int64_t(parts);
  if (sum != n * (n - 1) / 2 + n)
    give_up("the sum is " + std::to_string(sum));
}

void run_chain(const app& app, size_t steps) {
  auto add = app.task<number(number, number)>("tasks.add");
  std::vector<canvas::signature> all{add.s(0, 1)};
  while (all.size() < steps)
    all.push_back(add.s(1));
  auto last = typed_result<int64_t>{app.apply(canvas::make_chain(all))}.get();
  if (last != int64_t(steps))
    give_up("the end is " + std::to_string(last));
}

void run(const app& app, const std::string& url, std::string_view what,
         size_t count, const char* file) {
  auto add = app.task<int(int, int)>("tasks.add");
  if (what == "calls") {
    auto calls = add.pipeline();
    for (size_t i = 0; i < count; ++i)
      calls.delay(4, 4);
    calls.flush();
  } else if (what == "single") {
    for (size_t i = 0; i < count; ++i)
      add.delay(4, 4);
  } else if (what == "floor" && file) {
    push_bare(url, count, file);
  } else if (what == "chord") {
    run_chord(app, count);
  } else if (what == "chain") {
    run_chain(app, count);
  } else {
    give_up("see the first lines of client.cpp");
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4)
    give_up("see the first lines of client.cpp");
  app_options options;
  options.broker_url = argv[1];
  options.result_url = argv[1];
  options.broker.result_url = argv[1];
  app app{options};
  auto begin = std::chrono::steady_clock::now();
  try {
    run(app, argv[1], argv[2], std::strtoull(argv[3], nullptr, 10), argv[4]);
  } catch (const umbel::exception& e) {
    give_up(e.type() + ": " + e.what());
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
}
