// The part of filesystem_broker that looks at dead letters, and takes them. The
// name of a file is its letter's id.
#include "protocol/broker/dead_letter.hpp"
#include "protocol/broker/filesystem/filesystem_broker.hpp"

#include <algorithm>

namespace umbel {

using namespace filesystem;

namespace {

dead_letter parse(const std::string& name, const std::string& path,
                  const std::string& text) {
  auto end = std::min(text.find('\n'), text.size());
  return {text.substr(0, end), text.substr(std::min(end + 1, text.size())),
          name, time_of(path).value_or(timestamp{})};
}

} // namespace

expected<std::vector<dead_letter>>
filesystem_broker::dead_letters(const queue_name& queue, size_t max) {
  std::vector<dead_letter> result;
  auto folder = where_.dead(queue);
  auto names = list(folder);
  for (auto i = names.rbegin(); i != names.rend() && result.size() < max; ++i) {
    auto path = folder + '/' + *i;
    if (auto text = read_file(path)) // else it was the oldest, and has gone
      result.push_back(parse(*i, path, *text));
  }
  return result;
}

expected<std::vector<queue_name>> filesystem_broker::dead_queues() {
  std::vector<queue_name> result;
  auto folder = where_.own + "/dead";
  for (auto& name : list(folder))
    if (!list(folder + '/' + name).empty())
      result.emplace_back(unescape(name));
  return result;
}

expected<size_t> filesystem_broker::take_dead(const queue_name& queue,
                                              std::span<const std::string> ids,
                                              dead_fate fate) {
  auto change = begin();
  if (!change)
    return change.error();
  size_t taken = 0;
  auto folder = where_.dead(queue);
  for (auto& name : list(folder)) {
    auto path = folder + '/' + name;
    if (std::ranges::find(ids, name) == ids.end())
      continue;
    auto text = read_file(path);
    if (!text)
      continue;
    if (fate == dead_fate::replay)
      if (auto done =
            put(*change, replayed(queue, parse(name, path, *text).payload));
          !done)
        return done.error();
    change->remove(path);
    ++taken;
  }
  if (auto done = change->commit(); !done)
    return done.error();
  return taken;
}

} // namespace umbel
