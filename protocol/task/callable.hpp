// Any C++ callable, a coroutine too, as a function from JSON arguments to a
// JSON result.
#pragma once

#include "protocol/task/awaitable.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/from_json.hpp"
#include "protocol/task/signature.hpp"
#include "protocol/task/to_json.hpp"

#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace umbel {

/// What calling a task gives: its result, or the coroutine that will have it.
using task_call_result = std::variant<json::value, awaitable<json::value>>;

/// A task's body, whatever it was made from. A coroutine refers to all three
/// parameters until it is destroyed.
using task_function = std::function<task_call_result(
    context&, const json::array& args, const json::object& kwargs)>;

namespace detail {

template <class... Ts>
struct type_list {};

/// Result and parameters of a function, lambda or functor that is not
/// overloaded and not a template.
template <class F>
struct callable_traits : callable_traits<decltype(&F::operator())> {};

template <class R, class... Ps>
struct callable_traits<R (*)(Ps...)> {
  using parameters = type_list<Ps...>;
};

template <class R, class... Ps>
struct callable_traits<R (*)(Ps...) noexcept> : callable_traits<R (*)(Ps...)> {
};

#define UMBEL_CALLABLE_TRAITS(qualifiers) \
  template <class R, class F, class... Ps> \
  struct callable_traits<R (F::*)(Ps...) qualifiers> \
      : callable_traits<R (*)(Ps...)> {};
UMBEL_CALLABLE_TRAITS()
UMBEL_CALLABLE_TRAITS(const)
UMBEL_CALLABLE_TRAITS(noexcept)
UMBEL_CALLABLE_TRAITS(const noexcept)
#undef UMBEL_CALLABLE_TRAITS

template <class P>
constexpr bool is_context = std::is_same_v<P, context&>;

template <class P>
constexpr bool is_varargs = std::is_same_v<std::remove_cvref_t<P>, varargs>;

template <class P>
constexpr bool is_kwargs = std::is_same_v<std::remove_cvref_t<P>, kwargs>;

/// Takes a named argument.
template <class P>
constexpr bool is_named = !is_context<P> && !is_varargs<P> && !is_kwargs<P>;

template <class List>
constexpr size_t named_parameters = 0;

template <class... Ps>
constexpr size_t named_parameters<type_list<Ps...>> = (size_t{is_named<Ps>}
                                                       + ... + 0);

template <class List>
constexpr bool has_varargs = false;

template <class... Ps>
constexpr bool has_varargs<type_list<Ps...>> = (is_varargs<Ps> || ...);

/// Whether a task can have such a parameter.
template <class P>
constexpr bool is_possible =
    !std::is_lvalue_reference_v<
        P> || std::is_const_v<std::remove_reference_t<P>> || is_context<P>;

/// One callable of type F with parameters Ps.
template <class F, class... Ps>
class bound_callable {
public:
  static constexpr size_t named = named_parameters<type_list<Ps...>>;

  static_assert((is_possible<Ps> && ...),
                "a task's parameters are values, references to const, and "
                "umbel::context&");

  bound_callable(F f, std::string function, std::vector<arg> names)
      : f_(std::move(f)) {
    signature_.function = std::move(function);
    signature_.takes_varargs = (is_varargs<Ps> || ...);
    signature_.takes_kwargs = (is_kwargs<Ps> || ...);
    (add_parameter<Ps>(names), ...);
  }

  task_call_result operator()(context& self, const json::array& args,
                              const json::object& kwargs) {
    return call(self, args, kwargs, std::index_sequence_for<Ps...>{});
  }

private:
  /// Position among the named parameters of the parameter at position I.
  template <size_t I>
  static constexpr size_t slot() {
    constexpr bool flags[] = {is_named<Ps>..., false};
    size_t to = 0;
    for (size_t i = 0; i < I; ++i)
      to += flags[i];
    return to;
  }

  template <class P>
  void add_parameter(std::vector<arg>& names) {
    if constexpr (is_named<P>) {
      using value_type = std::remove_cvref_t<P>;
      auto i = signature_.parameters.size();
      parameter x;
      x.name = names.empty() ? "arg" + std::to_string(i + 1) : names[i].name;
      if (!names.empty() && names[i].fallback) {
        x.required = false;
        x.fallback = std::move(*names[i].fallback);
        convert<value_type>(x.fallback, x); // a wrong default fails at load
      } else if (any_optional<value_type>) {
        x.required = false;
      }
      if (x.required && i > 0 && !signature_.parameters.back().required)
        throw std::logic_error(signature_.function + "() parameter '" + x.name
                               + "' has no default but follows one that has");
      signature_.parameters.emplace_back(std::move(x));
    }
  }

  template <class T>
  T convert(const json::value& x, const parameter& to) const {
    try {
      return from_json<T>(x);
    } catch (const bad_argument& e) {
      throw_wrong_argument(signature_, to.name, e.path, e.what);
    }
  }

  template <size_t I, class P>
  decltype(auto) argument(context& self, bound_call& call) const {
    if constexpr (is_context<P>) {
      return (self);
    } else if constexpr (is_varargs<P>) {
      return varargs{json::array(call.varargs.begin(), call.varargs.end())};
    } else if constexpr (is_kwargs<P>) {
      return kwargs{std::move(call.kwargs)};
    } else {
      return convert<std::remove_cvref_t<P>>(*call.values[slot<I>()],
                                             signature_.parameters[slot<I>()]);
    }
  }

  template <size_t... I>
  task_call_result call(context& self, const json::array& args,
                        const json::object& kwargs, std::index_sequence<I...>) {
    std::array<const json::value*, named> values{};
    auto bound = match_call(signature_, args, kwargs, values);
    // A tuple, because it converts from left to right: the first wrong argument
    // is the one that is named.
    using arguments = std::tuple<decltype(argument<I, Ps>(self, bound))...>;
    arguments xs{argument<I, Ps>(self, bound)...};
    using result = decltype(invoke(f_, xs));
    if constexpr (std::is_void_v<result>) {
      invoke(f_, xs);
      return json::value{};
    } else if constexpr (is_awaitable<result>) {
      return run_coroutine(f_, std::move(xs));
    } else {
      return to_json_value(invoke(f_, xs));
    }
  }

  template <class Tuple>
  static decltype(auto) invoke(F& f, Tuple& xs) {
    return std::apply(
        [&](auto&... ys) -> decltype(auto) {
          return std::invoke(f, static_cast<forwarded<Ps>>(ys)...);
        },
        xs);
  }

  /// A context as it is; a value so that it can be moved from.
  template <class P>
  using forwarded =
      std::conditional_t<is_context<P>, context&, std::remove_cvref_t<P>&&>;

  /// The arguments live on this coroutine's frame, hence longer than the task's
  /// own frame, which may hold references to them.
  template <class Tuple>
  static awaitable<json::value> run_coroutine(F& f, Tuple xs) {
    using result = typename decltype(invoke(f, xs))::value_type;
    if constexpr (std::is_void_v<result>) {
      co_await invoke(f, xs);
      co_return json::value{};
    } else {
      co_return to_json_value(co_await invoke(f, xs));
    }
  }

  F f_;
  signature signature_;
};

template <class F, class... Ps>
bound_callable<F, Ps...> bind_callable(F f, std::string function,
                                       std::vector<arg> names,
                                       type_list<Ps...>) {
  return {std::move(f), std::move(function), std::move(names)};
}

} // namespace detail

/// Makes a task's body of a function, lambda or functor. Without names, the
/// parameters are called arg1, arg2 and so on.
/// @pre there are no names, or one for each parameter that takes an argument
/// @throws std::logic_error for a parameter without a default after one that
/// has
/// @throws wrong_call for a default of the wrong type
template <class F>
task_function make_task_function(F&& f, std::string function,
                                 std::vector<arg> names) {
  using callable = std::decay_t<F>;
  using parameters = typename detail::callable_traits<callable>::parameters;
  return detail::bind_callable<callable>(
      std::forward<F>(f), std::move(function), std::move(names), parameters{});
}

} // namespace umbel
