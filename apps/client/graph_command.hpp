// `umbel graph workers`: a picture of the cluster for Graphviz, as `celery graph
// workers` draws it.
#pragma once

#include "apps/options.hpp"

#include <chrono>
#include <string>

namespace umbel::client {

/// Prints it in the language of `dot`: the broker, who consumes from it with how
/// many children, and the result store.
/// @param timeout how long workers may take to answer
int graph_workers(const std::string& name, const options& given,
                  std::chrono::milliseconds timeout);

} // namespace umbel::client
