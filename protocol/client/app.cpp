#include "protocol/client/app.hpp"

#include "protocol/backend/rpc/rpc_result_store.hpp"
#include "protocol/client/app_core.hpp"
#include "protocol/client/client_name.hpp"
#include "protocol/client/rpc_results.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/uniqueness.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/remote_exception.hpp"

#include <algorithm>
#include <thread>

#include <unistd.h>

namespace umbel {

// -- app_core ---------------------------------------------------------------------

namespace {

/// A program without tasks has nothing to run: it may share its settings with workers.
bool runs_all_here(const app_options& x) {
  return x.always_eager && x.tasks;
}

/// Eager mode keeps results in memory, and has no broker.
app_options completed(app_options x) {
  x.always_eager = runs_all_here(x);
  if (x.always_eager)
    x.broker_url = x.result_url = "memory://eager-" + make_uuid();
  return x;
}

runner_settings eager_settings(const app_options& x) {
  runner_settings to;
  to.node = client_name();
  to.task_always_eager = true;
  to.task_store_eager_result = true;
  to.keeps_unique_keys = false;
  to.chords = chord_counting_of(x.result_url);
  to.routing = std::make_shared<const umbel::routing>(x.routing);
  to.task_form = x.task_form;
  to.result_serializer = x.result_serializer;
  to.content.accepted = {serializer::json, serializer::yaml, serializer::msgpack};
  return to;
}

async_result result_of(std::shared_ptr<app_core> core, canvas::result_node node) {
  auto before = node.before.size();
  auto line = std::make_shared<const std::vector<canvas::result_node>>(
    std::move(node.before));
  return {std::move(core), std::move(node.id), std::move(line), before,
          node.ignored};
}

group_result group_of(std::shared_ptr<app_core> core, canvas::result_node node) {
  if (!node.is_group) // a group of it alone
    node = {node.id, true, {node}, {}};
  auto before = node.before.size();
  auto line = std::make_shared<const std::vector<canvas::result_node>>(
    std::exchange(node.before, {}));
  return {std::move(core), std::move(node), std::move(line), before};
}

} // namespace

app_core::app_core(app_options options)
    : stored_url_(runs_all_here(options) && options.store_eager_result
                    ? options.result_url
                    : std::string{}),
      options_(completed(std::move(options))),
      mailbox_(is_rpc(options_.result_url) ? make_uuid() : std::string{}),
      sent_events_(event_source{node_name{client_name()}, ::getpid(),
                                options_.event_serializer,
                                options_.broker.event_exchange}),
      results_(opener(), options_.result_serializer) {
}

result_hub::opener app_core::opener() const {
  if (mailbox_.empty())
    return result_opener(options_.result_url, options_.broker.results);
  return [this] {
    return open_rpc_results(options_.broker_url, options_.broker, mailbox_);
  };
}

expected<void> app_core::connect() {
  if (broker_)
    return {};
  auto options = options_.broker;
  options.incarnation = make_uuid();
  options.node = node_name{client_name()};
  options.queues.clear();
  // Nobody looks after it while the program does something else: Celery's clients
  // have none either.
  options.heartbeat = std::chrono::seconds{0};
  auto opened = connect_broker(options_.broker_url, options);
  if (!opened)
    return opened.error();
  broker_ = std::move(*opened);
  declared_.clear();
  return {};
}

expected<void>
app_core::try_to_publish(std::span<const outgoing_message> messages) {
  if (auto done = connect(); !done)
    return done;
  std::vector<queue_name> fresh;
  for (auto& x : messages)
    if (!x.queue.empty() && declared_.insert(x.queue).second)
      fresh.push_back(x.queue);
  if (!fresh.empty())
    if (auto done = broker_->declare(fresh); !done) {
      declared_.clear();
      return done;
    }
  return broker_->publish(messages);
}

std::shared_ptr<app_core> app_core::here() {
  std::lock_guard guard{mutex_};
  if (!here_) {
    auto options = options_;
    options.always_eager = true;
    if (!options.tasks) // Celery's own ones
      options.tasks = make_registry();
    here_ = std::make_shared<app_core>(std::move(options));
  }
  return here_;
}

expected<eager_runs*> app_core::eager() {
  std::lock_guard guard{mutex_};
  if (eager_)
    return eager_.get();
  eager_runs::stores stores;
  for (auto& url : {options_.result_url, stored_url_}) {
    if (url.empty())
      continue;
    auto opened = connect_result_store(url, options_.broker.results);
    if (!opened)
      return opened.error();
    stores.push_back(std::move(*opened));
  }
  eager_ = std::make_unique<eager_runs>(options_.tasks, eager_settings(options_),
                                        std::move(stores));
  return eager_.get();
}

expected<void>
app_core::run_eagerly(std::span<const outgoing_message> messages) {
  auto runs = eager();
  if (!runs)
    return runs.error();
  auto failure = (*runs)->run(messages);
  if (!failure)
    return failure.error();
  if (options_.eager_propagates && !failure->is_null())
    throw remote_exception(&*failure);
  return {};
}

expected<void> app_core::publish(std::span<const outgoing_message> messages,
                                 const publish_retry_policy& how) {
  if (options_.always_eager)
    return run_eagerly(messages);
  auto is_unique = [](auto& x) { return read_unique_terms(x.payload).has_value(); };
  if (!keeps_unique_keys(options_.broker_url)
      && std::ranges::any_of(messages, is_unique))
    return error{errc::unsupported,
                 "this broker keeps no keys of unique tasks; Redis and SQLite do"};
  std::lock_guard guard{mutex_};
  // Before the first answer can come.
  if (!mailbox_.empty())
    if (auto done = results_.open(); !done)
      return done;
  auto done = try_to_publish(messages);
  for (size_t n = 0; !done && how.allows(n); ++n) {
    if (done.error().code != errc::unavailable
        && done.error().code != errc::timeout)
      break;
    broker_.reset();
    std::this_thread::sleep_for(how.pause(n));
    done = try_to_publish(messages);
  }
  // The tasks are sent, so nobody may send them again because of what only tells of
  // them: whoever comes next has a new connection.
  if (done && options_.sent_events && !sent_events_.tell(*broker_, messages))
    broker_.reset();
  return done;
}

publish_retry_policy
app_core::retry_policy_of(const send_options& how) const {
  auto to = how.retry_policy.value_or(options_.publish_retry);
  if (how.retry == false)
    to.max_retries = 0;
  return to;
}

canvas::application app_core::to_messages(canvas::signature x,
                                          const json::array& first) {
  canvas::origin from;
  if (auto* self = context::current())
    from = origin_of(self->message(), self->settings());
  from.form = options_.task_form;
  from.routing = &options_.routing;
  from.chords = chord_counting_of(options_.result_url);
  if (!mailbox_.empty())
    from.reply_to = rpc_address(mailbox_);
  canvas::application made;
  canvas::applier{made, from}.apply_frozen(std::move(x), first);
  if (made.failure)
    throw queue_not_found(*made.failure);
  return made;
}

expected<canvas::result_node> app_core::apply(canvas::signature x,
                                              const json::array& first,
                                              const send_options& how) {
  auto checked = canvas::parse_signature(canvas::to_json_value(x));
  if (!checked)
    return checked.error();
  // Whoever sends the later steps, their answers come here.
  if (!mailbox_.empty())
    canvas::for_each_task(x, [&](canvas::signature& task) {
      if (!task.find_option("reply_to"))
        task.options["reply_to"] = rpc_address(mailbox_);
    });
  auto tuple = canvas::freeze(x);
  auto results = canvas::results_of(x);
  auto made = to_messages(std::move(x), first);
  refuse_impossible(made);
  if (!made.groups.empty())
    if (auto done = results_.keep(made.groups); !done)
      return done.error();
  if (auto done = publish(made.publish, retry_policy_of(how)); !done)
    return done.error();
  if (auto* self = context::current(); self && how.add_to_parent)
    self->add_child(std::move(tuple));
  return results;
}

expected<void> app_core::tell(const control_request& x) {
  std::lock_guard guard{mutex_};
  if (auto done = connect(); !done)
    return done;
  auto& exchange = options_.control_exchange;
  auto told = broker_->publish(
    exchange, "",
    make_control_request(x, options_.task_form, std::nullopt, exchange), 0);
  if (!told) {
    broker_.reset();
    return told.error();
  }
  return {};
}

void app_core::revoke(std::span<const std::string> ids,
                      const revoke_options& how) {
  json::array all;
  for (auto& id : ids)
    all.push_back(json::value(id));
  revoke("revoke", {{"task_id", std::move(all)}}, how);
}

void app_core::revoke(std::string method, json::object what,
                      const revoke_options& how) {
  if (options_.always_eager) // all has ended already
    return;
  control_request x;
  x.method = std::move(method);
  x.arguments = std::move(what);
  x.arguments["terminate"] = how.terminate;
  x.arguments["signal"] = how.signal;
  value_of(tell(x));
}

void refuse(const error& x) {
  if (x.code == errc::malformed)
    throw exception("ValueError", {json::string{x.what}});
  if (x.code == errc::duplicate)
    throw no_result(x);
  if (x.code == errc::unsupported)
    throw exception("NotImplementedError", {json::string{x.what}});
  if (x.code == errc::invalid_setting)
    throw exception("ImproperlyConfigured", {json::string{x.what}},
                    "celery.exceptions");
  throw exception("OperationalError", {json::string{x.what}},
                  "kombu.exceptions");
}

// -- app ----------------------------------------------------------------------------

app::app(app_options options)
    : core_(std::make_shared<app_core>(std::move(options))) {
}

async_result app::send_task(const std::string& task, json::array args,
                            json::object kwargs,
                            const send_options& how) const {
  canvas::signature x{.task = task, .args = std::move(args),
                      .kwargs = std::move(kwargs)};
  set_options(x, how);
  return result_of(core_, value_of(core_->apply(std::move(x), {}, how)));
}

async_result app::apply(canvas::signature x, const json::array& args) const {
  return result_of(core_, value_of(core_->apply(std::move(x), args)));
}

group_result app::apply_group(canvas::signature x,
                              const json::array& args) const {
  return group_of(core_, value_of(core_->apply(std::move(x), args)));
}

async_result app::run(canvas::signature x, const json::array& args) const {
  auto here = core_->options().always_eager ? core_ : core_->here();
  return result_of(here, value_of(here->apply(std::move(x), args)));
}

group_result app::run_group(canvas::signature x, const json::array& args) const {
  auto here = core_->options().always_eager ? core_ : core_->here();
  return group_of(here, value_of(here->apply(std::move(x), args)));
}

void app::revoke_by_stamped_headers(const json::object& headers,
                                    const revoke_options& how) const {
  core_->revoke("revoke_by_stamped_headers", {{"headers", headers}}, how);
}

size_t app::run_callbacks(std::optional<std::chrono::milliseconds> timeout) const {
  auto core = core_; // what is called may let go of this app
  return value_of(core->callbacks().run(core->results(), timeout));
}

any_result app::result_from_tuple(const json::value& tuple) const {
  auto node = value_of(canvas::parse_result_node(tuple));
  if (node.is_group)
    return group_of(core_, std::move(node));
  return result_of(core_, std::move(node));
}

void app::open_results() const {
  value_of(core_->results().open());
}

async_result app::result(std::string id) const {
  return {core_, std::move(id)};
}

std::optional<group_result> app::restore_group(const std::string& id) const {
  auto text = value_of(core_->results().fetch_group(id));
  if (!text)
    return std::nullopt;
  auto document = parse_json(*text); // as headers of chords are kept, always
  if (!document)
    document = deserialize(core_->options().result_serializer, *text,
                           content_rules{}.body_max);
  auto* tuple = document && document->is_object()
                    ? document->get_object().if_contains("result")
                    : nullptr;
  auto node = tuple ? canvas::parse_result_node(*tuple)
                    : error{errc::malformed, "no result tuple"};
  if (!node || !node->is_group)
    throw exception("ValueError",
                    {json::string{"what is stored of the group " + id
                                  + " is no saved group"}});
  return group_result{core_, std::move(*node)};
}

} // namespace umbel
