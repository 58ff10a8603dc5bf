#include "apps/remote/event_view.hpp"

#include "apps/remote/text_table.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace umbel {

namespace {

/// Rows that a page up or down moves by.
constexpr int64_t page_rows = 10;

/// Longest text that can be typed.
constexpr size_t input_max = 64;

/// Cut or filled up to this width.
std::string column(std::string_view text, size_t width) {
  auto result = cut(one_line(text), width);
  result.append(width - width_of(result), ' ');
  return result;
}

std::string clock_time(timestamp x) {
  auto seconds = std::chrono::system_clock::to_time_t(
    std::chrono::time_point_cast<std::chrono::seconds>(x));
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:%H:%M:%S}", local);
}

std::string ago(timestamp x, timestamp now) {
  auto seconds = std::chrono::duration<double>(now - x).count();
  return fmt::format("{:.0f} s", std::max(0.0, seconds));
}

line_style style_of(const observed_task& x) {
  if (x.state == "SUCCESS")
    return line_style::good;
  if (x.state == "FAILURE" || x.state == "REVOKED" || x.state == "REJECTED")
    return line_style::bad;
  return x.state == "STARTED" ? line_style::busy : line_style::plain;
}

/// Of `size` rows those that fit into `rows`, so that `chosen` is among them.
size_t first_row(size_t size, size_t rows, size_t chosen) {
  if (size <= rows || chosen < rows / 2)
    return 0;
  return std::min(chosen - rows / 2, size - rows);
}

/// A text as lines of at most this width.
void wrap(std::vector<std::string>& to, std::string_view text, size_t width) {
  while (true) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = one_line(text.substr(0, end));
    do {
      auto part = line;
      if (width_of(line) > width) {
        size_t bytes = 0;
        for (size_t n = 0; bytes < line.size(); ++bytes)
          if ((static_cast<unsigned char>(line[bytes]) & 0xc0u) != 0x80u
              && n++ == width)
            break;
        part = line.substr(0, bytes);
      }
      line.erase(0, part.size());
      to.push_back(std::move(part));
    } while (!line.empty());
    if (end == text.size())
      return;
    text.remove_prefix(end + 1);
  }
}

template <class List, class Name>
size_t index_of(const List& list, const std::string& wanted, Name name) {
  auto found = std::ranges::find_if(
    list, [&](auto* x) { return name(*x) == wanted; });
  return found == list.end() ? list.size()
                             : static_cast<size_t>(found - list.begin());
}

const std::string& id_of(const observed_task& x) {
  return x.id;
}

const std::string& node_of(const observed_worker& x) {
  return x.node.str();
}

/// The neighbour of what is selected, or the first one.
template <class List, class Name>
void select(std::string& chosen, const List& list, int64_t by, Name name) {
  if (list.empty())
    return chosen.clear();
  auto now = index_of(list, chosen, name);
  auto last = static_cast<int64_t>(list.size()) - 1;
  auto next = now == list.size()
                ? int64_t{0}
                : std::clamp(static_cast<int64_t>(now) + by, int64_t{0}, last);
  chosen = name(*list[static_cast<size_t>(next)]);
}

} // namespace

// -- keys -------------------------------------------------------------------------

std::optional<view_action> event_view::ask(std::string question,
                                           view_action action,
                                           bool wants_text) {
  prompt_ = prompt{std::move(question), std::move(action), wants_text};
  return std::nullopt;
}

std::optional<view_action> event_view::answer(int key) {
  auto& text = prompt_->action.text;
  auto yes = prompt_->wants_text ? key == key_enter && !text.empty()
                                 : key == 'y' || key == 'Y';
  if (yes) {
    auto result = std::move(prompt_->action);
    prompt_.reset();
    return result;
  }
  if (prompt_->wants_text && key == key_backspace) {
    if (!text.empty())
      text.pop_back();
  } else if (prompt_->wants_text && key >= ' ' && key < 0x7f) {
    if (text.size() < input_max)
      text += static_cast<char>(key);
  } else {
    prompt_.reset();
    notice_ = "nothing was done";
  }
  return std::nullopt;
}

void event_view::move(int64_t by, const cluster_state& cluster) {
  if (on_workers_)
    select(worker_, cluster.workers(), by, node_of);
  else
    select(task_, cluster.tasks(cluster_state::tasks_max), by, id_of);
}

void event_view::show(detail what) {
  detail_ = detail_ == what ? detail::none : what;
  scroll_ = 0;
}

void event_view::page(std::string title, const std::string& text) {
  detail_ = detail::page;
  page_title_ = std::move(title);
  page_.clear();
  wrap(page_, text, 1'000);
  scroll_ = 0;
}

std::optional<view_action> event_view::on_key(int key,
                                              const cluster_state& cluster) {
  using enum view_action::kind_type;
  notice_.clear();
  if (prompt_)
    return answer(key);
  constexpr auto far = static_cast<int64_t>(cluster_state::tasks_max);
  switch (key) {
    case 'q':
      return view_action{quit, {}, {}};
    case 'p':
      return view_action{pause, {}, {}};
    case 'k':
    case key_up:
      move(-1, cluster);
      break;
    case 'j':
    case key_down:
      move(+1, cluster);
      break;
    case key_page_up:
      move(-page_rows, cluster);
      break;
    case key_page_down:
      move(+page_rows, cluster);
      break;
    case key_first:
      move(-far, cluster);
      break;
    case key_last:
      move(+far, cluster);
      break;
    case 'w':
    case key_tab:
      on_workers_ = !on_workers_;
      break;
    case key_escape:
      detail_ = detail::none;
      break;
    case ' ':
      scroll_ += static_cast<size_t>(page_rows);
      break;
    case 'b':
      scroll_ -= std::min(scroll_, static_cast<size_t>(page_rows));
      break;
    case 'i':
    case key_enter:
      if (on_workers_ && !worker_.empty())
        return view_action{inspect, worker_, {}};
      show(detail::info);
      break;
    case 'r':
      show(detail::result);
      break;
    case 't':
      show(detail::traceback);
      break;
    case 'e':
      return view_action{enable_events, {}, {}};
    case 'd':
      return ask("No task events from any worker? (y/n) ",
                 {disable_events, {}, {}});
    case 'c':
    case 'x':
      if (task_.empty())
        notice_ = "no task is selected";
      else if (key == 'c')
        return ask("Revoke task " + task_ + "? (y/n) ", {revoke, task_, {}});
      else
        return ask("Revoke task " + task_ + " and kill it? (y/n) ",
                   {terminate, task_, {}});
      break;
    case 'l':
      if (auto task = cluster.find(task_); task == nullptr || task->name.empty())
        notice_ = "the name of the selected task is not known";
      else
        return ask("Rate limit of " + task->name + " (10/s, 100/m, 0: none): ",
                   {rate_limit, task->name, {}}, true);
      break;
    default:
      break;
  }
  return std::nullopt;
}

// -- lines ------------------------------------------------------------------------

void event_view::add_workers(std::vector<view_line>& to,
                             const cluster_state& cluster, size_t rows,
                             timestamp now) const {
  auto all = cluster.workers();
  auto chosen = index_of(all, worker_, node_of);
  size_t width = 12;
  for (auto x : all)
    width = std::clamp(width_of(x->node.str()), width, size_t{40});
  to.push_back({column("WORKER", width)
                  + "  STATUS   ACTIVE  PROCESSED  LOAD               HEARD  "
                    "SOFTWARE",
                line_style::heading});
  auto first = first_row(all.size(), rows, chosen);
  for (auto i = first; i < std::min(all.size(), first + rows); ++i) {
    auto& x = *all[i];
    auto load = fmt::format("{:.2f} {:.2f} {:.2f}", x.load[0], x.load[1],
                            x.load[2]);
    auto online = x.online(now);
    auto style = on_workers_ && i == chosen ? line_style::selected
                 : online                   ? line_style::good
                                            : line_style::bad;
    to.push_back({fmt::format("{}  {:7}  {:6}  {:9}  {}  {:>5}  {}",
                              column(x.node.str(), width),
                              online ? "online" : "offline", x.active,
                              x.processed, column(load, 17), ago(x.heard, now),
                              x.software),
                  style});
  }
}

void event_view::add_tasks(std::vector<view_line>& to,
                           const cluster_state& cluster, size_t rows) const {
  auto all = cluster.tasks(cluster_state::tasks_max);
  auto chosen = index_of(all, task_, id_of);
  to.push_back({"TIME      STATE     TASK                          ID           "
                "                         RUNTIME  WORKER",
                line_style::heading});
  auto first = first_row(all.size(), rows, chosen);
  for (auto i = first; i < std::min(all.size(), first + rows); ++i) {
    auto& x = *all[i];
    auto runtime = x.fact("runtime");
    to.push_back({fmt::format("{}  {}  {}  {}  {}  {}", clock_time(x.changed),
                              column(x.state, 8),
                              column(x.name.empty() ? "?" : x.name, 28),
                              column(x.id, 36), column(runtime.substr(0, 7), 7),
                              x.node.str()),
                  !on_workers_ && i == chosen ? line_style::selected
                                              : style_of(x)});
  }
}

std::vector<std::string> event_view::details(const cluster_state& cluster,
                                             size_t width) const {
  std::vector<std::string> result;
  if (detail_ == detail::page) {
    for (auto& line : page_)
      wrap(result, line, width);
    return result;
  }
  auto task = cluster.find(task_);
  if (task == nullptr)
    return {"no task is selected"};
  auto add = [&](std::string_view name, std::string_view text) {
    wrap(result, fmt::format("{:<14} {}", name, text), width);
  };
  if (detail_ == detail::info) {
    add("id", task->id);
    add("name", task->name);
    add("state", task->state);
    add("worker", task->node.str());
    for (auto& [name, text] : task->facts)
      if (name != "traceback")
        add(name, one_line(text));
    return result;
  }
  auto failed = !task->fact("exception").empty();
  auto text = detail_ == detail::traceback ? task->fact("traceback")
              : failed                     ? task->fact("exception")
                                           : task->fact("result");
  wrap(result, text.empty() ? "nothing is known of it" : text, width);
  return result;
}

std::string event_view::last_line(const view_status& status) const {
  if (prompt_)
    return prompt_->question + prompt_->action.text;
  if (!notice_.empty())
    return notice_;
  if (!status.trouble.empty())
    return status.trouble;
  if (status.paused)
    return fmt::format("paused (p: go on){}",
                       status.lost == 0
                         ? std::string{}
                         : fmt::format("; {} events were lost", status.lost));
  return "j/k: move  w: workers/tasks  i: info  r: result  t: traceback  c: "
         "revoke  x: terminate  l: rate limit  e/d: events on/off  p: pause  q: "
         "quit";
}

std::vector<view_line> event_view::lines(const cluster_state& cluster,
                                         const view_status& status,
                                         size_t width, size_t height,
                                         timestamp now) {
  // What is gone cannot be selected.
  if (cluster.find(task_) == nullptr)
    task_.clear();
  if (task_.empty())
    if (auto first = cluster.tasks(1); !first.empty())
      task_ = id_of(*first.front());
  if (worker_.empty())
    if (auto all = cluster.workers(); !all.empty())
      worker_ = node_of(*all.front());
  std::vector<view_line> result;
  auto workers = cluster.workers();
  auto online = std::ranges::count_if(
    workers, [&](auto* x) { return x->online(now); });
  auto& counts = cluster.counts();
  result.push_back({fmt::format("umbel events  {}  workers {}/{} online  {:.1f} "
                                "tasks/s  {:.1f} events/s",
                                status.location, online, workers.size(),
                                cluster.tasks_per_second(now),
                                cluster.events_per_second(now)),
                    line_style::title});
  result.push_back({fmt::format("received {}  succeeded {}  failed {}  retried "
                                "{}  revoked or rejected {}  known tasks {}",
                                counts.received, counts.succeeded,
                                counts.failed, counts.retried, counts.revoked,
                                cluster.task_count()),
                    line_style::plain});
  // Half of what is left for details, a third of the rest for workers.
  auto left = height > 6 ? height - 6 : 0;
  auto detail_rows = detail_ == detail::none ? 0 : left / 2;
  auto list_rows = left - detail_rows;
  auto worker_rows = std::min(workers.size(), std::max<size_t>(1, list_rows / 3));
  add_workers(result, cluster, worker_rows, now);
  result.push_back({});
  add_tasks(result, cluster, list_rows - std::min(list_rows, worker_rows));
  result.resize(height - std::min(height, 1 + detail_rows));
  if (detail_rows > 0) {
    result.push_back({detail_ == detail::page      ? page_title_
                      : detail_ == detail::info    ? "TASK"
                      : detail_ == detail::result  ? "RESULT"
                                                   : "TRACEBACK",
                      line_style::heading});
    auto text = details(cluster, std::max<size_t>(width, 10));
    auto rows = detail_rows - 1;
    scroll_ = std::min(scroll_, text.size() > rows ? text.size() - rows : 0);
    for (size_t i = 0; i < rows; ++i)
      result.push_back({scroll_ + i < text.size() ? text[scroll_ + i]
                                                  : std::string{}});
  }
  result.push_back({last_line(status),
                    prompt_ || !notice_.empty() || !status.trouble.empty()
                      ? line_style::selected
                      : line_style::title});
  result.resize(std::min(result.size(), height));
  for (auto& line : result)
    line.text = cut(one_line(line.text), width);
  return result;
}

} // namespace umbel
