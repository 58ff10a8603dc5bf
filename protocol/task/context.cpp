#include "protocol/task/context.hpp"

#include "protocol/backend/document.hpp"
#include "protocol/canvas/routing.hpp"
#include "protocol/canvas/stamping.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/remote_exception.hpp"
#include "protocol/task/task_meta.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <thread>

namespace umbel {

namespace {

/// About 30 years: a longer countdown is not meant, and would not fit a date.
constexpr std::chrono::duration<double> countdown_max{1e9};

thread_local context* current_context = nullptr;

/// Carries out all of it, or throws.
void apply(canvas::application& to, const canvas::origin& from,
           canvas::signature x, const json::array& first,
           const json::array* chain = nullptr) {
  canvas::application made;
  canvas::applier{made, from}.apply(std::move(x), first, chain);
  if (made.failure)
    throw queue_not_found(*made.failure);
  refuse_impossible(made);
  canvas::append(to, std::move(made));
}

} // namespace

context::context(uint64_t job, const task_message& message,
                 const task_options& options, const runner_settings& settings,
                 state_sink& sink, interruption& stop, runtime& where,
                 const registry& tasks)
    : job_(job), message_(message), options_(options), settings_(settings),
      sink_(sink), stop_(stop), where_(where), tasks_(tasks) {
}

json::object context::delivery_info() const {
  json::object to;
  if (auto* info = message_.properties.if_contains("delivery_info");
      info && info->is_object())
    to = info->get_object();
  to["priority"] = message_.header.priority;
  to["redelivered"] = message_.header.redelivered;
  return to;
}

std::string context::correlation_id() const {
  auto* x = message_.properties.if_contains("correlation_id");
  return x && x->is_string() ? x->get_string().c_str() : id();
}

void context::update_state(std::string_view state, json::value meta) {
  auto document = make_meta(message_, settings_, std::string{state});
  document.result = std::move(meta);
  auto text = to_document(document, settings_.result_serializer);
  if (text.size() > outcome_bytes_max)
    throw std::length_error(
        fmt::format("a state of {} bytes; at most {} are possible", text.size(),
                    outcome_bytes_max));
  sink_.state(job_, std::move(text));
}

void context::send_event(std::string_view type, json::object fields) {
  constexpr size_t type_max = 255; // of a routing key, everywhere
  if (type.empty() || type.size() > type_max)
    throw std::invalid_argument(fmt::format(
      "the type of an event has 1 to {} bytes, not {}", type_max, type.size()));
  fields["uuid"] = id();
  auto text = to_json(fields);
  if (text.size() > outcome_bytes_max)
    throw std::length_error(
        fmt::format("an event of {} bytes; at most {} are possible", text.size(),
                    outcome_bytes_max));
  sink_.event(job_, std::string{type}, std::move(text));
}

bool context::is_aborted() {
  auto found = fetch({message_.header.id}).front();
  auto* document = found.if_object();
  auto* status = document ? document->if_contains("status") : nullptr;
  return status && *status == "ABORTED";
}

std::vector<json::value> context::fetch(const std::vector<task_id>& ids) {
  auto unreadable = [](const error& x) {
    return exception("OperationalError", {x.what}, "kombu.exceptions");
  };
  question ids_wanted{question_kind::stored, {}};
  for (auto& id : ids)
    ids_wanted.words.push_back(id.str());
  auto texts = where_.ask(std::move(ids_wanted));
  if (!texts)
    throw unreadable(texts.error());
  std::vector<json::value> found;
  for (auto& text : *texts) {
    if (text.empty()) {
      found.emplace_back(nullptr);
      continue;
    }
    auto document = parse_document(settings_.result_serializer, text);
    if (!document)
      throw unreadable(document.error());
    found.emplace_back(std::move(*document));
  }
  return found;
}

void context::retry(retry_options how) {
  auto limit = how.max_retries ? how.max_retries : options_.max_retries;
  if (limit && retries() + 1 > *limit) {
    if (how.exc)
      std::rethrow_exception(how.exc);
    throw max_retries_exceeded(
        fmt::format("Can't retry {}[{}] args:{} kwargs:{}", task(), id(),
                    python_repr_tuple(how.args ? *how.args : args()),
                    python_repr(how.kwargs ? *how.kwargs : kwargs())));
  }
  struct umbel::retry again;
  again.eta = how.eta;
  again.countdown = options_.default_retry_delay;
  if (how.countdown)
    again.countdown =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::clamp(
            *how.countdown, std::chrono::duration<double>{0}, countdown_max));
  again.cause = how.exc;
  again.args = std::move(how.args);
  again.kwargs = std::move(how.kwargs);
  throw again;
}

void context::reject(std::string reason, bool requeue) {
  throw umbel::reject{std::move(reason), requeue};
}

void context::ignore() {
  throw umbel::ignore{};
}

outgoing_message context::adopt(task_call& call,
                                const json::object& options) const {
  call.parent_id = id();
  call.root_id = root_id().empty() ? id() : root_id();
  call.origin = hostname();
  call.form = settings_.task_form;
  if (auto done = settings_.routing->address(call, options,
                                             message_.header.priority);
      !done)
    throw queue_not_found(done.error());
  if (settings_.complete)
    settings_.complete(call);
  return to_message(call);
}

void context::check_signature(const canvas::signature& x) {
  if (auto good = canvas::parse_signature(canvas::to_json_value(x)); !good)
    throw exception("ValueError", {json::string{good.error().what}});
}

json::value context::start(canvas::signature x, const json::array& first) {
  check_signature(x);
  apply(started_, origin_of(message_, settings_), std::move(x), first);
  return started_.children.back();
}

void context::replace(canvas::signature x) {
  check_signature(x);
  auto& embed = message_.embed;
  auto member = [&](const char* key) -> const json::value* {
    auto* found = embed.if_contains(key);
    return found && !found->is_null() ? found : nullptr;
  };
  if (x.kind == canvas::kind::group || x.kind == canvas::kind::chunks)
    x = canvas::make_chain({x, {.task = "celery.accumulate",
                                .kwargs = {{"index", 0}}}});
  canvas::succession in;
  in.id = id();
  in.part_of.group = message_.header.group;
  if (auto* chord = member("chord"))
    in.part_of.chord = *chord;
  if (auto* index = message_.headers.if_contains("group_index");
      index && index->is_int64())
    in.part_of.index = index->get_int64();
  for (auto [key, list] : {std::pair{"callbacks", &in.link},
                           std::pair{"errbacks", &in.link_error}})
    if (auto* all = member(key))
      *list = all->is_array() ? all->get_array() : json::array{*all};
  auto* nesting = message_.headers.if_contains("replaced_task_nesting");
  in.nesting = nesting && nesting->is_int64() ? nesting->get_int64() + 1 : 1;
  if (auto* stamps = message_.headers.if_contains("stamps");
      stamps && stamps->is_object())
    canvas::stamp(x, stamps->get_object());
  canvas::succeed(x, in);
  auto* chain = member("chain");
  apply(started_, origin_of(message_, settings_), std::move(x), {},
        chain ? chain->if_array() : nullptr);
  throw umbel::ignore{};
}

void context::checkpoint() {
  if (stop_.consume())
    throw soft_time_limit_exceeded{};
}

void context::sleep_until(std::chrono::steady_clock::time_point deadline) {
  stop_.sleep_until(deadline);
  checkpoint();
}

void context::log(uint8_t level, std::string_view text) {
  sink_.log(job_, level, text);
}

context* context::current() noexcept {
  return current_context;
}

context::scope::scope(context& self) noexcept : outer_(current_context) {
  current_context = &self;
}

context::scope::~scope() {
  current_context = outer_; // a task may call another one's function
}

void checkpoint() {
  if (current_context)
    current_context->checkpoint();
}

void this_thread::sleep_until(std::chrono::steady_clock::time_point deadline) {
  if (current_context)
    current_context->sleep_until(deadline);
  else
    std::this_thread::sleep_until(deadline);
}

} // namespace umbel
