#include "protocol/backend/result_store.hpp"

namespace umbel {

expected<std::vector<std::vector<gapped_message>>>
result_store::count(std::span<const group_record>,
                    std::span<const chord_part>) {
  return error{errc::unsupported, location() + " cannot count parts of chords"};
}

expected<void> result_store::finish(std::span<const chord_part>) {
  return {};
}

} // namespace umbel
