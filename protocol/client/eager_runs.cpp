#include "protocol/client/eager_runs.hpp"

#include "protocol/task/builtin_tasks.hpp"
#include "protocol/task/follow_ups.hpp"
#include "protocol/task/runner.hpp"

#include <cstdio>
#include <deque>
#include <utility>

namespace umbel {

/// Stores states that a task gives itself; nobody hears its events.
class eager_runs::run_sink final : public state_sink {
public:
  run_sink(eager_runs& owner, task_id id) : owner_(owner), id_(std::move(id)) {
  }

  void state(uint64_t, std::string document) override {
    if (auto done = owner_.store({{id_, std::move(document), {}}}); !done)
      log(0, 0, "a state of a task cannot be stored: " + done.error().what);
  }

  void log(uint64_t, uint8_t, std::string_view text) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }

private:
  eager_runs& owner_;
  task_id id_;
};

/// Of one `run`.
struct eager_runs::series {
  std::deque<std::string> left; ///< messages
  task_runner& runner;
  json::value failure;
  /// So many looks at headers of chords, in a row, have found that they have not ended.
  size_t idle = 0;
};

eager_runs::eager_runs(std::shared_ptr<const registry> tasks,
                       runner_settings settings, stores results)
    : tasks_(std::move(tasks)), settings_(std::move(settings)),
      results_(std::move(results)) {
}

expected<json::value>
eager_runs::run(std::span<const outgoing_message> messages) {
  // One for each call: a task may send others while it runs.
  task_runner runner{*tasks_, settings_, this};
  series all{{}, runner, nullptr};
  for (auto& x : messages)
    all.left.push_back(x.payload);
  while (!all.left.empty())
    if (auto done = run_next(all); !done)
      return done.error();
  return std::move(all.failure);
}

expected<void> eager_runs::run_next(series& in) {
  auto payload = std::move(in.left.front());
  in.left.pop_front();
  auto header = read_task_header(payload, settings_.content);
  if (!header)
    return header.error();
  run_sink sink{*this, header->id};
  auto end = in.runner.run(1, payload, sink);
  auto waits = end.kind == outcome_kind::retry
               && header->task == "celery.chord_unlock";
  in.idle = waits ? in.idle + 1 : 0;
  if (in.idle > in.left.size() + 1)
    return give_up_chord(in, payload);
  auto records = std::move(end.workflow.results);
  auto goes_on = false; // as a retry, or as what takes its place
  for (auto& message : end.publish) {
    auto next = read_task_header(message.payload, settings_.content);
    goes_on = goes_on || (next && next->id == header->id);
    in.left.push_back(std::move(message.payload));
  }
  if (!goes_on) {
    auto text = document_of(end, header->id);
    auto document = parse_document(settings_.result_serializer, text);
    if (in.failure.is_null() && document && document->at("status") != "SUCCESS")
      in.failure = document->at("result");
    records.push_back({header->id, std::move(text), {}});
  } else if (!end.document.empty()) {
    records.push_back({header->id, std::move(end.document), {}});
  }
  return records.empty() ? expected<void>{} : store(std::move(records));
}

/// Nothing is left to run that could end its header: a part of it was ignored.
expected<void> eager_runs::give_up_chord(series& in,
                                         const std::string& payload) {
  in.idle = 0;
  auto polled = parse_task_message(payload, settings_.content);
  if (!polled)
    return polled.error();
  auto body = polled->args.size() > 1
                ? canvas::parse_signature(polled->args[1])
                : expected<canvas::signature>{
                    error{errc::malformed, "chord_unlock without a body"}};
  if (!body)
    return body.error();
  const exception_info why{"ChordError",
                           {"A part of the chord's header has no result"},
                           "celery.exceptions", {}};
  auto next = after_failed_header(*polled, *body, why, settings_);
  for (auto& message : next.publish)
    in.left.push_back(std::move(message.payload));
  if (in.failure.is_null())
    in.failure = to_json_object(why);
  return store(std::move(next.workflow.results));
}

/// Whoever asks gets an answer, whatever has become of it.
std::string eager_runs::document_of(const outcome& x, const task_id& id) const {
  if (!x.document.empty())
    return x.document;
  auto failed = x.kind != outcome_kind::success && x.kind != outcome_kind::ignore;
  meta to;
  to.status = failed ? "FAILURE" : "SUCCESS";
  if (failed)
    to.result = to_json_object(
      {"Reject", {json::value(x.summary)}, "celery.exceptions", {}});
  to.date_done = now();
  to.task_id = id.str();
  return to_document(to, settings_.result_serializer);
}

expected<void> eager_runs::store(std::vector<result_record> records) {
  std::lock_guard guard{mutex_};
  for (auto& to : results_)
    if (auto done = to->store(records); !done)
      return done;
  return {};
}

// -- what tasks ask for -----------------------------------------------------------

uint64_t eager_runs::call(task_id, outgoing_message, handler f) {
  // Tasks run eagerly what they call (runner_settings).
  f(error{errc::unsupported, "there is no broker in eager mode"});
  return 0;
}

void eager_runs::forget(uint64_t) {
  // Calls have ended already.
}

void eager_runs::ask(question x, answer_handler f) {
  std::vector<std::string> to;
  for (auto& id : x.words) {
    std::lock_guard guard{mutex_};
    auto found = results_.front()->fetch(task_id{id});
    if (!found)
      return f(found.error());
    to.push_back(std::move(*found).value_or(""));
  }
  f(std::move(to));
}

std::shared_ptr<const registry>
make_registry(const std::function<void(registry&)>& fill) {
  auto to = std::make_shared<registry>();
  add_builtin_tasks(*to);
  if (fill)
    fill(*to);
  return to;
}

} // namespace umbel
