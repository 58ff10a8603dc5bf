// What private servers of tests have in common: a directory, free loopback ports,
// and processes that die with the test process in any case.
//
// Header-only, so that every test executable can include it.
#pragma once

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace umbel::test {

class private_server {
public:
  private_server(const private_server&) = delete;
  private_server& operator=(const private_server&) = delete;

protected:
  using strings = std::vector<std::string>;
  using pairs = std::vector<std::pair<std::string, std::string>>;

  /// @param program names the directory.
  explicit private_server(const std::string& program) {
    auto name = "/tmp/" + program + "-test-XXXXXX";
    if (!::mkdtemp(name.data()))
      throw std::runtime_error("cannot create a directory for " + program);
    directory_ = name;
  }

  ~private_server() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string file(const std::string& name) const {
    return directory_ + '/' + name;
  }

  /// Nobody listens there now; somebody else may take it before it is bound. None of
  /// those that the kernel gives to connections, of which there are always some: a
  /// server that is started again finds its port as it has left it.
  static int free_port() {
    std::random_device random;
    for (int i = 0; i < 1'000; ++i) {
      auto address = loopback(20'000 + static_cast<int>(random() % 12'000));
      auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      auto free = fd >= 0
                  && ::bind(fd, reinterpret_cast<sockaddr*>(&address),
                            sizeof(address))
                       == 0;
      if (fd >= 0)
        ::close(fd);
      if (free)
        return ntohs(address.sin_port);
    }
    throw std::runtime_error("no free loopback port");
  }

  static sockaddr_in loopback(int port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result.sin_port = htons(static_cast<uint16_t>(port));
    return result;
  }

  /// Starts a program that dies with this process; what it says is in the file "out".
  /// @param in what it reads; -1: as this process
  pid_t spawn(const pairs& variables, strings args, int in = -1) const {
    auto parent = ::getpid();
    auto log = file("out");
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
    if (in >= 0)
      ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  /// Waits until a server answers. @returns false if it ends instead, or does not
  /// within a minute, which is enough on a busy machine.
  static bool wait_for(pid_t& pid, const std::function<bool()>& answers) {
    for (int i = 0; pid > 0 && i < 12'000; ++i) {
      if (answers())
        return true;
      if (::waitpid(pid, nullptr, WNOHANG) == pid) {
        pid = -1;
        return false;
      }
      ::poll(nullptr, 0, 5);
    }
    return false;
  }

  /// Whether a server sends this when it is sent that.
  static bool says(const sockaddr* address, socklen_t size,
                   std::string_view question, std::string_view any_of) {
    auto fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer = 0;
    auto ok = fd >= 0 && ::connect(fd, address, size) == 0
              && ::write(fd, question.data(), question.size())
                   == static_cast<ssize_t>(question.size())
              && ::read(fd, &answer, 1) == 1
              && any_of.find(answer) != std::string_view::npos;
    if (fd >= 0)
      ::close(fd);
    return ok;
  }

  static void kill(pid_t& pid) {
    if (pid <= 0)
      return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }

  std::string directory_;
};

} // namespace umbel::test
