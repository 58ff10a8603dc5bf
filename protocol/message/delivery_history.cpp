#include "protocol/message/delivery_history.hpp"

#include "protocol/message/envelope_view.hpp"

#include <algorithm>

namespace umbel {

namespace {

std::string text_at(const json::object& x, std::string_view key) {
  auto found = x.if_contains(key);
  return found != nullptr && found->is_string()
           ? std::string{std::string_view{found->get_string()}}
           : std::string{};
}

json::object* object_at(json::object& x, std::string_view key) {
  auto found = x.if_contains(key);
  return found != nullptr ? found->if_object() : nullptr;
}

json::object to_json_object(const delivery_history& x) {
  json::array notes;
  for (auto& note : x.notes) {
    json::object one{{"at", format_time(note.at)}, {"node", note.node}};
    if (!note.end.empty())
      one["end"] = note.end;
    notes.push_back(std::move(one));
  }
  return {{"count", x.count}, {"notes", std::move(notes)}};
}

} // namespace

void delivery_history::add(delivery_note x) {
  ++count;
  notes.push_back(std::move(x));
  if (notes.size() > notes_max)
    notes.erase(notes.begin());
}

size_t delivery_count(const json::object& headers) {
  auto x = headers.if_contains(deliveries_header);
  if (x == nullptr || !x->is_object())
    return 0;
  auto count = x->get_object().if_contains("count");
  if (count == nullptr || !count->is_number())
    return 0;
  boost::system::error_code failed;
  auto n = count->to_number<int32_t>(failed);
  return failed || n < 0 ? 0 : static_cast<size_t>(n);
}

delivery_history read_history(std::string_view payload) {
  delivery_history result;
  auto doc = parse_json(payload);
  if (!doc)
    return result;
  auto view = view_envelope(*doc);
  if (!view)
    return result;
  result.count = delivery_count(*view->headers);
  auto header = view->headers->if_contains(deliveries_header);
  if (header == nullptr || !header->is_object())
    return result;
  auto notes = header->get_object().if_contains("notes");
  if (notes == nullptr || !notes->is_array())
    return result;
  for (auto& x : notes->get_array()) {
    if (!x.is_object() || result.notes.size() == delivery_history::notes_max)
      continue;
    auto& note = x.get_object();
    auto at = parse_time(text_at(note, "at"));
    result.notes.push_back(
      {at ? *at : timestamp{}, text_at(note, "node"), text_at(note, "end")});
  }
  return result;
}

expected<std::string> with_history(std::string_view payload,
                                   const delivery_history& x) {
  auto doc = parse_json(payload);
  if (!doc)
    return doc.error();
  if (auto view = view_envelope(*doc); !view)
    return view.error();
  auto& headers = doc->get_object()["headers"];
  if (!headers.is_object())
    headers.emplace_object();
  headers.get_object()[deliveries_header] = to_json_object(x);
  return to_json(*doc);
}

std::string as_new(std::string_view payload) {
  auto doc = parse_json(payload);
  if (!doc || !view_envelope(*doc))
    return std::string{payload};
  auto& envelope = doc->get_object();
  auto removed = false;
  if (auto headers = object_at(envelope, "headers"))
    removed = headers->erase(deliveries_header) + headers->erase("redelivered")
              > 0;
  if (auto properties = object_at(envelope, "properties"))
    if (auto info = object_at(*properties, "delivery_info"))
      removed = info->erase("redelivered") > 0 || removed;
  return removed ? to_json(*doc) : std::string{payload};
}

} // namespace umbel
