// How quickly messages are published: batches of 512 through the transport
// interface, each safe with the broker before the next one is sent.
//
// Usage: publisher <url> <count> <payload file>
// Prints seconds.
#include "protocol/broker/broker.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr size_t batch_size = 512;

template <class T>
T must(umbel::expected<T> x) {
  if (x)
    return std::move(*x);
  std::fprintf(stderr, "publisher: %s\n", x.error().what.c_str());
  std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: publisher <url> <count> <payload file>\n");
    return 2;
  }
  std::ifstream file{argv[3]};
  std::string payload{std::istreambuf_iterator<char>{file}, {}};
  auto count = std::strtoull(argv[2], nullptr, 10);
  umbel::broker_options options;
  options.node = umbel::node_name{"publisher@bench"};
  options.incarnation = "bench";
  auto broker = must(umbel::connect_broker(argv[1], options));
  umbel::queue_name queue{"celery"};
  if (auto done = broker->declare(std::vector{queue}); !done) {
    std::fprintf(stderr, "publisher: %s\n", done.error().what.c_str());
    return 1;
  }
  std::vector<umbel::outgoing_message> batch(batch_size, {queue, 0, payload});
  auto begin = std::chrono::steady_clock::now();
  for (size_t sent = 0; sent < count; sent += batch_size)
    if (auto done = broker->publish(batch); !done) {
      std::fprintf(stderr, "publisher: %s\n", done.error().what.c_str());
      return 1;
    }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
}
