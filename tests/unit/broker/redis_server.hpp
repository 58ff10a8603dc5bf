// A private redis-server for tests: a child process with an empty database and
// no persistence, on a free loopback port and on a unix socket. It is ready
// when the constructor returns, is killed by the destructor, and dies with the
// test process in any case.
//
// Header-only, so that every test executable can include it.
#pragma once

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace umbel::test {

class redis_server {
public:
  /// @param options further arguments of redis-server: {"--requirepass", "x"}.
  /// @throws std::runtime_error if no server could be started.
  explicit redis_server(std::vector<std::string> options = {})
      : options_(std::move(options)) {
    char name[] = "/tmp/redis-test-XXXXXX";
    if (!::mkdtemp(name))
      throw std::runtime_error("cannot create a directory for redis-server");
    directory_ = name;
    // Between finding a free port and binding it somebody else may take it.
    for (int attempt = 0; attempt < 10; ++attempt) {
      port_ = free_port();
      if (try_start())
        return;
    }
    remove_directory();
    throw std::runtime_error("cannot start redis-server");
  }

  redis_server(const redis_server&) = delete;
  redis_server& operator=(const redis_server&) = delete;

  ~redis_server() {
    stop();
    remove_directory();
  }

  int port() const noexcept {
    return port_;
  }

  pid_t pid() const noexcept {
    return pid_;
  }

  std::string socket_path() const {
    return directory_ + "/s";
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
    if (pid_ <= 0)
      return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
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
  static int free_port() {
    auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    auto ok = fd >= 0 && ::bind(fd, generic, size) == 0
              && ::getsockname(fd, generic, &size) == 0;
    if (fd >= 0)
      ::close(fd);
    if (!ok)
      throw std::runtime_error("no free loopback port");
    return ntohs(address.sin_port);
  }

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
                                  directory_ + "/log"};
    args.insert(args.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (auto& arg : args)
      argv.push_back(arg.data());
    argv.push_back(nullptr);
    ::unlink(socket_path().c_str());
    auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent)
        ::_exit(127);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    // Ten seconds are enough on a machine that is busy with other things.
    for (int i = 0; pid_ > 0 && i < 2000; ++i) {
      if (answers())
        return true;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      ::poll(nullptr, 0, 5);
    }
    stop();
    return false;
  }

  // Any reply to PING will do: +PONG, or an error that asks for a password.
  bool answers() const {
    auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(),
                 sizeof(address.sun_path) - 1);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    char answer = 0;
    auto ok = fd >= 0 && ::connect(fd, generic, sizeof(address)) == 0
              && ::write(fd, "PING\r\n", 6) == 6 && ::read(fd, &answer, 1) == 1
              && (answer == '+' || answer == '-');
    if (fd >= 0)
      ::close(fd);
    return ok;
  }

  void remove_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::vector<std::string> options_;
  std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

} // namespace umbel::test
