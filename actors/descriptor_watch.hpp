// descriptor watch: tells when there is something to read from a descriptor, on
// the multiplexer's thread.
//
// For actors that live on that thread and read for themselves, where a broker of
// CAF would read for them. Make and destroy it there.
#pragma once

#include <functional>
#include <memory>

namespace caf {

class actor_system;

} // namespace caf

namespace umbel {

class descriptor_watch {
public:
  /// @param system if it has no middleman, nothing is ever told: for tests
  /// @param fd stays the caller's, who may close it at any time
  /// @param on_readable is called as long as there is something to read, between
  ///                    the turns of actors; to send a message is enough
  descriptor_watch(caf::actor_system& system, int fd,
                   std::function<void()> on_readable);

  descriptor_watch(const descriptor_watch&) = delete;
  descriptor_watch& operator=(const descriptor_watch&) = delete;
  ~descriptor_watch();

private:
  class handler;

  std::shared_ptr<handler> handler_;
};

} // namespace umbel
