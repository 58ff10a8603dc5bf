#include "actors/worker.hpp"

#include "actors/multiplexer_scheduler.hpp"
#include "actors/root.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/watch.hpp"
#include "actors/worker_tree.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <spdlog/spdlog.h>

#include <memory>
#include <thread>

namespace umbel {

namespace {

using namespace std::chrono_literals;

root_options options_of_root(const worker_config& config,
                             const child_factory& children,
                             std::shared_ptr<fork_lines> lines,
                             std::shared_ptr<call_table> calls,
                             const worker_memory& memory) {
  root_options result;
  result.soft_shutdown_timeout = config.settings.worker_soft_shutdown_timeout;
  result.soft_shutdown_on_idle =
      config.settings.worker_enable_soft_shutdown_on_idle;
  result.notify = config.notify;
  result.start_tree = [=, &config](caf::event_based_actor* self) {
    supervisor_flags flags;
    flags.strategy = strategy::one_for_all;
    flags.intensity = {3, 60s};
    return self->spawn(supervisor, "worker", flags,
                       worker_specs(config, children, lines, calls, memory,
                                    self));
  };
  return result;
}

/// Whether all actors end soon after the root. One that its supervisor had to leave
/// behind does not, until the broker answers or a time limit of minutes is over.
bool all_end(caf::actor_system& system) {
  auto deadline = std::chrono::steady_clock::now() + 1s;
  while (system.registry().running() > 0) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

} // namespace

worker_end run_worker(const worker_config& config) {
  auto calls = std::make_shared<call_table>();
  auto lines = make_fork_lines(config);
  auto made = make_children(config, lines, calls);
  if (!made) {
    spdlog::critical("{}", made.error().what);
    return {worker_end::finished, 1};
  }
  auto children = std::make_unique<child_factory>(std::move(*made));
  auto memory = open_memory(config);
  if (!memory) {
    spdlog::critical("{}", memory.error().what);
    return {worker_end::finished, 1};
  }
  auto main = std::make_shared<watch>(config);
  auto system_config = std::make_unique<caf::actor_system_config>();
  system_config->load<multiplexer_scheduler>().load<caf::io::middleman>();
  system_config->set("middleman.workers", size_t{0});
  auto system = std::make_unique<caf::actor_system>(*system_config);
  auto result = [&] {
    auto hdl = system->spawn(
        root, options_of_root(config, *children, lines, calls, *memory));
    hdl->attach_functor([main](const caf::error& x) { main->on_end(x); });
    return main->run(*system, hdl);
  }();
  auto leave = result.how == worker_end::at_once || !all_end(*system);
  if (leave && result.how == worker_end::finished)
    result.how = worker_end::at_once;
  // They would wait for every actor and thread to end. The process is about to.
  if (leave) {
    [[maybe_unused]] auto threads = children.release();
    [[maybe_unused]] auto leaked = system.release();
    [[maybe_unused]] auto too = system_config.release();
  }
  return result;
}

} // namespace umbel
