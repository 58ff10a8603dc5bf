// The floor of throughput: reserve 64 messages, settle 64 messages, in a bare
// loop on one connection, with the same scripts as the worker's. No task runs
// and no actor or process is involved; a worker on the same broker cannot be
// quicker than this, unless it overlaps the two round trips.
//
// Usage: floor <url> <count> ack|results
// Prints the seconds from the first reservation to the last settlement.
#include "protocol/broker/broker.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t batch_size = 64;

/// The id in a message of the real client, found without parsing it.
umbel::task_id id_of(std::string_view payload) {
  constexpr std::string_view key = "\"id\": \"";
  return umbel::task_id{
      std::string{payload.substr(payload.find(key) + key.size(), 36)}};
}

umbel::settlement settle(umbel::delivery& x, bool with_result) {
  umbel::settlement result;
  result.tag = std::move(x.tag);
  result.queue = std::move(x.queue);
  if (with_result) {
    auto id = id_of(x.payload);
    auto document = R"({"status": "SUCCESS", "result": 8, "traceback": null, )"
                    R"("children": [], "date_done": )"
                    R"("2026-01-01T00:00:00.000000+00:00", "task_id": ")"
                    + id.str() + "\"}";
    result.result = umbel::result_record{std::move(id), std::move(document)};
  }
  return result;
}

[[noreturn]] void give_up(const umbel::error& x) {
  std::fprintf(stderr, "floor: %s\n", to_string(x).c_str());
  std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: floor <url> <count> ack|results\n");
    return 2;
  }
  auto count = std::strtoul(argv[2], nullptr, 10);
  auto with_results = std::string_view{argv[3]} == "results";
  umbel::broker_options options;
  options.node = umbel::node_name{"floor@localhost"};
  options.incarnation = "floor";
  options.queues = {umbel::queue_name{"celery"}};
  options.result_url = argv[1];
  auto connected = umbel::connect_broker(argv[1], options);
  if (!connected)
    give_up(connected.error());
  auto& broker = **connected;
  if (auto renewed = broker.renew({}); !renewed)
    give_up(renewed.error());
  auto begin = std::chrono::steady_clock::now();
  size_t done = 0;
  std::vector<umbel::settlement> batch;
  while (done < count) {
    auto reserved = broker.reserve(batch_size);
    if (!reserved)
      give_up(reserved.error());
    if (reserved->empty()) {
      std::fprintf(stderr, "floor: %zu messages only\n", done);
      return 1;
    }
    batch.clear();
    for (auto& x : *reserved)
      batch.push_back(settle(x, with_results));
    auto settled = broker.settle(batch);
    if (!settled)
      give_up(settled.error());
    done += batch.size();
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
}
