#include "actors/cluster/control.hpp"

#include "actors/cluster/deferred_answer.hpp"
#include "actors/cluster/library_commands.hpp"
#include "actors/supervision/description.hpp"
#include "actors/supervision/supervision_errc.hpp"

#include <caf/all.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace umbel {

namespace {

json::value too_many_open() {
  return remote::failed(fmt::format("{} commands are not answered yet",
                                    control_state::open_max));
}

} // namespace

const control_method* find_control_method(std::string_view name) {
  for (auto methods : {inspect_methods(), change_methods(), queue_methods()})
    for (auto& x : methods)
      if (x.name == name)
        return &x;
  return nullptr;
}

void control_state::on_command(const control_request& x) {
  options.clock->adjust(x.clock);
  // Whoever wants no answer is not told that there is none: that command is
  // carried out in any case.
  if (x.reply_to)
    ++open;
  auto answer = [this, to = x.reply_to](json::value value) {
    if (!to)
      return;
    --open;
    auto payload = make_control_reply(node(), value, *to,
                                      options.clock->forward());
    self->send(colleagues.writer,
               publish_message{to->exchange, to->routing_key,
                               std::move(payload)});
  };
  auto* method = find_control_method(x.method);
  if (method == nullptr && may_be_library_command(*this, x.method)) {
    if (x.reply_to && open > open_max)
      answer(too_many_open());
    else
      run_library_command(*this, x, answer);
  } else if (method == nullptr) {
    spdlog::error("there is no control command {}",
                  python_repr(json::value(x.method), 40));
    answer(remote::failed(fmt::format(
      "KeyError({})", python_repr(json::value(x.method), 100))));
  } else if (x.reply_to && open > open_max) {
    answer(too_many_open());
  } else {
    method->run(*this, x.arguments, answer);
  }
}

json::value control_state::no_answer(const caf::error& x) const {
  if (x == caf::sec::request_timeout)
    return remote::failed(fmt::format(
      "no answer within {:g} s",
      std::chrono::duration<double>{patience}.count()));
  if (x == caf::sec::request_receiver_down)
    return remote::failed("this part of the worker is being restarted");
  return remote::failed(describe(x));
}

caf::behavior control(caf::stateful_actor<control_state>* self,
                      control_options options,
                      control_colleagues colleagues) {
  auto& st = self->state;
  st.self = self;
  st.options = std::move(options);
  st.colleagues = std::move(colleagues);
  return {
    [self](const control_command& x) { self->state.on_command(x.request); },
    [](deferred_answer& x) { x.answer(std::move(x.value)); },
    [self](library_answer& x) { on_library_answer(self->state, x); },
    [self](describe_atom) {
      return describe_self(self, fmt::format("{} commands open",
                                             self->state.open));
    },
  };
}

} // namespace umbel
