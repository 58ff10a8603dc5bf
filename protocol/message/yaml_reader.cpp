// Made from the events of yaml-cpp's parser, not from its nodes: so an alias costs
// what it means, and stops at the bound.
#include "protocol/message/envelope.hpp"
#include "protocol/message/tags.hpp"
#include "protocol/message/utf8.hpp"
#include "protocol/message/value_builder.hpp"
#include "protocol/message/yaml.hpp"
#include "protocol/message/yaml_scalar.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace umbel {

namespace {

/// Ends yaml-cpp's parser from within its events.
struct refusal {
  std::string why;
};

/// About what a value takes in memory; an alias costs this again.
size_t cost_of(const json::value& x) {
  auto cost = sizeof(json::value);
  if (auto text = x.if_string())
    cost += text->size();
  if (auto list = x.if_array())
    for (auto& y : *list)
      cost += cost_of(y);
  if (auto object = x.if_object())
    for (auto& [key, y] : *object)
      cost += key.size() + cost_of(y);
  return cost;
}

/// yaml-cpp makes the escapes \N and \_ single bytes, which are no UTF-8. Where
/// the whole text was UTF-8, no others are.
std::string repaired(const std::string& text) {
  if (is_valid_utf8(text))
    return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    auto at = rest.data();
    take_code_point(rest);
    if (*at == '\x85' || *at == '\xa0')
      out += '\xc2';
    out.append(at, rest.data());
  }
  if (!is_valid_utf8(out))
    throw refusal{"a text that is no UTF-8"};
  return out;
}

class reader final : public YAML::EventHandler {
public:
  explicit reader(size_t max) : left_(max) {
  }

  bool complete() const {
    return complete_;
  }

  json::value take() {
    return values_.take();
  }

  void OnDocumentStart(const YAML::Mark&) override {
    if (complete_)
      throw refusal{"more than one document"};
  }

  void OnDocumentEnd() override {
    complete_ = true;
  }

  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override {
    put(nullptr, anchor);
  }

  void OnScalar(const YAML::Mark&, const std::string& tag,
                YAML::anchor_t anchor, const std::string& text) override {
    auto value = read_yaml_scalar(tag, repaired(text));
    if (!value)
      throw refusal{value.error().what};
    put(std::move(*value), anchor);
  }

  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    auto known = anchored_.find(anchor);
    if (known == anchored_.end())
      throw refusal{"an alias within what it means"};
    pay(known->second.cost);
    put(known->second.value, 0);
  }

  void OnSequenceStart(const YAML::Mark&, const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(json::array{}, tag, "seq", anchor);
  }

  void OnSequenceEnd() override {
    end();
  }

  void OnMapStart(const YAML::Mark&, const std::string& tag,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(json::object{}, tag, "map", anchor);
  }

  void OnMapEnd() override {
    end();
  }

private:
  struct meaning {
    json::value value;
    size_t cost;
  };

  void put(json::value x, YAML::anchor_t anchor) {
    if (anchor != 0)
      remember(anchor, x);
    if (values_.wants_key()) {
      auto key = yaml_key(x);
      if (!key)
        throw refusal{"a key that is no scalar"};
      return values_.key(*key);
    }
    values_.add(std::move(x));
  }

  void begin(json::value x, const std::string& tag, std::string_view kind,
             YAML::anchor_t anchor) {
    if (values_.wants_key())
      throw refusal{"a key that is no scalar"};
    if (tag != "?" && tag != "!" && !tag.empty()
        && tag != fmt::format("tag:yaml.org,2002:{}", kind))
      throw refusal{refused_yaml_tag(tag)};
    if (!values_.begin(std::move(x)))
      throw refusal{"nested too deeply"};
    anchors_.push_back(anchor);
  }

  void end() {
    auto& done = values_.end();
    if (auto anchor = anchors_.back(); anchor != 0)
      remember(anchor, done);
    anchors_.pop_back();
  }

  void remember(YAML::anchor_t anchor, const json::value& x) {
    auto cost = cost_of(x);
    pay(cost);
    anchored_.insert_or_assign(anchor, meaning{x, cost});
  }

  void pay(size_t cost) {
    if (cost > left_)
      throw refusal{"its aliases mean more than is accepted"};
    left_ -= cost;
  }

  value_builder values_;
  std::vector<YAML::anchor_t> anchors_; ///< of what is open; 0: none
  std::map<YAML::anchor_t, meaning> anchored_;
  size_t left_;
  bool complete_ = false;
};

/// yaml-cpp 0.7 loses `!!binary |` in an item of a list, which is how PyYAML writes
/// bytes. @returns the text with such blocks in quotes instead
std::string with_quoted_binary(std::string_view text) {
  constexpr std::string_view head = "- !!binary |";
  std::string out;
  bool within = false; // a block
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto content = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (within) {
      // Ends where something other than base64 comes.
      if (!content.empty() && content[0] != '-' && content.size() < line.size()
          && content.find_first_of(": ") == content.npos) {
        out += content;
        continue;
      }
      out += "\"\n";
      within = false;
    }
    within = line.ends_with(head)
             && line.find_first_not_of("- ") == line.size() - head.size() + 2;
    if (within)
      out.append(line.substr(0, line.size() - 1)) += '"';
    else
      out.append(line) += '\n';
  }
  if (within)
    out += "\"\n";
  return out;
}

expected<json::value> parse_once(const std::string& text, size_t max) {
  auto malformed = [](const std::string& why) {
    return error{errc::malformed, "not valid YAML: " + why};
  };
  try {
    std::istringstream in{text};
    YAML::Parser parser{in};
    reader events{max};
    while (parser.HandleNextDocument(events))
      ;
    if (!events.complete())
      return malformed("it is empty");
    return events.take();
  } catch (const refusal& x) {
    return malformed(x.why);
  } catch (const YAML::Exception& x) {
    return malformed(fmt::format("{} at line {}, column {}", x.msg,
                                 x.mark.line + 1, x.mark.column + 1));
  }
}

} // namespace

expected<json::value> parse_yaml(std::string_view text, size_t max) {
  auto malformed = [](const std::string& why) {
    return error{errc::malformed, "not valid YAML: " + why};
  };
  if (!is_valid_utf8(text))
    return malformed("it is no UTF-8");
  // Else yaml-cpp guesses at UTF-16.
  if (text.find('\0') != text.npos)
    return malformed("a NUL character");
  std::string copy{text};
  auto x = parse_once(copy, max);
  if (x || text.find("- !!binary |\n") == text.npos)
    return x;
  auto again = parse_once(with_quoted_binary(text), max);
  return again ? again : x;
}

} // namespace umbel
