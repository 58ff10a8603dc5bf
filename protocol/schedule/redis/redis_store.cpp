#include "protocol/schedule/redis/redis_store.hpp"

#include "protocol/broker/redis/redis_broker.hpp"
#include "protocol/message/envelope.hpp"

#include <charconv>

namespace umbel::redis::scripts {

extern const script beat_lead;
extern const script beat_resign;
extern const script beat_commit;
extern const script beat_configure;
extern const script beat_change;

} // namespace umbel::redis::scripts

namespace umbel::schedule {

using namespace redis;

namespace {

using std::chrono::milliseconds;

constexpr double lease_min = 0.2;
constexpr double lease_max = 3'600;

/// So often operators' changes are looked for.
constexpr milliseconds longest_look{1'000};

// -- how entries stand in the hashes --------------------------------------------------

std::string to_text(timestamp x) {
  return std::to_string(x.time_since_epoch().count());
}

int64_t parse_number(std::string_view x) {
  int64_t result = 0;
  std::from_chars(x.data(), x.data() + x.size(), result);
  return result;
}

timestamp to_time(std::string_view x) {
  return timestamp{std::chrono::microseconds{parse_number(x)}};
}

// Times are texts: Lua's numbers would lose their last digits.
std::string to_text(const stored_entry& x) {
  return to_json(json::value{{"definition", x.definition},
                             {"live", x.live},
                             {"enabled", x.enabled},
                             {"changed_at", to_text(x.changed_at)}});
}

expected<stored_entry> to_entry(std::string_view name, std::string_view text) {
  auto parsed = parse_json(text);
  auto object = parsed ? parsed->if_object() : nullptr;
  auto definition = object ? object->if_contains("definition") : nullptr;
  if (!definition || !definition->is_string())
    return error{errc::malformed, "the schedule in Redis has no usable entry '"
                                      + std::string{name} + '\''};
  auto flag = [&](const char* member, bool otherwise) {
    auto x = object->if_contains(member);
    return x && x->is_bool() ? x->get_bool() : otherwise;
  };
  stored_entry result;
  result.name = name;
  result.definition = definition->get_string();
  result.live = flag("live", false);
  result.enabled = flag("enabled", true);
  if (auto at = object->if_contains("changed_at"); at && at->is_string())
    result.changed_at = to_time(at->get_string());
  return result;
}

/// "<last run> <count> <requests served>"
std::string to_text(const run_record& x) {
  return to_text(x.last_run_at) + ' ' + std::to_string(x.total_run_count) + ' '
         + std::to_string(x.requests_served);
}

run_record to_record(std::string_view text) {
  auto word = [&] {
    auto end = std::min(text.find(' '), text.size());
    auto result = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return result;
  };
  run_record result;
  result.last_run_at = to_time(word());
  result.total_run_count = parse_number(word());
  result.requests_served = parse_number(word());
  return result;
}

/// "host" of "3/incarnation/host"
std::string node_of(std::string_view lease) {
  return std::string{lease.substr(lease.rfind('/') + 1)};
}

expected<milliseconds> lease_of(const url& x) {
  auto text = x.option("lease", "3");
  double seconds = 0;
  auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec != std::errc{} || end != text.data() + text.size()
      || !(seconds >= lease_min && seconds <= lease_max))
    return error{errc::invalid_setting,
                 "lease=" + text + ": it lasts from 0.2 to 3600 seconds"};
  return std::chrono::round<milliseconds>(
      std::chrono::duration<double>{seconds});
}

} // namespace

expected<std::unique_ptr<redis_store>>
redis_store::make(const std::string& text, const std::string& url_of_broker,
                  const broker_options& options, std::string node) {
  auto parsed = parse_url(text);
  if (!parsed)
    return parsed.error();
  auto where = to_address(*parsed);
  if (!where)
    return where.error();
  auto lease = lease_of(*parsed);
  if (!lease)
    return lease.error();
  std::unique_ptr<redis_store> result{
      new redis_store{*where, options, make_uuid() + '/' + std::move(node)}};
  result->lease_ = *lease;
  if (auto url = parse_url(url_of_broker))
    if (auto broker = to_address(*url))
      result->publishes_ = where->same_database(*broker);
  return result;
}

redis_store::redis_store(address where, const broker_options& options,
                         std::string owner)
    : where_(std::move(where)), options_(options), keys_(options),
      owner_(std::move(owner)) {
}

redis_store::~redis_store() {
  resign();
}

std::string redis_store::key(const char* name) const {
  return keys_.prefix() + "umbel.beat." + name;
}

std::string redis_store::location() const {
  return where_.str();
}

milliseconds redis_store::look_interval() const {
  return std::min(longest_look, lease_ / 3);
}

milliseconds redis_store::takeover_time() const {
  return 2 * lease_;
}

bool redis_store::publishes() const {
  return publishes_;
}

expected<void> redis_store::connect() {
  held_.clear();
  auto how = timeouts_of(options_);
  how.client_name = "umbel-beat";
  how.scripts = {&scripts::beat_lead, &scripts::beat_resign,
                 &scripts::beat_commit, &scripts::beat_configure,
                 &scripts::beat_change};
  auto opened = connection::open(where_, how);
  if (!opened)
    return opened.error();
  connection_ = std::move(*opened);
  return {};
}

/// Runs one script that answers 1 or 0.
expected<bool> redis_store::done(const pipeline& command, const char* doing) {
  auto replies = connection_->check(command, doing);
  if (!replies)
    return replies.error();
  return replies->front()->integer == 1;
}

// -- for beats ----------------------------------------------------------------------

expected<leadership> redis_store::lead() {
  pipeline command;
  command.begin(9).arg("EVALSHA").arg(scripts::beat_lead.sha).arg("3");
  command.arg(key("lease")).arg(key("leaderships")).arg(key("changed"));
  command.arg(held_).arg(owner_).arg(static_cast<uint64_t>(lease_.count()));
  auto replies = connection_->check(command, "lead the beats");
  if (!replies)
    return replies.error();
  auto items = elements_of(*replies->front());
  if (items.size() < 2)
    return connection_->broken(errc::unavailable, "lead the beats",
                               "an unexpected reply");
  leadership result;
  result.leads = items[0]->integer != 0;
  result.anew = items[0]->integer == 2;
  auto lease = text_of(*items[1]);
  held_ = result.leads ? lease : "";
  if (!result.leads)
    result.leader = node_of(lease);
  for (auto* name : items.subspan(2))
    result.changed.emplace_back(text_of(*name));
  return result;
}

expected<stored_schedule> redis_store::load() {
  pipeline commands;
  commands.add({"HSETNX", key("schedule"), "identity", make_uuid()});
  commands.add({"HMGET", key("schedule"), "identity", "zone"});
  commands.add({"HGETALL", key("entries")});
  commands.add({"HGETALL", key("runs")});
  commands.add({"HGETALL", key("requests")});
  auto replies = connection_->check(commands, "read the schedule");
  if (!replies)
    return replies.error();
  auto pairs_of = [&](size_t i) { return elements_of(*(*replies)[i]); };
  stored_schedule result;
  auto about = pairs_of(1);
  result.identity = text_of(*about[0]);
  result.zone = text_of(*about[1]);
  std::map<std::string_view, std::string_view> runs, requests;
  auto collect = [&](auto& to, size_t i) {
    auto pairs = pairs_of(i);
    for (size_t k = 0; k + 1 < pairs.size(); k += 2)
      to[text_of(*pairs[k])] = text_of(*pairs[k + 1]);
  };
  collect(runs, 3);
  collect(requests, 4);
  auto pairs = pairs_of(2);
  for (size_t k = 0; k + 1 < pairs.size(); k += 2) {
    auto name = text_of(*pairs[k]);
    auto entry = to_entry(name, text_of(*pairs[k + 1]));
    if (!entry)
      return entry.error();
    entry->runs = to_record(runs[name]);
    entry->requests = parse_number(requests[name]);
    result.entries.push_back(std::move(*entry));
  }
  return result;
}

expected<std::vector<stored_entry>>
redis_store::load(std::span<const std::string> names) {
  std::vector<stored_entry> result;
  if (names.empty())
    return result;
  pipeline commands;
  for (auto& name : names) {
    commands.add({"HGET", key("entries"), name});
    commands.add({"HGET", key("runs"), name});
    commands.add({"HGET", key("requests"), name});
  }
  auto replies = connection_->check(commands, "read entries");
  if (!replies)
    return replies.error();
  for (size_t i = 0; i < names.size(); ++i) {
    auto found = replies->begin() + static_cast<ptrdiff_t>(3 * i);
    if (found[0]->type == REDIS_REPLY_NIL)
      continue;
    auto entry = to_entry(names[i], text_of(*found[0]));
    if (!entry)
      return entry.error();
    entry->runs = to_record(text_of(*found[1]));
    entry->requests = parse_number(text_of(*found[2]));
    result.push_back(std::move(*entry));
  }
  return result;
}

expected<bool> redis_store::configure(const configuration_change& x) {
  pipeline command;
  command.begin(12 + 3 * x.definitions.size() + x.gone.size());
  command.arg("EVALSHA").arg(scripts::beat_configure.sha).arg("6");
  command.arg(key("lease")).arg(key("entries")).arg(key("runs"));
  command.arg(key("requests")).arg(key("schedule")).arg(key("changed"));
  command.arg(held_).arg(x.zone).arg(x.definitions.size());
  for (auto& [name, definition] : x.definitions) {
    stored_entry fresh;
    fresh.definition = definition;
    command.arg(name).arg(definition).arg(to_text(fresh));
  }
  for (auto& name : x.gone)
    command.arg(name);
  return done(command, "write entries");
}

expected<bool> redis_store::commit(std::span<const outgoing_message> messages,
                                   const records& runs) {
  pipeline command;
  command.begin(8 + 2 * messages.size() + 2 * runs.size());
  command.arg("EVALSHA").arg(scripts::beat_commit.sha).arg("3");
  command.arg(key("lease")).arg(key("entries")).arg(key("runs"));
  command.arg(held_).arg(messages.size());
  places where{options_, connection_->where().db};
  for (auto& x : messages)
    command.arg(where.of(x.queue, x.priority)).arg(x.payload);
  for (auto& [name, record] : runs)
    command.arg(name).arg(to_text(record));
  auto led = done(command, "send periodic tasks");
  if (led && !*led)
    held_.clear();
  return led;
}

void redis_store::resign() noexcept {
  if (!connection_ || held_.empty())
    return;
  pipeline command;
  command.add({"EVALSHA", scripts::beat_resign.sha, "1", key("lease"), held_});
  connection_->timeout(milliseconds{500});
  // If it fails, the lease expires.
  [[maybe_unused]] auto answer = connection_->run(command, "resign");
  held_.clear();
  connection_.reset();
}

// -- for operators' commands ----------------------------------------------------------

expected<bool> redis_store::change(const char* how, const std::string& name,
                                   const std::string& entry) {
  pipeline command;
  command.add({"EVALSHA", scripts::beat_change.sha, "4", key("entries"),
               key("runs"), key("requests"), key("changed"), how, name, entry});
  return done(command, "change an entry");
}

expected<bool> redis_store::put(const stored_entry& x, put_mode mode) {
  auto how = mode == put_mode::add       ? "add"
             : mode == put_mode::replace ? "replace"
                                         : "any";
  return change(how, x.name, to_text(x));
}

expected<bool> redis_store::remove(const std::string& name) {
  return change("remove", name, "");
}

expected<bool> redis_store::request_run(const std::string& name) {
  return change("run", name, "");
}

expected<std::string> redis_store::zone() {
  auto zone = connection_->command({"HGET", key("schedule"), "zone"},
                                   "read the time zone");
  if (!zone)
    return zone.error();
  return std::string{text_of(**zone)};
}

expected<std::string> redis_store::leader() {
  auto lease = connection_->command({"GET", key("lease")}, "look who leads");
  if (!lease)
    return lease.error();
  return node_of(text_of(**lease));
}

} // namespace umbel::schedule
