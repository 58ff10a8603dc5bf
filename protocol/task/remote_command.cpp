#include "protocol/task/remote_command.hpp"

#include "protocol/message/task_message.hpp"
#include "protocol/task/asio_runtime.hpp"
#include "protocol/task/interruption.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/state_sink.hpp"

#include <fmt/ranges.h>

#include <cstdio>
#include <stdexcept>

namespace umbel {

namespace {

thread_local const command_context* running = nullptr;

/// A command has no state and sends no events.
class no_sink final : public state_sink {
public:
  void state(uint64_t, std::string) override {
  }

  void log(uint64_t, uint8_t, std::string_view text) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }
};

} // namespace

namespace detail {

const command_context& current_command() noexcept {
  return *running;
}

} // namespace detail

remote_command::remote_command(std::string name, std::string type,
                               task_function run,
                               std::vector<std::string> parameters)
    : name_(std::move(name)), type_(std::move(type)),
      parameters_(std::move(parameters)), run_(std::move(run)) {
  if (name_.empty())
    throw std::logic_error("a command of remote control has an empty name");
}

remote_command& remote_command::help(std::string x) {
  help_ = std::move(x);
  return *this;
}

remote_command& remote_command::signature(std::string x) {
  signature_ = std::move(x);
  return *this;
}

remote_command& remote_command::alias(std::string x) {
  alias_ = std::move(x);
  return *this;
}

json::object remote_command::description() const {
  return {{"name", name_},
          {"type", type_},
          {"alias", alias_},
          {"help", help_},
          {"signature", signature_.empty()
                          ? fmt::format("{}", fmt::join(parameters_, " "))
                          : signature_},
          {"parameters", json::value_from(parameters_)}};
}

json::value remote_command::run(const command_context& self,
                                const json::object& arguments) const {
  task_message none;
  task_options options;
  runner_settings settings;
  no_sink sink;
  interruption stop;
  asio_runtime where; // without anybody to ask or to call
  registry tasks;
  context task{0, none, options, settings, sink, stop, where, tasks};
  running = &self;
  auto result = run_(task, {}, arguments);
  if (auto value = std::get_if<json::value>(&result))
    return std::move(*value);
  throw std::logic_error("a command is no coroutine");
}

} // namespace umbel
