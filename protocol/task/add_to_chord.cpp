// The part of `context` that lets more tasks join the chord that its own is a part
// of. What has joined counts in the same step as the task's own result: a run that
// fails, is retried or dies has added nothing.
#include "protocol/message/envelope.hpp"
#include "protocol/task/chord_parts.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/remote_exception.hpp"

#include <string>

namespace umbel {

namespace {

/// Its place in the header, which those that join share with it.
std::optional<int64_t> index_of(const task_message& x) {
  auto* index = x.headers.if_contains("group_index");
  return index && index->is_int64() ? std::optional{index->get_int64()}
                                    : std::nullopt;
}

} // namespace

json::value context::join_chord(canvas::signature& x) {
  check_signature(x);
  auto* chord = message_.embed.if_contains("chord");
  if (!chord || chord->is_null() || group().empty())
    throw exception("ValueError",
                    {"Current task is not member of any chord"});
  if (settings_.chords != chord_counting::counted)
    throw exception("NotImplementedError",
                    {"Backend does not support add_to_chord"});
  // A run of the same message gives the same ids: should both be settled, each
  // counts once.
  auto name = id() + "/joined/" + std::to_string(++joined_);
  if (x.option("task_id").empty())
    x.options["task_id"] = make_name_uuid(name);
  x.options.erase("group_id");
  auto result = canvas::freeze(x, {group(), *chord, index_of(message_)});
  auto parts = canvas::count_parts(x);
  for (size_t i = 0; i < parts; ++i)
    started_.groups.push_back({group(), group_record::kind::joined,
                               name + '/' + std::to_string(i)});
  return result;
}

canvas::signature context::add_to_chord_lazily(canvas::signature x) {
  join_chord(x);
  return x;
}

json::value context::add_to_chord(canvas::signature x) {
  auto result = join_chord(x);
  auto from = origin_of(message_, settings_);
  canvas::application made;
  canvas::applier{made, from}.apply_frozen(std::move(x));
  if (made.failure)
    throw queue_not_found(*made.failure);
  canvas::append(started_, std::move(made));
  started_.children.push_back(result);
  return result;
}

} // namespace umbel
