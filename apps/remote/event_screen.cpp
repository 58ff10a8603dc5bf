#include "apps/remote/event_screen.hpp"

#include "apps/exit_status.hpp"
#include "apps/remote/answer_view.hpp"
#include "apps/remote/end_signal.hpp"
#include "apps/remote/event_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <clocale>
#include <csignal>

#define NCURSES_NOMACROS
#include <curses.h>

namespace umbel {

namespace {

using namespace std::chrono_literals;

/// How often the screen is drawn.
constexpr int redraw_ms = 250;

/// How long the answers of workers are waited for.
constexpr auto patience = 1'000ms;

constexpr int control_l = 12;
constexpr int escape = 27;
constexpr int erase_to_the_left = 127;

/// The terminal in full-screen mode, as long as it lives.
class terminal {
public:
  terminal() {
    std::setlocale(LC_CTYPE, "");
    ::initscr();
    ::cbreak();
    ::noecho();
    ::curs_set(0);
    ::set_escdelay(25);
    ::keypad(stdscr, true);
    ::wtimeout(stdscr, redraw_ms);
    if (::has_colors()) {
      ::start_color();
      ::use_default_colors();
      ::init_pair(1, COLOR_GREEN, -1);
      ::init_pair(2, COLOR_RED, -1);
      ::init_pair(3, COLOR_YELLOW, -1);
    }
    // A terminal that went away has to be left tidily, too.
    expect_end_signal({SIGINT, SIGTERM, SIGHUP});
  }

  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  ~terminal() {
    ::endwin();
  }

  static size_t height() {
    return static_cast<size_t>(std::max(0, ::getmaxy(stdscr)));
  }

  static size_t width() {
    return static_cast<size_t>(std::max(0, ::getmaxx(stdscr)));
  }

  static void draw(const std::vector<view_line>& lines) {
    ::werase(stdscr);
    for (size_t i = 0; i < lines.size(); ++i) {
      auto look = look_of(lines[i].style);
      ::wattrset(stdscr, static_cast<int>(look));
      auto y = static_cast<int>(i);
      ::mvwaddnstr(stdscr, y, 0, lines[i].text.c_str(),
                   static_cast<int>(lines[i].text.size()));
      if (lines[i].style == line_style::selected
          || lines[i].style == line_style::title)
        ::mvwchgat(stdscr, y, 0, -1, A_REVERSE, 0, nullptr);
    }
    ::wattrset(stdscr, A_NORMAL);
    ::wrefresh(stdscr);
  }

  /// @returns ERR if none was pressed
  static int key() {
    auto x = ::wgetch(stdscr);
    switch (x) {
      case KEY_UP: return key_up;
      case KEY_DOWN: return key_down;
      case KEY_PPAGE: return key_page_up;
      case KEY_NPAGE: return key_page_down;
      case KEY_HOME: return key_first;
      case KEY_END: return key_last;
      case KEY_ENTER:
      case '\n':
      case '\r': return key_enter;
      case '\t': return key_tab;
      case escape: return key_escape;
      case control_l:
        ::clearok(stdscr, true); // draw everything anew
        return ERR;
      case KEY_BACKSPACE:
      case '\b':
      case erase_to_the_left: return key_backspace;
      default: return x;
    }
  }

private:
  static unsigned look_of(line_style x) {
    switch (x) {
      case line_style::title:
      case line_style::selected: return A_REVERSE;
      case line_style::heading: return A_BOLD;
      case line_style::good: return COLOR_PAIR(1);
      case line_style::bad: return COLOR_PAIR(2);
      case line_style::busy: return COLOR_PAIR(3);
      default: return A_NORMAL;
    }
  }
};

control_request request(std::string_view method, json::object arguments = {}) {
  control_request result;
  result.method = method;
  result.arguments = std::move(arguments);
  return result;
}

class event_screen {
public:
  event_screen(event_listener& events, control_client& workers,
               const std::string& location)
      : events_(events), workers_(workers) {
    status_.location = location;
  }

  int run() {
    terminal screen;
    while (!end_signalled()) {
      if (!status_.paused)
        take();
      screen.draw(view_.lines(cluster_, status_, screen.width(),
                              screen.height(), now()));
      auto key = screen.key();
      if (key == ERR)
        continue;
      if (auto action = view_.on_key(key, cluster_)) {
        if (action->kind == view_action::quit)
          break;
        carry_out(*action);
      }
    }
    return exit_ok;
  }

private:
  void take() {
    auto fetched = events_.fetch();
    for (auto& x : fetched.events)
      cluster_.apply(x.event, x.at);
    status_.trouble = std::move(fetched.trouble);
    if (fetched.lost > 0)
      view_.notice(fmt::format("{} events came faster than they could be shown",
                               fetched.lost));
  }

  void carry_out(const view_action& x) {
    switch (x.kind) {
      case view_action::pause:
        status_.paused = !status_.paused;
        break;
      case view_action::revoke:
        ask("revoke", request("revoke", {{"task_id", x.subject}}));
        break;
      case view_action::terminate:
        ask("terminate", request("terminate", {{"task_id", x.subject},
                                               {"signal", "SIGKILL"}}));
        break;
      case view_action::rate_limit:
        ask("rate_limit", request("rate_limit", {{"task_name", x.subject},
                                                 {"rate_limit", x.text}}));
        break;
      case view_action::enable_events:
        ask("enable_events", request("enable_events"));
        break;
      case view_action::disable_events:
        ask("disable_events", request("disable_events"));
        break;
      case view_action::inspect:
        inspect(x.subject);
        break;
      case view_action::quit:
        break;
    }
  }

  /// The answers of all, in the last line.
  void ask(const char* what, control_request x) {
    auto answers = workers_.ask(std::move(x), patience);
    if (!answers)
      return view_.notice(answers.error().what);
    if (answers->empty())
      return view_.notice(fmt::format("{}: nobody has answered", what));
    auto text = fmt::format("{}:", what);
    for (auto& one : *answers) {
      auto error = error_in(one.value);
      auto ok = one.value.is_object() ? one.value.get_object().if_contains("ok")
                                      : nullptr;
      auto said = error ? std::string{*error}
                  : ok != nullptr && ok->is_string()
                    ? std::string{std::string_view{ok->get_string()}}
                    : to_json(one.value);
      text += fmt::format(" {}: {};", one.node.str(), said);
    }
    text.pop_back();
    view_.notice(std::move(text));
  }

  /// What one worker does, as a page.
  void inspect(const std::string& node) {
    std::string text;
    for (auto& [method, form] :
         {std::pair{"active", answer_form::tasks},
          std::pair{"reserved", answer_form::tasks},
          std::pair{"active_queues", answer_form::queues},
          std::pair{"stats", answer_form::fields}}) {
      auto x = request(method);
      x.destination = std::vector{node};
      auto answers = workers_.ask(std::move(x), patience);
      if (!answers)
        return view_.notice(answers.error().what);
      if (answers->empty())
        return view_.notice(node + " has not answered");
      auto shown = show_answers(form, *answers, now());
      text += fmt::format("-- {}\n{}", method,
                          shown.empty() ? "(none)\n" : shown);
    }
    view_.page(node + " (space: further, b: back, escape: close)", text);
  }

  event_listener& events_;
  control_client& workers_;
  event_view view_;
  cluster_state cluster_;
  view_status status_;
};

} // namespace

int run_event_screen(event_listener& events, control_client& workers,
                     const std::string& location) {
  return event_screen{events, workers, location}.run();
}

} // namespace umbel
