// `umbel amqp`: looks after exchanges and queues, as `celery amqp` does.
// `umbel list bindings`: which queue hears what.
#pragma once

#include "apps/options.hpp"

#include <string>
#include <vector>

namespace umbel::client {

/// What `umbel amqp` knows, a line each.
std::string help_of_amqp();

/// Carries out one command: "queue.purge", "celery". Without words it reads
/// commands from standard input, a line each, and goes on after one that fails.
int run_amqp(const std::string& name, const options& given,
             const std::vector<std::string>& words);

int list_bindings(const std::string& name, const options& given);

} // namespace umbel::client
