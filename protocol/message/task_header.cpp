// The hot path: a worker's parent reads every message's header, and nothing
// else of it.
#include "protocol/message/task_fields.hpp"

#include <cstddef>

namespace umbel {

namespace {

/// Protocol 1 and hybrid messages: the header is in the body.
expected<task_header> read_from_body(const envelope_view& view,
                                     const body_form& form, size_t max) {
  auto text = decode_body(view);
  if (!text)
    return text.error();
  auto body = decode_body(form, *text, max);
  if (!body)
    return error{errc::malformed, "body: " + body.error().what};
  if (!body->is_object())
    return error{errc::malformed, "body: no mapping"};
  auto fields = translate_fields(body->get_object(), *view.headers);
  if (!fields)
    return fields.error();
  auto out = read_fields(fields->headers, *view.properties);
  if (out)
    out->utc = fields->utc;
  return out;
}

} // namespace

expected<task_header> read_task_header(std::string_view payload,
                                       const content_rules& rules) {
  // Usual messages have 1 to 2 KB: parsed, they fit here without a malloc. Not
  // thread_local: that has to be cleared for every thread of every process.
  alignas(std::max_align_t) unsigned char scratch[16'384];
  json::monotonic_resource arena{scratch, sizeof(scratch)};
  auto doc = parse_json(payload, &arena);
  if (!doc)
    return error{errc::malformed, "envelope: " + doc.error().what};
  auto view = view_envelope(*doc);
  if (!view)
    return view.error();
  auto form = read_form(view->content_type, view->content_encoding,
                        *view->headers, rules);
  if (!form)
    return form.error();
  // What is not plain JSON is read only if it has to be: the header of a
  // "hybrid" message must then be whole.
  if (form->plain_json() ? has_mapping_body(*view)
                         : !view->headers->contains("task"))
    return read_from_body(*view, *form, rules.body_max);
  if (!view->headers->contains("task"))
    return error{errc::malformed, "not a task message: no header 'task', and "
                                  "the body is not a mapping of protocol 1"};
  return read_fields(*view->headers, *view->properties);
}

std::string read_header_text(std::string_view payload, std::string_view name) {
  alignas(std::max_align_t) unsigned char scratch[16'384];
  json::monotonic_resource arena{scratch, sizeof(scratch)};
  auto doc = parse_json(payload, &arena);
  if (!doc)
    return {};
  auto view = view_envelope(*doc);
  if (!view)
    return {};
  auto* x = view->headers->if_contains(name);
  if (!x || x->is_null())
    return {};
  return x->is_string() ? std::string{std::string_view{x->get_string()}}
                        : to_json(*x);
}

} // namespace umbel
