// A TCP proxy that delays every byte by a fixed time and limits nothing else:
// what a network between worker and broker does, and what loopback hides.
//
// Usage: delay_proxy <listen port> <target port> <microseconds each way>
//
// One thread. A pipe is one direction of one connection: chunks of bytes, each
// with the moment when it may go on. One timer is set to the earliest moment.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

/// Bytes that a pipe holds at most before it stops reading for a while: far
/// above what is in flight within the delay, so that this never limits
/// bandwidth.
constexpr size_t pipe_capacity = 256u << 20;

/// Bytes read at once.
constexpr size_t read_size = 1u << 20;

struct chunk {
  clock_type::time_point due;
  std::vector<char> bytes;
  size_t sent = 0;
};

struct connection;

/// Reads from one socket, writes to the other some time later.
struct pipe {
  int from = -1;
  int to = -1;
  connection* owner = nullptr;
  std::deque<chunk> chunks;
  size_t held = 0;
  bool ended = false;   ///< `from` was closed by its peer
  bool full = false;    ///< stopped reading at `pipe_capacity`
  bool blocked = false; ///< `to` takes nothing at the moment
};

struct connection {
  std::array<pipe, 2> pipes;
  bool broken = false;
};

class proxy {
public:
  proxy(int target_port, clock_type::duration delay)
      : target_port_(target_port), delay_(delay), buffer_(read_size) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(timer_, EPOLLIN);
  }

  bool listen_on(int port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    auto address = loopback(port);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address))
            != 0
        || listen(listener_, 64) != 0)
      return false;
    watch(listener_, EPOLLIN);
    return true;
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 64> events;
    for (;;) {
      auto n = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < n; ++i)
        handle(events[static_cast<size_t>(i)]);
      forward_what_is_due();
      close_finished();
      set_timer();
    }
  }

private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void watch(int fd, uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void handle(const epoll_event& event) {
    auto fd = event.data.fd;
    if (fd == listener_) {
      accept_one();
    } else if (fd == timer_) {
      uint64_t expirations = 0;
      [[maybe_unused]] auto n = read(timer_, &expirations, sizeof(expirations));
    } else if (auto i = readers_.find(fd); i != readers_.end()) {
      if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        receive(*i->second);
      if (event.events & EPOLLOUT)
        writers_.at(fd)->blocked = false;
    }
  }

  void accept_one() {
    auto client =
        accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
      return;
    auto server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(target_port_);
    if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address))
        != 0) {
      close(client);
      close(server);
      return;
    }
    auto made = std::make_unique<connection>();
    made->pipes[0].from = made->pipes[1].to = client;
    made->pipes[1].from = made->pipes[0].to = server;
    int yes = 1;
    for (auto& p : made->pipes) {
      p.owner = made.get();
      readers_[p.from] = &p;
      writers_[p.to] = &p;
      setsockopt(p.from, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
      watch(p.from, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }
    connections_.push_back(std::move(made));
  }

  /// Edge-triggered, hence until nothing is left.
  void receive(pipe& p) {
    while (!p.ended) {
      p.full = p.held >= pipe_capacity;
      if (p.full)
        return;
      auto n = recv(p.from, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (n > 0) {
        auto size = static_cast<size_t>(n);
        p.chunks.push_back({clock_type::now() + delay_,
                            {buffer_.data(), buffer_.data() + size}});
        p.held += size;
      } else if (n == 0) {
        p.ended = true;
      } else if (errno == EAGAIN) {
        return;
      } else {
        p.owner->broken = true;
        return;
      }
    }
  }

  void forward_what_is_due() {
    auto now = clock_type::now();
    for (auto& c : connections_)
      for (auto& p : c->pipes)
        forward_what_is_due(p, now);
  }

  void forward_what_is_due(pipe& p, clock_type::time_point now) {
    while (!p.blocked && !p.chunks.empty() && p.chunks.front().due <= now)
      forward(p);
    if (p.full)
      receive(p);
  }

  void forward(pipe& p) {
    auto& first = p.chunks.front();
    auto n = send(p.to, first.bytes.data() + first.sent,
                  first.bytes.size() - first.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      p.blocked = true;
    } else if (n < 0) {
      p.owner->broken = true;
      p.chunks.clear();
    } else {
      first.sent += static_cast<size_t>(n);
      p.held -= static_cast<size_t>(n);
      if (first.sent == first.bytes.size())
        p.chunks.pop_front();
    }
  }

  void close_finished() {
    std::erase_if(connections_, [this](auto& c) {
      auto idle = [](const pipe& p) { return p.chunks.empty(); };
      auto& [up, down] = c->pipes;
      if (!c->broken && !((up.ended || down.ended) && idle(up) && idle(down)))
        return false;
      for (auto& p : c->pipes) {
        readers_.erase(p.from);
        writers_.erase(p.to);
      }
      close(up.from);
      close(down.from);
      return true;
    });
  }

  void set_timer() {
    auto earliest = clock_type::time_point::max();
    for (auto& c : connections_)
      for (auto& p : c->pipes)
        if (!p.blocked && !p.chunks.empty())
          earliest = std::min(earliest, p.chunks.front().due);
    if (earliest == clock_type::time_point::max())
      return;
    auto ns = earliest.time_since_epoch().count();
    itimerspec when{};
    when.it_value.tv_sec = ns / 1'000'000'000;
    when.it_value.tv_nsec = ns % 1'000'000'000;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  int target_port_;
  clock_type::duration delay_;
  std::vector<char> buffer_;
  int epoll_ = -1;
  int timer_ = -1;
  int listener_ = -1;
  std::vector<std::unique_ptr<connection>> connections_;
  std::unordered_map<int, pipe*> readers_;
  std::unordered_map<int, pipe*> writers_;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: delay_proxy <listen port> <target port> "
                         "<microseconds each way>\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1000);   // wake within a microsecond, not fifty
  prctl(PR_SET_PDEATHSIG, SIGTERM); // end with the benchmark
  proxy it{std::atoi(argv[2]), std::chrono::microseconds{std::atoi(argv[3])}};
  if (!it.listen_on(std::atoi(argv[1]))) {
    std::perror("delay_proxy: cannot listen");
    return 1;
  }
  it.run();
}
