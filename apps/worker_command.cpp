#include "apps/worker_command.hpp"

#include "actors/worker.hpp"
#include "apps/banner.hpp"
#include "apps/beat_command.hpp"
#include "apps/configure.hpp"
#include "apps/daemon/detach.hpp"
#include "apps/daemon/image.hpp"
#include "apps/daemon/init_process.hpp"
#include "apps/daemon/pidfile.hpp"
#include "apps/daemon/service_manager.hpp"
#include "apps/exit_status.hpp"
#include "apps/logging.hpp"
#include "apps/purge.hpp"
#include "protocol/broker/sqlite/address.hpp"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

namespace umbel {

namespace {

/// How long --detach waits for a worker that is alive and not ready, because
/// its broker is away.
constexpr std::chrono::seconds launch_patience{30};

std::function<void(std::span<const std::string>)>
banner_printer(const worker_config& config) {
  auto color = config.color && shows_colors(STDOUT_FILENO);
  return [&config, color](std::span<const std::string> tasks) {
    auto text = banner(config, tasks);
    if (color)
      text = "\033[1;36m" + text + "\033[0m";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
}

/// One run of the command: what its steps share.
class worker_command {
public:
  worker_command(std::string name, std::vector<std::string> argv,
                 const options& given)
      : name_(std::move(name)), argv_(std::move(argv)), given_(given),
        image_(take_image()), variables_(current_environment()),
        manager_(variables_) {
  }

  int run();

private:
  /// Each step returns the exit status if it is the last one.
  using step = std::optional<int>;

  step prepare();
  step settle_identity();
  step ask();
  step launch();
  step settle_process();
  step check_files();
  step purge_queues();
  step read_periodic_tasks();
  void on_running();
  int restart();

  int refuse(const std::string& what, int status);

  const std::string name_;
  const std::vector<std::string> argv_;
  const options& given_;
  const image image_;
  environment variables_;
  service_manager manager_;
  std::string program_;
  worker_config config_;
  process_config process_;
  std::vector<std::string> warnings_;
  start_report report_;
  std::optional<program_log> log_;
  pidfile pidfile_;
};

/// One line on standard error, and in the log if it goes elsewhere.
int worker_command::refuse(const std::string& what, int status) {
  if (log_ && log_->file)
    spdlog::critical(what);
  else
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), what.c_str());
  return status;
}

worker_command::step worker_command::prepare() {
  program_ = own_program(argv_.front());
  // A successor is there already.
  if (!given_.workdir.empty() && image_.is_fresh()
      && chdir(given_.workdir.c_str()) != 0)
    return refuse("option --workdir: cannot change to '" + given_.workdir
                      + "': " + std::strerror(errno),
                  exit_usage);
  auto config = configure_worker(given_, variables_, warnings_);
  if (!config)
    return refuse(config.error().what, exit_usage);
  config_ = std::move(*config);
  auto process = configure_process(given_, config_);
  if (!process)
    return refuse(process.error().what, exit_usage);
  process_ = std::move(*process);
  auto pattern = log_pattern(config_.settings.worker_log_format);
  if (!pattern)
    return refuse(pattern.error().what, exit_usage);
  if (auto found = find_files(config_); !found)
    return refuse(found.error().what, exit_failure);
  return std::nullopt;
}

// Before anything looks for messages: a broker in files makes those that are not there.
worker_command::step worker_command::settle_identity() {
  if (process_.umask)
    umask(*process_.umask);
  if (auto changed = become(process_.become); !changed)
    return refuse(changed.error().what, exit_failure);
  return std::nullopt;
}

worker_command::step worker_command::ask() {
  if (!process_.purge || given_.force || !image_.is_fresh())
    return std::nullopt;
  if (isatty(STDIN_FILENO) != 1)
    return refuse("option --purge: there is no terminal to ask on; add --force "
                  "to delete without asking",
                  exit_usage);
  auto yes = confirm_purge(config_, name_ + ": --purge");
  if (!yes)
    return refuse("--purge: " + yes.error().what, exit_failure);
  if (!*yes)
    return refuse("nothing was deleted, no worker was started", exit_failure);
  return std::nullopt;
}

worker_command::step worker_command::launch() {
  if (image_.how == image::begin::detached)
    report_ = start_report{image_.report};
  if (!process_.detach || !image_.is_fresh())
    return std::nullopt;
  auto begun = detach(name_, launch_patience);
  if (!begun)
    return refuse(begun.error().what, exit_failure);
  if (begun->exit_status)
    return *begun->exit_status;
  report_ = std::move(begun->report);
  if (process_.executable.empty())
    return std::nullopt;
  return refuse(execute(process_.executable, argv_,
                        {image::begin::detached, report_.fd()})
                    .what,
                exit_failure);
}

worker_command::step worker_command::settle_process() {
  auto log = set_up_logging({config_.log_level,
                             config_.settings.worker_log_format, config_.color,
                             process_.logfile, name_});
  if (!log)
    return refuse(log.error().what, exit_failure);
  log_ = std::move(*log);
  if (process_.detach && log_->file)
    log_->file->take_standard_output();
  if (process_.pidfile.empty())
    return std::nullopt;
  auto restarted = image_.how == image::begin::restarted;
  auto file = pidfile::acquire(process_.pidfile, restarted);
  if (!file)
    return refuse(file.error().what, file.error().code == errc::refused
                                         ? exit_cannot_create
                                         : exit_failure);
  pidfile_ = std::move(*file);
  return std::nullopt;
}

/// A server that is away may come back; a file that cannot be used stays so.
worker_command::step worker_command::check_files() {
  auto& x = config_.settings;
  auto broken = [](const auto& opened) {
    return !opened && opened.error().code == errc::invalid_setting;
  };
  auto is_file = [](const std::string& url) {
    auto scheme = url.substr(0, url.find("://"));
    return scheme == "filesystem" || sqlite::is_sqlite(scheme);
  };
  if (is_file(x.broker_url))
    if (auto opened = connect_broker(x.broker_url, config_.broker);
        broken(opened))
      return refuse(opened.error().what, exit_usage);
  if (is_file(x.result_backend))
    if (auto opened
        = connect_result_store(x.result_backend, config_.broker.results);
        broken(opened))
      return refuse(opened.error().what, exit_usage);
  return std::nullopt;
}

worker_command::step worker_command::purge_queues() {
  // Not again after a restart: what waits now came later.
  if (!process_.purge || image_.how == image::begin::restarted)
    return std::nullopt;
  auto done = purge(config_);
  if (!done)
    return refuse("--purge: " + done.error().what, exit_failure);
  spdlog::warn(*done);
  return std::nullopt;
}

worker_command::step worker_command::read_periodic_tasks() {
  if (!config_.beat)
    return std::nullopt;
  auto done = add_library_tasks(*config_.beat, config_.settings,
                                config_.libraries);
  if (!done)
    return refuse(done.error().what, exit_failure);
  return std::nullopt;
}

void worker_command::on_running() {
  log_->started();
  if (process_.detach && !log_->file)
    leave_standard_output();
  report_.ready();
  manager_.notify("READY=1\nSTATUS=consuming from "
                  + std::to_string(config_.broker.queues.size()) + " queues");
}

int worker_command::run() {
  for (auto part :
       {&worker_command::prepare, &worker_command::settle_identity,
        &worker_command::ask, &worker_command::launch,
        &worker_command::settle_process, &worker_command::check_files,
        &worker_command::purge_queues, &worker_command::read_periodic_tasks})
    if (auto status = (this->*part)())
      return *status;
  for (auto& line : warnings_)
    spdlog::warn(line);
  if (geteuid() == 0 && image_.is_fresh())
    spdlog::warn("running as root, and so do the tasks: use --uid");
  if (!given_.quiet && !process_.detach)
    config_.on_ready = banner_printer(config_);
  config_.on_running = [this] { on_running(); };
  config_.term_is_quit = variables_["REMAP_SIGTERM"] == "SIGQUIT";
  config_.restart_on_hangup = isatty(STDOUT_FILENO) != 1;
  config_.notify = [this](const std::string& x) { manager_.notify(x); };
  config_.watchdog = manager_.watchdog();
  auto end = run_worker(config_);
  switch (end.how) {
    case worker_end::finished:
      return end.exit_status;
    case worker_end::restart:
      return restart();
    case worker_end::at_once:
      pidfile_.release();
      _exit(end.exit_status);
  }
  return exit_failure;
}

/// The successor keeps process id and pidfile.
int worker_command::restart() {
  auto& program = process_.executable.empty() ? program_ : process_.executable;
  spdlog::warn("Restarting: {}", fmt::join(argv_, " "));
  auto failed = execute(program, argv_, {image::begin::restarted, -1});
  return refuse(failed.what, exit_failure);
}

} // namespace

int run_worker_command(const std::string& name,
                       const std::vector<std::string>& argv,
                       const options& given) {
  complete_standard_streams();
  if (auto status = run_as_init(name))
    return *status;
  return worker_command{name, argv, given}.run();
}

} // namespace umbel
