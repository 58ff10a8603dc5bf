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

app_core::app_core(app_options options)
    : options_(std::move(options)),
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

expected<void> app_core::publish(std::span<const outgoing_message> messages,
                                 const publish_retry_policy& how) {
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
  control_request x;
  x.method = "revoke";
  x.arguments = {{"task_id", std::move(all)},
                 {"terminate", how.terminate},
                 {"signal", how.signal}};
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
  return result_of(value_of(core_->apply(std::move(x), {}, how)));
}

async_result app::result_of(canvas::result_node node) const {
  auto before = node.before.size();
  auto line = std::make_shared<const std::vector<canvas::result_node>>(
    std::move(node.before));
  return {core_, std::move(node.id), std::move(line), before, node.ignored};
}

async_result app::apply(canvas::signature x, const json::array& args) const {
  return result_of(value_of(core_->apply(std::move(x), args)));
}

group_result app::apply_group(canvas::signature x,
                              const json::array& args) const {
  auto node = value_of(core_->apply(std::move(x), args));
  if (!node.is_group) // a group of it alone
    node = {node.id, true, {node}, {}};
  auto before = node.before.size();
  auto line = std::make_shared<const std::vector<canvas::result_node>>(
    std::exchange(node.before, {}));
  return {core_, std::move(node), std::move(line), before};
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
  auto document = parse_json(*text);
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
