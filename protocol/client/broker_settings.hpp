// What settings say to those who connect to a broker.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/client/settings.hpp"

namespace umbel {

/// What a connection to the broker has to know, but for who it is.
broker_options to_broker_options(const settings& from);

} // namespace umbel
