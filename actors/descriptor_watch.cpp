#include "actors/descriptor_watch.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace umbel {

namespace {

using caf::io::network::operation;

caf::io::network::default_multiplexer& backend_of(caf::actor_system& system) {
  return dynamic_cast<caf::io::network::default_multiplexer&>(
    system.middleman().backend());
}

} // namespace

/// With a descriptor of its own, because CAF ends the process if it is to forget
/// one that is closed already.
class descriptor_watch::handler : public caf::io::network::event_handler {
public:
  handler(caf::actor_system& system, int fd, std::function<void()> on_readable)
    : event_handler(backend_of(system), caf::io::network::invalid_native_socket),
      watched_(fcntl(fd, F_DUPFD_CLOEXEC, 0)),
      on_readable_(std::move(on_readable)) {
    if (watched_ >= 0)
      backend().add(operation::read, watched_, this);
    else
      spdlog::error("cannot watch a connection: {}", std::strerror(errno));
  }

  ~handler() override {
    if (watched_ >= 0)
      close(watched_);
  }

  void stop() {
    on_readable_ = nullptr;
    if (watched_ >= 0)
      backend().del(operation::read, watched_, this);
  }

  void handle_event(operation) override {
    if (on_readable_)
      on_readable_();
  }

  void removed_from_loop(operation) override {
    // nop
  }

  void graceful_shutdown() override {
    // nop
  }

private:
  int watched_;
  std::function<void()> on_readable_;
};

descriptor_watch::descriptor_watch(caf::actor_system& system, int fd,
                                   std::function<void()> on_readable) {
  if (system.has_middleman())
    handler_ = std::make_shared<handler>(system, fd, std::move(on_readable));
}

descriptor_watch::~descriptor_watch() {
  if (!handler_)
    return;
  handler_->stop();
  // It may be among the events that the multiplexer works on right now.
  handler_->backend().post([keep = std::move(handler_)] {});
}

} // namespace umbel
