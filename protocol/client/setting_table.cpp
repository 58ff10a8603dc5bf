#include "protocol/client/setting_table.hpp"

#include "protocol/client/setting_value.hpp"

#include <algorithm>
#include <cctype>

namespace umbel {

namespace {

using detail::bounds;
using detail::setting_value;

constexpr std::string_view queue_types[] = {"classic", "quorum"};
constexpr std::string_view missing_exchange_types[] = {"direct", "topic"};
constexpr std::string_view pools[] = {"prefork",  "processes", "threads",
                                      "eventlet", "gevent",    "solo"};

template <auto Member>
using member_type =
    std::remove_cvref_t<decltype(std::declval<settings>().*Member)>;

// Null stands for the default where the member knows no "none".
template <auto Member, int64_t Min = bounds{}.min, int64_t Max = bounds{}.max>
expected<void> set_setting(settings& x, const json::value& value,
                           const setting_origin& origin) {
  using type = member_type<Member>;
  if constexpr (!requires(type y) { y.has_value(); }) {
    if (value.is_null()) {
      settings defaults;
      x.*Member = defaults.*Member;
      return {};
    }
  }
  return setting_value<type>::set(x.*Member, value, origin, {Min, Max});
}

template <auto Member, auto& Choices>
expected<void> set_choice(settings& x, const json::value& value,
                          const setting_origin& origin) {
  if (value.is_null()) {
    settings defaults;
    x.*Member = defaults.*Member;
    return {};
  }
  if (value.is_string()) {
    std::string_view text = value.get_string();
    if (std::ranges::find(Choices, text) != std::end(Choices)) {
      x.*Member = text;
      return {};
    }
  }
  std::string wanted;
  for (auto choice : Choices)
    wanted += (wanted.empty() ? "" : ", ") + std::string{choice};
  if (std::size(Choices) > 1)
    wanted = "one of " + wanted;
  return detail::wrong_value(origin, value, wanted);
}

template <auto Member>
json::value get_setting(const settings& x) {
  return setting_value<member_type<Member>>::get(x.*Member);
}

template <auto Member>
constexpr setting_info
make_row(std::string_view name, std::string_view old_name,
         std::string_view meaning, auto set, bool secret) {
  return {name,
          old_name,
          meaning,
          {},
          setting_value<member_type<Member>>::kind,
          secret,
          set,
          get_setting<Member>};
}

constexpr setting_info table[] = {
#define SETTING(member, old_name, meaning) \
  make_row<&settings::member>(#member, old_name, meaning, \
                              set_setting<&settings::member>, false),
#define SECRET(member, old_name, meaning) \
  make_row<&settings::member>(#member, old_name, meaning, \
                              set_setting<&settings::member>, true),
#define RANGED(member, min, max, old_name, meaning) \
  make_row<&settings::member>(#member, old_name, meaning, \
                              set_setting<&settings::member, min, max>, \
                              false),
#define CHOICE(member, choices, old_name, meaning) \
  make_row<&settings::member>(#member, old_name, meaning, \
                              set_choice<&settings::member, choices>, false),
#include "protocol/client/settings.def"
#define NOT_YET(name, default_json, old_name) \
  setting_info{#name, old_name, {}, default_json},
#include "protocol/client/settings_not_yet.def"
};

bool equals_upper(std::string_view upper, std::string_view name) {
  return std::ranges::equal(upper, name, [](char x, char y) {
    return x == std::toupper(static_cast<unsigned char>(y));
  });
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (auto& c : result)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

} // namespace

const char* to_string(setting_kind kind) noexcept {
  switch (kind) {
    case setting_kind::boolean:
      return "true or false";
    case setting_kind::integer:
      return "whole number";
    case setting_kind::seconds:
      return "seconds";
    case setting_kind::text:
      return "text";
    case setting_kind::list:
      return "list";
    case setting_kind::object:
      return "object";
  }
  return "";
}

std::span<const setting_info> setting_table() {
  return table;
}

const setting_info* find_setting(std::string_view name) {
  auto row = std::ranges::find(table, name, &setting_info::name);
  return row == std::end(table) ? nullptr : row;
}

const setting_info* find_old_setting(std::string_view old_name) {
  // An own old name first: that of one setting may look like the plain form of
  // another's (CELERY_RESULT_... and RESULT_...).
  for (auto& row : table)
    if (!row.old_name.empty() && row.old_name == old_name)
      return &row;
  constexpr std::string_view prefix = "CELERY_";
  for (auto& row : table) {
    if (equals_upper(old_name, row.name)
        || (old_name.starts_with(prefix)
            && equals_upper(old_name.substr(prefix.size()), row.name)))
      return &row;
  }
  return nullptr;
}

std::string default_text(const setting_info& row) {
  if (!row.implemented())
    return std::string{row.default_json};
  auto value = row.get(settings{});
  if (value.is_null())
    return "none";
  if (value.is_string())
    return std::string{std::string_view{value.get_string()}};
  return json::serialize(value);
}

json::value value_from_text(setting_kind kind, const std::string& text) {
  auto word = lower(text);
  if (kind != setting_kind::text && (word == "none" || word == "null"))
    return nullptr;
  boost::system::error_code ec;
  switch (kind) {
    case setting_kind::boolean:
      for (auto yes : {"1", "true", "yes", "on", "y", "t"})
        if (word == yes)
          return true;
      for (auto no : {"0", "false", "no", "off", "n", "f"})
        if (word == no)
          return false;
      break;
    case setting_kind::integer:
    case setting_kind::seconds: {
      auto value = json::parse(text, ec);
      if (!ec && value.is_number())
        return value;
      break;
    }
    case setting_kind::list: {
      if (text.find_first_of("[{") == std::string::npos) {
        json::array items;
        for (size_t begin = 0; begin <= text.size();) {
          auto end = std::min(text.find(',', begin), text.size());
          auto first = std::min(text.find_first_not_of(' ', begin), end);
          auto item = std::string_view{text}.substr(first, end - first);
          while (item.ends_with(' '))
            item.remove_suffix(1);
          if (!item.empty())
            items.emplace_back(item);
          begin = end + 1;
        }
        return items;
      }
      [[fallthrough]];
    }
    case setting_kind::object: {
      auto value = json::parse(text, ec);
      if (!ec)
        return value;
      break;
    }
    case setting_kind::text:
      break;
  }
  return json::value(text);
}

std::string settings_markdown() {
  std::string result = "| Setting | Type | Default | Meaning |\n"
                       "|---|---|---|---|\n";
  for (auto& row : table) {
    if (!row.implemented())
      continue;
    auto value = default_text(row);
    for (auto& c : value)
      if (static_cast<unsigned char>(c) < ' ')
        c = ' ';
    result += "| `" + std::string{row.name} + "` | " + to_string(row.kind)
              + " | " + (value.empty() ? "" : '`' + value + '`') + " | "
              + std::string{row.meaning} + " |\n";
  }
  result += "\nKnown, and without effect yet:";
  for (auto& row : table)
    if (!row.implemented())
      result += " `" + std::string{row.name} + '`';
  return result + '\n';
}

} // namespace umbel
