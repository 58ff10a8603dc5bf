#include "apps/remote/answer_view.hpp"

#include "apps/remote/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace umbel {

namespace {

/// Longest text in a cell.
constexpr size_t cell_max = 200;

const json::value* member(const json::value& x, std::string_view name) {
  auto object = x.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

/// Any value in one cell.
std::string cell(const json::value* x) {
  if (x == nullptr || x->is_null())
    return "-";
  if (auto text = x->if_string())
    return text->empty() ? "''" : cut({text->data(), text->size()}, cell_max);
  if (x->is_bool())
    return x->get_bool() ? "true" : "false";
  return cut(to_json(*x), cell_max);
}

std::string cell(const json::value& x, std::string_view name) {
  return cell(member(x, name));
}

/// What people read of {"ok": text} and of null.
std::string word(const json::value& x) {
  if (x.is_null())
    return "done";
  auto ok = member(x, "ok");
  return cell(ok != nullptr ? ok : &x);
}

/// Arguments as values, or as the text that some have made of them.
std::string arguments(const json::value& task, std::string_view name) {
  auto x = member(task, name);
  if (x == nullptr)
    return "-";
  if (auto list = x->if_array())
    return python_repr_tuple(*list, cell_max);
  return x->is_string() ? cell(x) : python_repr(*x, cell_max);
}

/// How long it has run.
std::string age(const json::value& task, timestamp time) {
  auto x = member(task, "time_start");
  if (x == nullptr || !x->is_number())
    return "-";
  auto now = std::chrono::duration<double>(time.time_since_epoch()).count();
  return fmt::format("{:.1f} s", std::max(0.0, now - x->to_number<double>()));
}

using row = text_table::row;

void show_list(text_table& to, const node_answer& x,
               const std::function<row(const json::value&)>& rest) {
  auto add = [&](row cells) {
    cells.insert(cells.begin(), x.node.str());
    to.add(std::move(cells));
  };
  if (auto list = x.value.if_array())
    for (auto& one : *list)
      add(rest(one));
}

/// Names of fields within fields are joined by dots.
void show_fields(std::vector<row>& to, const std::string& name,
                 const json::value& x) {
  auto object = x.if_object();
  if (object == nullptr || object->empty()) {
    to.push_back({name, cell(&x)});
    return;
  }
  for (auto& [key, value] : *object)
    show_fields(to, name.empty() ? std::string{key}
                                 : name + '.' + std::string{key},
                value);
}

/// A table without titles, indented.
std::string paragraph(const std::vector<row>& rows) {
  size_t width = 0;
  for (auto& x : rows)
    width = std::max(width, width_of(x[0]));
  std::string result;
  for (auto& x : rows)
    result += fmt::format("  {}{:{}}  {}\n", one_line(x[0]), "",
                          width - width_of(x[0]), one_line(x[1]));
  return result;
}

/// Lines, each made harmless and indented.
std::string page(const json::value& x) {
  auto ok = member(x, "ok");
  auto text = ok != nullptr && ok->is_string()
                ? std::string_view{ok->get_string()}
                : std::string_view{};
  if (text.empty())
    return "  " + one_line(word(x)) + '\n';
  std::string result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = one_line(text.substr(0, end));
    result += line.empty() ? "\n" : "  " + line + '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

void draw(std::string& out, const json::value& x, const std::string& before,
          const std::string& below) {
  auto said = [&](std::string_view name) {
    auto y = member(x, name);
    return y != nullptr && y->is_bool() && y->get_bool();
  };
  auto line = before + one_line(cell(x, "id"));
  if (said("answered"))
    line += fmt::format(" (mailbox {})", cell(x, "mailbox"));
  std::vector<std::string> words;
  if (!said("alive"))
    words.emplace_back("not alive");
  else if (!said("answered"))
    words.emplace_back("no answer");
  if (auto state = member(x, "state");
      state != nullptr && state->is_string() && !state->get_string().empty())
    words.push_back(one_line(cell(state)));
  for (size_t i = 0; i < words.size(); ++i)
    line += (i == 0 ? ": " : ", ") + words[i];
  out += line + '\n';
  auto children = member(x, "children");
  if (children == nullptr || !children->is_array())
    return;
  auto& list = children->get_array();
  for (auto& child : list) {
    auto last = &child == &list.back();
    draw(out, child, below + (last ? "`- " : "|- "),
         below + (last ? "   " : "|  "));
  }
}

std::string show_paragraphs(answer_form form,
                            std::span<const node_answer> answers) {
  std::string result;
  for (auto& x : answers) {
    if (error_in(x.value))
      continue;
    if (!result.empty())
      result += '\n';
    result += one_line(x.node.str()) + '\n';
    if (form == answer_form::tree) {
      draw(result, x.value, "  ", "  ");
    } else if (form == answer_form::page) {
      result += page(x.value);
    } else {
      std::vector<row> rows;
      show_fields(rows, {}, x.value);
      result += paragraph(rows);
    }
  }
  return result;
}

row call_of(const json::value& task) {
  return {cell(task, "id"), cell(task, "name"), arguments(task, "args"),
          arguments(task, "kwargs")};
}

row join(row x, const row& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

} // namespace

std::optional<std::string_view> error_in(const json::value& answer) {
  auto x = member(answer, "error");
  if (x == nullptr || !x->is_string() || answer.get_object().size() != 1)
    return std::nullopt;
  return std::string_view{x->get_string()};
}

std::string answers_as_json(std::span<const node_answer> answers) {
  json::object all;
  for (auto& x : answers)
    all[x.node.str()] = x.value;
  return to_json(all);
}

std::string show_status(std::span<const node_answer> answers) {
  text_table result{{"NODE", "STATUS", "ANSWERED AFTER"}};
  for (auto& x : answers)
    if (!error_in(x.value))
      result.add({x.node.str(), "online",
                  fmt::format("{:.1f} ms",
                              static_cast<double>(x.after.count()) / 1'000)});
  return result.text();
}

std::string show_answers(answer_form form, std::span<const node_answer> answers,
                         timestamp time) {
  auto table = [&](row titles,
                   const std::function<row(const json::value&)>& rest) {
    text_table result{std::move(titles)};
    for (auto& x : answers)
      show_list(result, x, rest);
    return result.empty() ? std::string{} : result.text();
  };
  switch (form) {
    case answer_form::names:
      return table({"NODE", "NAME"}, [](auto& x) { return row{cell(&x)}; });
    case answer_form::tasks:
      return table({"NODE", "ID", "TASK", "ARGS", "KWARGS", "RUNS", "PROCESS"},
                   [&](auto& x) {
                     return join(call_of(x),
                                 {age(x, time), cell(x, "worker_pid")});
                   });
    case answer_form::waiting:
      return table({"NODE", "ETA", "ID", "TASK", "ARGS", "KWARGS"},
                   [](auto& x) {
                     auto request = member(x, "request");
                     return join({cell(x, "eta")},
                                 call_of(request != nullptr ? *request : x));
                   });
    case answer_form::queues:
      return table({"NODE", "QUEUE", "EXCHANGE", "TYPE", "ROUTING KEY"},
                   [](auto& x) {
                     auto exchange = member(x, "exchange");
                     auto& from = exchange != nullptr ? *exchange : x;
                     return row{cell(x, "name"), cell(from, "name"),
                                cell(from, "type"), cell(x, "routing_key")};
                   });
    case answer_form::found: {
      text_table result{{"NODE", "ID", "STATE", "TASK", "ARGS", "KWARGS"}};
      for (auto& x : answers)
        if (auto tasks = x.value.if_object(); tasks && !error_in(x.value))
          for (auto& [id, what] : *tasks) {
            auto list = what.if_array();
            auto state = list && !list->empty() ? &(*list)[0] : &what;
            auto call = list && list->size() > 1 ? call_of((*list)[1])
                                                 : row(4, "-");
            result.add({x.node.str(), std::string{id}, cell(state), call[1],
                        call[2], call[3]});
          }
      return result.empty() ? std::string{} : result.text();
    }
    case answer_form::fields:
    case answer_form::page:
    case answer_form::tree:
      return show_paragraphs(form, answers);
    case answer_form::word:
      break;
  }
  text_table result{{"NODE", "ANSWER"}};
  for (auto& x : answers)
    if (!error_in(x.value))
      result.add({x.node.str(), word(x.value)});
  return result.empty() ? std::string{} : result.text();
}

} // namespace umbel
