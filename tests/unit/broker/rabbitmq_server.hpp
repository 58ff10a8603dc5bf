// A private rabbitmq-server for tests: a node of its own with a name, ports and
// directories that nobody else uses, and an epmd of its own. It is ready when the
// constructor returns (that takes seconds: start one for many tests), and is killed by the destructor.
//
// Header-only, so that every test executable can include it.
#pragma once

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace umbel::test {

class rabbitmq_server {
public:
  /// @throws std::runtime_error if no server could be started.
  rabbitmq_server() {
    char name[] = "/tmp/rabbitmq-test-XXXXXX";
    if (!::mkdtemp(name))
      throw std::runtime_error("cannot create a directory for rabbitmq-server");
    directory_ = name;
    // Between finding a free port and binding it somebody else may take it.
    for (int attempt = 0; attempt < 3; ++attempt)
      if (try_start())
        return;
    remove_directory();
    throw std::runtime_error("cannot start rabbitmq-server");
  }

  rabbitmq_server(const rabbitmq_server&) = delete;
  rabbitmq_server& operator=(const rabbitmq_server&) = delete;

  ~rabbitmq_server() {
    stop();
    remove_directory();
  }

  /// "amqp://127.0.0.1:PORT//"
  std::string url() const {
    return "amqp://127.0.0.1:" + std::to_string(port_) + "//";
  }

  int port() const noexcept {
    return port_;
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
    port_ = free_port();
    auto names = std::to_string(free_port());
    // Otherwise the node would start a daemon that outlives it.
    epmd_ = spawn({}, {"epmd", "-port", names, "-address", "127.0.0.1"});
    auto file = [&](const char* name) { return directory_ + '/' + name; };
    std::ofstream{file("plugins")} << "[].\n";
    pairs variables{
        {"HOME", directory_},
        {"RABBITMQ_NODENAME", "test" + std::to_string(port_) + "@localhost"},
        {"RABBITMQ_NODE_PORT", std::to_string(port_)},
        {"RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"},
        {"RABBITMQ_DIST_PORT", std::to_string(free_port())},
        {"ERL_EPMD_PORT", names},
        {"ERL_EPMD_ADDRESS", "127.0.0.1"},
        {"RABBITMQ_MNESIA_BASE", file("mnesia")},
        {"RABBITMQ_LOG_BASE", file("log")},
        {"RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins")},
        {"RABBITMQ_PID_FILE", file("pid")},
        {"RABBITMQ_CONF_ENV_FILE", file("none")},
        {"RABBITMQ_CONFIG_FILE", file("none")},
        {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
         "+S 1:1 +sbwt none"}};
    // The script then becomes the virtual machine, which can be killed.
    variables.emplace_back("RUNNING_UNDER_SYSTEMD", "true");
    pid_ = spawn(variables, {"/usr/lib/rabbitmq/bin/rabbitmq-server"});
    // A minute is enough on a machine that is busy with other things.
    for (int i = 0; pid_ > 0 && i < 1'200; ++i) {
      if (answers())
        return true;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      ::poll(nullptr, 0, 50);
    }
    stop();
    return false;
  }

  using strings = std::vector<std::string>;
  using pairs = std::vector<std::pair<std::string, std::string>>;

  /// Starts a process that dies with this one.
  pid_t spawn(const pairs& variables, strings args) const {
    auto parent = ::getpid();
    auto log = directory_ + "/out";
    std::vector<char*> argv;
    for (auto& arg : args)
      argv.push_back(arg.data());
    argv.push_back(nullptr);
    auto result = ::fork();
    if (result != 0)
      return result;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
      ::_exit(127);
    for (auto& [name, value] : variables)
      ::setenv(name.c_str(), value.c_str(), 1);
    auto out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  // Whether it greets: an AMQP server answers a protocol header with a method
  // frame, and has begun to work then.
  bool answers() const {
    auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port_));
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    constexpr char greeting[] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    char answer = 0;
    auto ok = fd >= 0 && ::connect(fd, generic, sizeof(address)) == 0
              && ::write(fd, greeting, sizeof(greeting)) == sizeof(greeting)
              && ::read(fd, &answer, 1) == 1 && answer == 1;
    if (fd >= 0)
      ::close(fd);
    return ok;
  }

  void stop() {
    for (auto* pid : {&pid_, &epmd_})
      if (*pid > 0) {
        ::kill(*pid, SIGKILL);
        ::waitpid(*pid, nullptr, 0);
        *pid = -1;
      }
  }

  void remove_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
  pid_t epmd_ = -1;
};

} // namespace umbel::test
