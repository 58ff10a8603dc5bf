// control_state::ask, for the files that hold the methods.
#pragma once

#include "actors/cluster/control.hpp"

#include <caf/all.hpp>

#include <utility>

namespace umbel {

template <class Answer, class Question, class Then>
void control_state::ask(const caf::actor& whom, Question question,
                        answer_function answer, Then then) {
  self->request(whom, patience, std::move(question))
    .then([then](const Answer& x) { then(x); },
          [this, answer](const caf::error& x) { answer(no_answer(x)); });
}

} // namespace umbel
