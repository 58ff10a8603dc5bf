#include "actors/pool/fork_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace umbel {

// -- ticket -----------------------------------------------------------------------

fork_line::ticket::ticket(std::shared_ptr<fork_line> line, uint32_t slot)
  : line_(std::move(line)), slot_(slot) {
}

fork_line::ticket::~ticket() {
  line_->release(slot_, taken_);
}

std::optional<pid_t> fork_line::ticket::take() noexcept {
  auto pid = line_->slots_[slot_].load();
  if (pid == 0 || pid == fork_server::no_process)
    return std::nullopt;
  if (!taken_) {
    taken_ = true;
    ++line_->started_;
  }
  return static_cast<pid_t>(pid);
}

// -- constructors, destructors, and assignment operators ------------------------

expected<std::shared_ptr<fork_line>> fork_line::make(int socket, int slots) {
  auto memory = mmap(nullptr, fork_server::slots_bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED, slots, 0);
  if (memory == MAP_FAILED)
    return error{errc::unavailable,
                 fmt::format("cannot share memory with a fork server: {}",
                             strerror(errno))};
  return std::shared_ptr<fork_line>{
    new fork_line(socket, static_cast<fork_server::slot*>(memory))};
}

fork_line::fork_line(int socket, fork_server::slot* slots)
  : socket_(socket), slots_(slots), asked_(fork_server::slots_max) {
  for (auto i = static_cast<uint32_t>(fork_server::slots_max); i > 0; --i)
    free_.push_back(i - 1);
}

fork_line::~fork_line() {
  munmap(slots_, fork_server::slots_bytes);
}

// -- for child workers ------------------------------------------------------------

std::shared_ptr<fork_line::ticket> fork_line::request(int socket,
                                                      time_point now) {
  if (closed_ || free_.empty())
    return nullptr;
  auto slot = free_.back();
  slots_[slot].store(0);
  fork_server::request body{slot, brief_ ? 1u : 0u};
  iovec data{&body, sizeof(body)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  packet.msg_control = control;
  packet.msg_controllen = sizeof(control);
  auto header = CMSG_FIRSTHDR(&packet);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &socket, sizeof(int));
  if (sendmsg(socket_, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return nullptr;
  free_.pop_back();
  asked_[slot] = now;
  if (!watched_ && wake_) {
    watched_ = true;
    wake_();
  }
  return std::make_shared<ticket>(shared_from_this(), slot);
}

void fork_line::make_free(uint32_t slot) {
  asked_[slot].reset();
  free_.push_back(slot);
}

void fork_line::release(uint32_t slot, bool taken) {
  if (taken)
    make_free(slot);
  else
    abandoned_.push_back(slot);
}

// -- for the fork server's actor --------------------------------------------------

bool fork_line::look() {
  std::erase_if(abandoned_, [this](uint32_t slot) {
    auto pid = slots_[slot].load();
    if (pid == 0 && !closed_)
      return false;
    if (pid != 0 && pid != fork_server::no_process) {
      // It leaves when it finds its socket closed; no longer than until now.
      kill(static_cast<pid_t>(pid), SIGKILL);
      if (waitpid(static_cast<pid_t>(pid), nullptr, closed_ ? 0 : WNOHANG) == 0)
        return false;
    }
    make_free(slot);
    return true;
  });
  watched_ = free_.size() < fork_server::slots_max;
  return watched_;
}

bool fork_line::is_stuck(time_point since) const {
  for (uint32_t i = 0; i < asked_.size(); ++i)
    if (asked_[i] && *asked_[i] < since && slots_[i].load() == 0)
      return true;
  return false;
}

void fork_line::close() {
  closed_ = true;
  wake_ = nullptr;
  look();
}

} // namespace umbel
