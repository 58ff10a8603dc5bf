#include "apps/multi/node.hpp"

#include "protocol/client/node_format.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace umbel::multi {

namespace {

/// More nodes than that are a mistake.
constexpr int nodes_max = 4096;

constexpr const char* default_command = "worker --detach";
constexpr const char* default_pidfile = "%n.pid";
constexpr const char* default_logfile = "%n%I.log";

/// Options of every command: they stand before "worker".
constexpr std::string_view global_options[] = {
    "-A",         "--app",      "-b", "--broker",   "--result-backend",
    "--loader",   "--config",   "--workdir", "-C", "--no-color",
    "-q",         "--quiet",
};

std::optional<int> to_number(std::string_view text) {
  int result = 0;
  auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), result);
  if (failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return result;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> result{""};
  for (auto c : text) {
    if (c == separator)
      result.emplace_back();
    else
      result.back() += c;
  }
  return result;
}

/// "3" is the names "1", "2", "3".
expected<std::vector<std::string>> range(int n) {
  if (n < 1 || n > nodes_max)
    return invalid("'" + std::to_string(n)
                   + "' is not a number of nodes from 1 to "
                   + std::to_string(nodes_max));
  std::vector<std::string> result;
  for (int i = 1; i <= n; ++i)
    result.push_back(std::to_string(i));
  return result;
}

/// "-c:2": the second of the names.
expected<void> resolve_indices(arguments& x,
                               const std::vector<std::string>& names) {
  auto sets = x.node_sets;
  for (auto& set : sets) {
    auto index = to_number(set);
    if (!index)
      continue;
    if (*index < 1)
      return invalid("indices start at 1, not at " + set);
    if (static_cast<size_t>(*index) > names.size())
      return invalid("there is no node number " + set + ": there are "
                     + std::to_string(names.size()));
    auto more = x.for_nodes[set];
    x.options_for(names[static_cast<size_t>(*index) - 1]).set_all(more);
  }
  return {};
}

/// "1,3", and "1-3" if the nodes are a range.
expected<std::vector<std::string>> members(const std::string& set,
                                           bool ranges) {
  std::vector<std::string> result;
  for (auto& part : split(set, ',')) {
    auto bounds = split(part, '-');
    auto first = to_number(bounds.front());
    auto last = to_number(bounds.back());
    if (!ranges || bounds.size() != 2 || !first || !last) {
      result.push_back(part);
      continue;
    }
    if (*first < 1 || *last > nodes_max)
      return invalid("'" + part + "' is not a range of nodes, such as 1-3");
    for (int i = first.value(); i <= last.value(); ++i)
      result.push_back(std::to_string(i));
  }
  return result;
}

expected<void> resolve_sets(arguments& x, bool ranges) {
  auto sets = x.node_sets;
  for (auto& set : sets) {
    if (set.find(',') == set.npos && !(ranges && set.find('-') != set.npos))
      continue;
    auto names = members(set, ranges);
    if (!names)
      return names.error();
    auto more = x.for_nodes[set];
    for (auto& name : *names)
      x.options_for(name).set_all(more);
  }
  return {};
}

/// The node's own name, with its host.
expected<std::string> full_name(const std::string& name,
                                const std::string& prefix,
                                const std::string& host,
                                const std::string& this_host) {
  auto text = name.find('@') == name.npos ? prefix + name + '@' + host : name;
  auto dot = this_host.find('.');
  percent_letters letters{
      {'h', this_host},
      {'n', this_host.substr(0, dot)},
      {'d', dot == this_host.npos ? "" : this_host.substr(dot + 1)},
  };
  return expand_percent(text, letters, "node name",
                        "%h (host name), %n (host name without domain), %d "
                        "(domain)");
}

/// What a shell would take for one word, if it is not one as it is.
std::string quoted(const std::string& word) {
  auto is_plain = [](unsigned char c) {
    return std::isalnum(c) || std::string_view{"@%+=:,./-_"}.find(
                                  static_cast<char>(c))
                                  != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, is_plain))
    return word;
  std::string result{"'"};
  for (auto c : word)
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + '\'';
}

/// Appends "--name=value", or "-n" and "value".
void append_option(std::vector<std::string>& args, const std::string& name,
                   const std::string& value) {
  if (value.empty())
    args.push_back(name);
  else if (name.starts_with("--"))
    args.push_back(name + '=' + value);
  else
    args.insert(args.end(), {name, value});
}

const std::string& one_of(const option_list& xs, const char* name,
                          const char* other) {
  auto found = xs.find(name);
  return found != nullptr ? *found : *xs.find(other);
}

/// Where the worker finds a file: seen from its directory, with the letters that
/// were left to it.
std::string file_of_worker(const node& x, const std::string& workdir,
                           const std::string& text) {
  auto path = expand_node_path(x.expand(text), node_name{x.name}, "path");
  if (!path)
    return text; // the worker refuses it
  if (workdir.empty() || path->starts_with('/'))
    return *path;
  return workdir + '/' + *path;
}

void fill(node& x, option_list options, const std::string& command,
          const std::optional<std::string>& append,
          const std::vector<std::string>& passed_on) {
  for (auto& word : split(x.expand(command), ' '))
    if (!word.empty())
      x.args.push_back(word);
  // Celery puts each before the one that came before it.
  for (auto& [name, value] : options) {
    if (std::ranges::find(global_options, name) == std::end(global_options))
      continue;
    std::vector<std::string> words;
    append_option(words, name, x.expand(value));
    x.args.insert(x.args.begin(), words.begin(), words.end());
  }
  for (auto& [name, value] : options)
    if (std::ranges::find(global_options, name) == std::end(global_options)
        && !signal_number(name))
      append_option(x.args, name, x.expand(value));
  x.args.insert(x.args.end(), passed_on.begin(), passed_on.end());
  if (append && !append->empty())
    x.args.push_back(x.expand(*append));
}

} // namespace

std::string node::expand(const std::string& text) const {
  auto at = name.find('@');
  percent_letters letters{
      {'n', name.substr(0, at)}, {'N', name.substr(0, at)},
      {'h', name},               {'p', name},
      {'d', name.substr(at + 1)},
  };
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    auto next = i + 1 < text.size() ? text[i + 1] : '\0';
    auto found = text[i] == '%' ? letters.find(next) : letters.end();
    if (found != letters.end()) {
      result += found->second;
      ++i;
    } else {
      result += text[i];
      if (text[i] == '%' && next == '%')
        result += text[++i];
    }
  }
  return result;
}

std::string node::args_str() const {
  std::string result;
  for (auto& arg : args)
    result += (result.empty() ? "" : " ") + quoted(arg);
  return result;
}

std::string node::str() const {
  return quoted(executable) + ' ' + args_str();
}

expected<std::vector<node>> nodes_of(arguments args,
                                     const surroundings& where) {
  auto& options = args.options;
  auto command = options.take("--cmd").value_or(default_command);
  auto append = options.take("--append");
  auto short_host = options.take("-n");
  auto host = options.take("--hostname")
                  .value_or(short_host.value_or(where.host));
  auto prefix = options.take("--prefix").value_or("");
  auto suffix = options.take("--suffix").value_or("");
  if (suffix.empty())
    suffix = host;
  else if (suffix == "\"\"" || suffix == "''")
    suffix.clear();
  auto range_prefix = options.take("--range-prefix").value_or("");
  auto names = args.names;
  // One number is so many nodes; their options may be given to ranges.
  auto ranges = names.size() == 1;
  if (ranges)
    if (auto n = to_number(names.front())) {
      auto numbers = range(*n);
      if (!numbers)
        return numbers.error();
      names = std::move(*numbers);
      prefix = range_prefix.empty() ? "celery" : range_prefix;
    }
  if (auto done = resolve_indices(args, names); !done)
    return done.error();
  if (auto done = resolve_sets(args, ranges); !done)
    return done.error();
  std::vector<node> result;
  for (auto& name : names) {
    auto full = full_name(name, prefix, suffix, where.host);
    if (!full)
      return full.error();
    node x;
    x.name = *full;
    auto own = options;
    auto key = args.for_nodes.contains(x.name) ? x.name
               : name.find('@') == name.npos
                   ? name
                   : x.name.substr(0, x.name.find('@'));
    if (auto more = args.for_nodes.find(key); more != args.for_nodes.end())
      own.set_all(more->second);
    own.set("-n", x.name);
    if (own.find("-p") == nullptr && own.find("--pidfile") == nullptr)
      own.set("--pidfile", default_pidfile);
    if (own.find("-f") == nullptr && own.find("--logfile") == nullptr)
      own.set("--logfile", default_logfile);
    if (own.find("--executable") == nullptr)
      own.set("--executable", where.executable);
    // Celery's short name, which its worker does not know.
    if (auto short_name = own.take("-p"); short_name && !own.find("--pidfile"))
      own.set("--pidfile", *short_name);
    x.executable = *own.find("--executable");
    auto workdir = own.find("--workdir");
    auto base = workdir != nullptr ? x.expand(*workdir) : std::string{};
    x.pidfile = file_of_worker(x, base, *own.find("--pidfile"));
    x.logfile = file_of_worker(x, base, one_of(own, "--logfile", "-f"));
    fill(x, std::move(own), command, append, args.passed_on);
    result.push_back(std::move(x));
  }
  return result;
}

} // namespace umbel::multi
