// What the live view of a cluster shows, as lines, and what its keys mean. Knows no
// terminal: the screen (event_screen) draws the lines and does what is asked.
#pragma once

#include "protocol/control/cluster_state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbel {

enum class line_style : uint8_t {
  plain,
  title,
  heading,
  selected,
  good, ///< has succeeded, is online
  bad,  ///< has failed, is offline
  busy, ///< runs
};

struct view_line {
  std::string text;
  line_style style = line_style::plain;
};

/// Keys that are no characters.
enum view_key : int {
  key_up = -100,
  key_down,
  key_page_up,
  key_page_down,
  key_first,
  key_last,
  key_tab,
  key_enter,
  key_escape,
  key_backspace,
};

/// What somebody wants to have done.
struct view_action {
  enum kind_type : uint8_t {
    quit,
    pause,          ///< or go on
    revoke,         ///< the task `subject`
    terminate,      ///< the same, and kill it
    rate_limit,     ///< of the task's name `subject`, to `text`
    inspect,        ///< the worker `subject`
    enable_events,  ///< on all workers
    disable_events, ///< on all workers
  } kind;
  std::string subject;
  std::string text;
};

/// What else there is to say on the screen.
struct view_status {
  std::string location; ///< "redis://localhost:6379/0"
  std::string trouble;  ///< why nothing is heard; empty: all is well
  bool paused = false;
  size_t lost = 0; ///< events that came while it was paused
};

class event_view {
public:
  /// The whole screen: `height` lines of at most `width` characters. Moves the
  /// selection off what is gone.
  std::vector<view_line> lines(const cluster_state& cluster,
                               const view_status& status, size_t width,
                               size_t height, timestamp now);

  /// @param key a character, or one of `view_key`
  std::optional<view_action> on_key(int key, const cluster_state& cluster);

  /// Says something in the last line until the next key.
  void notice(std::string text) {
    notice_ = std::move(text);
  }

  /// Shows a page of text in place of details.
  void page(std::string title, const std::string& text);

private:
  enum class detail : uint8_t { none, info, result, traceback, page };

  /// A question in the last line.
  struct prompt {
    std::string question;
    view_action action;
    bool wants_text = false; ///< else: y or n
  };

  std::optional<view_action> answer(int key);
  std::optional<view_action> ask(std::string question, view_action action,
                                 bool wants_text = false);
  void move(int64_t by, const cluster_state& cluster);
  void show(detail what);
  void add_workers(std::vector<view_line>& to, const cluster_state& cluster,
                   size_t rows, timestamp now) const;
  void add_tasks(std::vector<view_line>& to, const cluster_state& cluster,
                 size_t rows) const;
  std::vector<std::string> details(const cluster_state& cluster,
                                   size_t width) const;
  std::string last_line(const view_status& status) const;

  bool on_workers_ = false; ///< where the keys go
  std::string task_;        ///< the selected one's id
  std::string worker_;      ///< the selected one's name
  detail detail_ = detail::none;
  std::string page_title_;
  std::vector<std::string> page_;
  size_t scroll_ = 0; ///< of the details
  std::string notice_;
  std::optional<prompt> prompt_;
};

} // namespace umbel
