// A private rabbitmq-server for tests: a node of its own with a name, ports and
// directories that nobody else uses, and an epmd of its own. It is ready when the
// constructor returns (that takes seconds: start one for many tests), and is killed by
// the destructor. Its standard input is the node's Erlang shell: `ask` writes there,
// which takes a hundredth of the time that rabbitmqctl does.
#pragma once

#include "tests/unit/broker/private_server.hpp"

#include <fstream>

namespace umbel::test {

class rabbitmq_server : private_server {
public:
  /// @throws std::runtime_error if no server could be started.
  rabbitmq_server() : private_server("rabbitmq-server") {
    // Between finding a free port and binding it somebody else may take it.
    for (int attempt = 0; attempt < 3; ++attempt)
      if (try_start())
        return;
    throw std::runtime_error("cannot start rabbitmq-server");
  }

  ~rabbitmq_server() {
    stop();
  }

  /// "amqp://127.0.0.1:PORT/VIRTUAL_HOST"
  std::string url(const std::string& virtual_host) const {
    return "amqp://127.0.0.1:" + std::to_string(port_) + '/' + virtual_host;
  }

  /// What an Erlang expression evaluates to, which is text.
  /// @throws std::runtime_error if it fails
  std::string ask(const std::string& text) {
    auto answer = file("answer" + std::to_string(++questions_));
    auto line = "ok = file:write_file(\"" + answer
                + ".part\", try [$=, iolist_to_binary(" + text
                + ")] catch _:_ -> \"failed\" end), file:rename(\"" + answer
                + ".part\", \"" + answer + "\").\n";
    if (::write(shell_, line.data(), line.size())
        != static_cast<ssize_t>(line.size()))
      throw std::runtime_error("rabbitmq-server takes no questions");
    for (int i = 0; i < 60'000 && !std::filesystem::exists(answer); ++i)
      ::poll(nullptr, 0, 1);
    std::ifstream in{answer};
    std::string result{std::istreambuf_iterator<char>{in}, {}};
    std::filesystem::remove(answer);
    if (!result.starts_with('='))
      throw std::runtime_error("rabbitmq-server cannot say " + text);
    return result.substr(1);
  }

private:
  bool try_start() {
    port_ = free_port();
    auto names = std::to_string(free_port());
    // Otherwise the node would start a daemon that outlives it.
    epmd_ = spawn({}, {"epmd", "-port", names, "-address", "127.0.0.1"});
    std::ofstream{file("plugins")} << "[].\n";
    const pairs variables{
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
         "+S 1:1 +sbwt none"},
        // The shell; and the script becomes the virtual machine, which can be killed.
        {"RABBITMQ_ALLOW_INPUT", "1"}};
    int in[2];
    if (::pipe2(in, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe for rabbitmq-server");
    shell_ = in[1];
    pid_ = spawn(variables, {"/usr/lib/rabbitmq/bin/rabbitmq-server"}, in[0]);
    ::close(in[0]);
    if (wait_for(pid_, [this] { return answers(); }))
      return true;
    stop();
    return false;
  }

  // Whether it greets: an AMQP server answers a protocol header with a method
  // frame, and has begun to work then.
  bool answers() const {
    using namespace std::string_view_literals;
    auto address = loopback(port_);
    return says(reinterpret_cast<sockaddr*>(&address), sizeof(address),
                "AMQP\0\0\x09\x01"sv, "\x01");
  }

  void stop() {
    kill(pid_);
    kill(epmd_);
    if (shell_ >= 0)
      ::close(std::exchange(shell_, -1));
  }

  int port_ = 0;
  pid_t pid_ = -1;
  pid_t epmd_ = -1;
  int shell_ = -1;
  int questions_ = 0;
};

} // namespace umbel::test
