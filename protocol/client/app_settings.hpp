// An app by Celery's settings:
//
//     std::vector<std::string> warnings;
//     umbel::app app{umbel::read_app_options("celery.json", warnings).value()};
#pragma once

#include "protocol/client/app.hpp"
#include "protocol/client/settings.hpp"

#include <string>
#include <vector>

namespace umbel {

app_options to_app_options(const settings& from);

/// Of a file of settings, which may be one that workers have, too.
/// @param warnings gets one line for each setting that has no effect
/// @returns errors as `load_settings`
expected<app_options> read_app_options(const std::string& file,
                                       std::vector<std::string>& warnings);

} // namespace umbel
