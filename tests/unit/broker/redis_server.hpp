// A private redis-server for tests: a child process with an empty database and
// no persistence, on a free loopback port and on a unix socket. It is ready
// when the constructor returns, is killed by the destructor, and dies with the
// test process in any case.
#pragma once

#include "tests/unit/broker/private_server.hpp"

#include <cstring>
#include <sys/un.h>

namespace umbel::test {

class redis_server : private_server {
public:
  /// @param options further arguments of redis-server: {"--requirepass", "x"}.
  /// @throws std::runtime_error if no server could be started.
  explicit redis_server(std::vector<std::string> options = {})
      : private_server("redis"), options_(std::move(options)) {
    // Between finding a free port and binding it somebody else may take it.
    for (int attempt = 0; attempt < 10; ++attempt) {
      port_ = free_port();
      if (try_start())
        return;
    }
    throw std::runtime_error("cannot start redis-server");
  }

  ~redis_server() {
    stop();
  }

  int port() const noexcept {
    return port_;
  }

  pid_t pid() const noexcept {
    return pid_;
  }

  std::string socket_path() const {
    return file("s");
  }

  /// "redis://127.0.0.1:PORT/DB", with "user:password@" where given.
  std::string url(int db = 0, const std::string& credentials = {}) const {
    return "redis://" + (credentials.empty() ? "" : credentials + "@")
           + "127.0.0.1:" + std::to_string(port_) + "/" + std::to_string(db);
  }

  /// "redis+socket:///PATH?virtual_host=DB"
  std::string socket_url(int db = 0) const {
    return "redis+socket://" + socket_path()
           + "?virtual_host=" + std::to_string(db);
  }

  /// Kills the server at once; everything in it is gone.
  void stop() {
    kill(pid_);
  }

  /// Starts it again, empty, on the same port.
  void start() {
    if (pid_ <= 0 && !try_start())
      throw std::runtime_error("cannot restart redis-server");
  }

  /// Stops answering without closing anything, as a dead network does.
  void pause() {
    ::kill(pid_, SIGSTOP);
  }

  void resume() {
    ::kill(pid_, SIGCONT);
  }

private:
  bool try_start() {
    std::vector<std::string> args{"redis-server",
                                  "--port",
                                  std::to_string(port_),
                                  "--bind",
                                  "127.0.0.1",
                                  "--unixsocket",
                                  socket_path(),
                                  "--save",
                                  "",
                                  "--appendonly",
                                  "no",
                                  "--daemonize",
                                  "no",
                                  "--dir",
                                  directory_,
                                  "--logfile",
                                  file("log")};
    args.insert(args.end(), options_.begin(), options_.end());
    ::unlink(socket_path().c_str());
    pid_ = spawn({}, std::move(args));
    if (wait_for(pid_, [this] { return answers(); }))
      return true;
    stop();
    return false;
  }

  // Any reply to PING will do: +PONG, or an error that asks for a password.
  bool answers() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(),
                 sizeof(address.sun_path) - 1);
    return says(reinterpret_cast<sockaddr*>(&address), sizeof(address),
                "PING\r\n", "+-");
  }

  std::vector<std::string> options_;
  int port_ = 0;
  pid_t pid_ = -1;
};

} // namespace umbel::test
