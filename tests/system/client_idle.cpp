// A client in C++ that does something else before it asks for its result: sends a
// task, prints its id, waits for a line, prints the result.
//
//     client_idle URL URL-of-results
#include "protocol/client/app.hpp"
#include "protocol/task/exceptions.hpp"

#include <cstdio>
#include <iostream>
#include <string>

using namespace umbel;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  app_options options{.broker_url = argv[1], .result_url = argv[2]};
  options.broker.heartbeat = 2s; // what nobody sends
  app app{options};
  auto sent = app.send_task("tasks.add", {4, 4});
  std::printf("%s\n", sent.id().c_str());
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
  std::printf("%s\n", to_json(sent.get({.timeout = 60s})).c_str());
}
