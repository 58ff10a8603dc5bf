#include "apps/remote/control_command.hpp"

#include "apps/exit_status.hpp"
#include "apps/remote/answer_view.hpp"
#include "apps/remote/library_command.hpp"
#include "apps/remote/remote_session.hpp"
#include "apps/remote/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace umbel {

namespace {

/// One run of a command, from the question to the exit status.
class conversation {
public:
  conversation(const std::string& name, const options& given,
               const remote_options& x)
      : name_(name), given_(given), options_(x) {
  }

  expected<void> connect() {
    auto loaded = read_settings(name_, given_);
    if (!loaded)
      return loaded.error();
    auto connected = control_client::connect(to_control_client_options(*loaded));
    if (!connected)
      return connected.error();
    client_.emplace(std::move(*connected));
    return {};
  }

  control_request request(std::string_view method,
                          json::object arguments = {}) const {
    control_request result;
    result.method = method;
    result.arguments = std::move(arguments);
    if (!options_.destinations.empty())
      result.destination = options_.destinations;
    if (!options_.pattern.empty()) {
      result.pattern = options_.pattern;
      result.matcher = options_.matcher;
    }
    return result;
  }

  control_client& client() {
    return *client_;
  }

  /// Sorted by name.
  expected<std::vector<node_answer>> ask(control_request x) {
    auto result = client_->ask(std::move(x), options_.timeout);
    if (result)
      std::ranges::sort(*result, {}, &node_answer::node);
    return result;
  }

  /// Says who has not answered, or refused. @returns the exit status
  int judge(const std::vector<node_answer>& answers) const {
    auto patience = std::chrono::duration<double>{options_.timeout}.count();
    if (answers.empty())
      return refuse(name_,
                    fmt::format("nobody has answered within {:g} s", patience),
                    exit_unavailable);
    for (auto& node : options_.destinations)
      if (std::ranges::none_of(answers, [&](auto& x) {
            return x.node.str() == node;
          }))
        refuse(name_,
               fmt::format("{} has not answered within {:g} s", node, patience),
               exit_ok);
    auto status = exit_ok;
    for (auto& x : answers)
      if (auto what = error_in(x.value)) {
        status = exit_failure;
        if (!options_.json)
          refuse(name_, one_line(x.node.str()) + ": " + one_line(*what),
                 status);
      }
    return status;
  }

  /// @returns the exit status
  int show(const std::vector<node_answer>& answers, const std::string& text) {
    if (options_.json)
      std::printf("%s\n", answers_as_json(answers).c_str());
    else
      std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    return judge(answers);
  }

  int fail(const error& x) const {
    return refuse(name_, x.what, status_of(x));
  }

private:
  const std::string& name_;
  const options& given_;
  const remote_options& options_;
  std::optional<control_client> client_;
};

/// Of those that are told to end, none answers: who is there is asked before.
int shut_down(conversation& with, const remote_options& x) {
  auto present = with.ask(with.request("ping"));
  if (!present)
    return with.fail(present.error());
  if (!present->empty()) {
    auto told = with.client().tell(with.request("shutdown"));
    if (!told)
      return with.fail(told.error());
  }
  for (auto& answer : *present)
    answer.value = {{"ok", "told to shut down"}};
  return with.show(*present, x.json ? std::string{}
                                    : show_answers(answer_form::word, *present,
                                                   now()));
}

} // namespace

int run_status_command(const std::string& name, const options& given,
                       const remote_options& x) {
  conversation with{name, given, x};
  if (auto done = with.connect(); !done)
    return with.fail(done.error());
  auto answers = with.ask(with.request("ping"));
  if (!answers)
    return with.fail(answers.error());
  std::string text;
  if (!answers->empty())
    text = show_status(*answers);
  if (!answers->empty() && !given.quiet)
    text += fmt::format("\n{} node{} online.\n", answers->size(),
                        answers->size() == 1 ? "" : "s");
  return with.show(*answers, text);
}

int run_control_command(const std::string& name, const options& given,
                        const remote_options& x, command_kind kind,
                        const std::vector<std::string>& words) {
  if (words.empty())
    return refuse(name,
                  "which command? '" + name + " --help' lists all of them",
                  exit_usage);
  auto what = find_command(kind, words.front());
  auto in_library = what == nullptr && !x.custom && !given.apps.empty();
  if (what == nullptr && !x.custom && !in_library)
    return refuse(name, explain_unknown_command(kind, words.front()),
                  exit_usage);
  auto rest = std::span{words}.subspan(1);
  auto arguments = in_library ? read_library_arguments(given, kind, words)
                   : what == nullptr ? read_assignments(rest)
                                     : read_arguments(*what, rest);
  if (!arguments && arguments.error().code == errc::not_found)
    return refuse(name, explain_unknown_command(kind, words.front()),
                  exit_usage);
  if (!arguments)
    return refuse(name, words.front() + ": " + arguments.error().what,
                  exit_usage);
  if (!x.signal.empty()) {
    if (words.front() != "revoke"
        && words.front() != "revoke_by_stamped_headers")
      return refuse(name, "--signal is for revoke and revoke_by_stamped_headers",
                    exit_usage);
    (*arguments)["terminate"] = true;
    (*arguments)["signal"] = x.signal;
  }
  conversation with{name, given, x};
  if (auto done = with.connect(); !done)
    return with.fail(done.error());
  if (what != nullptr && what->silent)
    return shut_down(with, x);
  auto answers = with.ask(with.request(words.front(), std::move(*arguments)));
  if (!answers)
    return with.fail(answers.error());
  auto text = show_answers(what == nullptr ? answer_form::fields : what->answer,
                           *answers, now());
  auto any_good = std::ranges::any_of(
    *answers, [](auto& one) { return !error_in(one.value); });
  if (text.empty() && any_good && !given.quiet)
    text = "(none)\n";
  return with.show(*answers, text);
}

} // namespace umbel
