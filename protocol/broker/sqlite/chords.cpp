#include "protocol/broker/sqlite/chords.hpp"

#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/message/json.hpp"

#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace umbel::sqlite {

namespace {

/// The place of a part that has none: behind all others.
constexpr auto no_place = std::numeric_limits<int64_t>::max();

/// So many that have expired go with each part: they cannot pile up.
constexpr int64_t sweep_max = 2;

/// A text as a part of a JSON string.
std::string escaped(std::string_view x) {
  std::string result;
  append_json(result, x);
  return result.substr(1, result.size() - 2);
}

std::string filled(const gapped_text& x, std::string_view gap) {
  std::string result;
  for (size_t i = 0; i < x.size(); ++i) {
    if (i > 0)
      result += gap;
    result += x[i];
  }
  return result;
}

/// A document as results are written.
std::string in_format(std::string text, serializer how) {
  auto document = parse_json(text);
  return how == serializer::json || !document ? text : serialize(how, *document);
}

/// `[1, "<task>", "<state>", <result>]` of a known task in its parts.
struct member {
  std::string state;
  std::string result; ///< JSON text
};

std::optional<member> parse_member(std::string_view text,
                                   const std::string& task) {
  std::string begin = "[1, ";
  append_json(begin, std::string_view{task});
  begin += ", \"";
  if (!text.starts_with(begin) || !text.ends_with(']'))
    return std::nullopt;
  text.remove_prefix(begin.size());
  text.remove_suffix(1);
  constexpr std::string_view between = "\", ";
  auto end = text.find(between);
  if (end == text.npos)
    return std::nullopt;
  return member{std::string{text.substr(0, end)},
                std::string{text.substr(end + between.size())}};
}

/// Why the body does not run, as Celery's ChordError has it.
std::string reason_of(const std::string& task, const std::string& result) {
  auto begin = "Dependency " + task + " raised ";
  auto why = parse_json(result);
  auto* type = why && why->is_object() ? why->as_object().if_contains("exc_type")
                                       : nullptr;
  if (!type || !type->is_string())
    return begin + result;
  json::array args;
  if (auto* given = why->as_object().if_contains("exc_message"))
    args = given->is_array() ? given->as_array() : json::array{*given};
  std::string name{type->as_string()};
  begin += name.substr(name.rfind('.') + 1) + '(';
  for (size_t i = 0; i < args.size(); ++i)
    begin += (i > 0 ? ", " : "") + python_repr(args[i]);
  return begin + ')';
}

using results_by_task = std::map<std::string, std::string>;

/// The results as the saved structure of a nested header has them.
std::string nested(const json::array& tuples, const results_by_task& results) {
  std::string list;
  for (auto& x : tuples) {
    auto& children = x.at(1);
    auto found = results.find(std::string{x.at(0).at(0).as_string()});
    list += list.empty() ? "[" : ", ";
    list += children.is_array() ? nested(children.as_array(), results)
            : found == results.end() ? "null"
                                     : found->second;
  }
  return list.empty() ? "[]" : list + ']';
}

} // namespace

std::optional<int64_t> chords::expiry() const {
  if (expires_.count() == 0)
    return std::nullopt;
  return to_number(now() + expires_);
}

// -- groups -----------------------------------------------------------------------

void chords::keep(const group_record& x) {
  db_->run(sql::sweep_groups, to_number(now()), sweep_max);
  switch (x.what) {
    case group_record::kind::size:
      db_->run(sql::set_chord_size, x.group, std::string_view{x.text}, expiry());
      break;
    case group_record::kind::joined:
      db_->run(sql::begin_chord, x.group, expiry());
      db_->run(sql::join_chord, x.group, std::string_view{x.text});
      break;
    case group_record::kind::results:
      db_->run(sql::save_group, x.group, expiry(), std::string_view{x.text});
      break;
  }
}

std::optional<std::string> chords::group(const std::string& id) {
  auto found = db_->select(sql::saved_group, id, to_number(now()));
  if (found.next())
    return std::string{found.text(0)};
  return std::nullopt;
}

void chords::forget_group(const std::string& id) {
  db_->run(sql::remove_group, id);
}

// -- chords -----------------------------------------------------------------------

void chords::count(const chord_part& x, bool claimed,
                   const publish_function& publish) {
  auto text = filled(x.member, {});
  auto what = parse_member(text, x.task.str());
  if (!what)
    return;
  auto time = to_number(now());
  db_->run(sql::sweep_chord_parts, time, sweep_max);
  db_->run(sql::sweep_chord_joined, time, sweep_max);
  db_->run(sql::sweep_chords, time, sweep_max);
  db_->run(sql::begin_chord, x.group, expiry());
  db_->run(sql::count_part, x.group, x.index.value_or(no_place), x.task.str(),
           what->state, what->result);
  if (!db_->number(sql::is_complete, x.group))
    return;
  // Of those that complete it again, only the one that was the last.
  if (claimed && db_->run(sql::claim_chord, x.group, x.task.str()) == 0)
    return;
  end(x, claimed, publish);
}

void chords::end(const chord_part& last, bool claimed,
                 const publish_function& send) {
  bool published = false;
  auto publish = [&](gapped_message x) {
    published = true;
    send(std::move(x));
  };
  std::vector<std::string> order;
  results_by_task results;
  std::string reason;
  {
    auto parts = db_->select(sql::parts_of_chord, last.group);
    while (parts.next()) {
      std::string task{parts.text(0)};
      std::string result{parts.text(2)};
      if (parts.text(1) != "SUCCESS" && reason.empty())
        reason = reason_of(task, result);
      if (!results.contains(task))
        order.push_back(task);
      results[task] = std::move(result);
    }
  }
  if (reason.empty())
    reason = last.reason;
  if (!claimed)
    forget(last.group);
  if (reason.empty()) {
    std::string list;
    auto saved = group(last.group);
    auto structure = saved ? parse_json(*saved) : expected<json::value>{json::value{}};
    try {
      if (saved && structure)
        list = nested(structure->at("result").at(1).as_array(), results);
    } catch (const std::exception&) {
      list.clear(); // it is not what a client saves
    }
    if (list.empty()) {
      for (auto& task : order)
        list += (list.empty() ? "[" : ", ") + results[task];
      list = list.empty() ? "[]" : list + ']';
    }
    auto gap = escaped(list);
    for (auto& x : last.groups)
      keep(x);
    for (auto x : last.body) {
      x.payload = {filled(x.payload, gap)};
      publish(std::move(x));
    }
    return;
  }
  auto gap = escaped(reason);
  for (auto& x : last.failures)
    results_->store({x.id, in_format(filled(x.document, gap), last.format),
                     x.reply_to});
  for (auto x : last.errbacks) {
    x.payload = {filled(x.payload, {})};
    publish(std::move(x));
  }
  for (auto outer : last.outer) {
    outer.member = {filled(outer.member, gap)};
    count(outer, claimed, publish);
  }
  if (claimed && !published) // there is nothing to wait for
    forget(last.group);
}

void chords::finish(const chord_part& last) {
  if (db_->number(sql::was_last, last.group, last.task.str()))
    forget(last.group);
  for (auto& outer : last.outer)
    finish(outer);
}

void chords::forget(const std::string& group) {
  db_->run(sql::remove_chord_parts, group);
  db_->run(sql::remove_chord_joined, group);
  db_->run(sql::remove_chord, group);
}

} // namespace umbel::sqlite
