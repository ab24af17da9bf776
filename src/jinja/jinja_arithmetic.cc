#include "jinja/jinja_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "jinja/jinja_format.h"
#include "jinja/jinja_strings.h"

namespace pith::jinja {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

std::string_view Sign(Operator op) {
  switch (op) {
    case Operator::kAdd:
      return "+";
    case Operator::kSubtract:
      return "-";
    case Operator::kMultiply:
      return "*";
    case Operator::kDivide:
      return "/";
    case Operator::kFloorDivide:
      return "//";
    case Operator::kModulo:
      return "%";
    case Operator::kPower:
      return "**";
    case Operator::kLess:
      return "<";
    case Operator::kLessEqual:
      return "<=";
    case Operator::kGreater:
      return ">";
    case Operator::kGreaterEqual:
      return ">=";
    default:
      return "in";
  }
}

[[noreturn]] void FailTooLarge() { Fail("an integer beyond 64 bits"); }

int64_t IntegerPower(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) FailTooLarge();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) FailTooLarge();
  }
  return result;
}

Value CalculateIntegers(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(a, b, &result)) FailTooLarge();
      return Value::OfInteger(result);
    case Operator::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) FailTooLarge();
      return Value::OfInteger(result);
    case Operator::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) FailTooLarge();
      return Value::OfInteger(result);
    case Operator::kPower:
      if (b >= 0) return Value::OfInteger(IntegerPower(a, b));
      if (a == 0) Fail("0 cannot be raised to a negative power");
      return Value::OfFloat(std::pow(static_cast<double>(a), static_cast<double>(b)));
    default:
      break;
  }
  if (b == 0) Fail("division by zero");
  if (op == Operator::kDivide) return Value::OfFloat(static_cast<double>(a) / static_cast<double>(b));
  if (a == kLeast && b == -1) {
    if (op == Operator::kFloorDivide) FailTooLarge();
    return Value::OfInteger(0);
  }
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);  // towards minus infinity, not zero
  if (op == Operator::kFloorDivide) return Value::OfInteger(a / b - (rounds_down ? 1 : 0));
  return Value::OfInteger(a % b + (rounds_down ? b : 0));
}

double FloatModulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) return rest + b;
  return rest == 0 ? std::copysign(0.0, b) : rest;
}

Value CalculateFloats(Operator op, double a, double b) {
  switch (op) {
    case Operator::kAdd:
      return Value::OfFloat(a + b);
    case Operator::kSubtract:
      return Value::OfFloat(a - b);
    case Operator::kMultiply:
      return Value::OfFloat(a * b);
    case Operator::kPower: {
      if (a == 0 && b < 0) Fail("0 cannot be raised to a negative power");
      const double result = std::pow(a, b);
      if (std::isnan(result) && !std::isnan(a) && !std::isnan(b)) Fail("a power that is no real number");
      return Value::OfFloat(result);
    }
    default:
      break;
  }
  if (b == 0) Fail("division by zero");
  if (op == Operator::kDivide) return Value::OfFloat(a / b);
  const double rest = FloatModulo(a, b);
  if (op == Operator::kModulo) return Value::OfFloat(rest);
  return Value::OfFloat(std::floor((a - rest) / b + 0.5));  // (a - rest) / b is whole but for rounding
}

Value Repeat(Heap& heap, const Value& v, int64_t n) {
  const size_t times = n < 0 ? 0 : static_cast<size_t>(n);
  if (v.is_string()) {
    if (v.text().empty()) return v;
    heap.CheckString(times);
    heap.CheckString(times * v.text().size());
    TextBuilder out(heap);
    for (size_t i = 0; i < times; ++i) out.Append(v.marked());
    return heap.String(out.Take());
  }
  const List& list = v.list();
  if (list.items.empty()) return v;
  heap.CheckItems(times);
  heap.CheckItems(times * list.items.size());
  std::vector<Value> items;
  for (size_t i = 0; i < times; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  return MakeList(&heap, std::move(items), list.form);
}

bool IsSequence(const Value& v) {
  return v.is_string() ||
         (v.is_list() && (v.list().form == List::Form::kList || v.list().form == List::Form::kTuple));
}

int64_t SliceIndex(const Value& v) {
  if (v.is_undefined()) FailUndefined(v);
  if (!v.is_integral())
    Fail("a slice: found '" + std::string(KindName(v)) + "', expected an integer or none");
  return v.Integer("a slice");
}

struct Places {
  int64_t start;
  int64_t stop;
  int64_t step;
};

// Python's rules for what the parts of a slice mean for n elements.
Places ResolveSlice(const Value* start, const Value* stop, const Value* step, int64_t n) {
  const auto given = [](const Value* v) { return v != nullptr && !v->is_none(); };
  Places p{};
  p.step = given(step) ? SliceIndex(*step) : 1;
  if (p.step == 0) Fail("a slice: found step 0");
  const bool forward = p.step > 0;
  const auto clamp = [&](const Value* v, int64_t fallback) {
    if (!given(v)) return fallback;
    int64_t i = SliceIndex(*v);
    if (i < 0) i = i < -n ? -1 : i + n;
    return forward ? std::clamp<int64_t>(i, 0, n) : std::clamp<int64_t>(i, -1, n - 1);
  };
  p.start = clamp(start, forward ? 0 : n - 1);
  p.stop = clamp(stop, forward ? n : -1);
  return p;
}

// Calls use(i) for each place of the slice. No step overflows: n is below 2^31.
template <typename Use>
void ForEachPlace(const Places& p, int64_t n, const Use& use) {
  const int64_t step = std::clamp<int64_t>(p.step, -n - 1, n + 1);
  for (int64_t i = p.start; step > 0 ? i < p.stop : i > p.stop; i += step) use(static_cast<size_t>(i));
}

Value SliceString(Heap& heap, const Value& v, const Value* start, const Value* stop, const Value* step) {
  const MarkedText& text = v.marked();
  heap.StepBytes(text.text.size());
  const auto n = static_cast<int64_t>(CountCharacters(text.text));
  const Places p = ResolveSlice(start, stop, step, n);
  if (p.step == 1) {
    if (p.start >= p.stop) return heap.String("", false);
    const size_t begin = ByteOfCharacter(text.text, static_cast<size_t>(p.start));
    const std::string_view rest = std::string_view(text.text).substr(begin);
    return heap.Part(text, begin, begin + ByteOfCharacter(rest, static_cast<size_t>(p.stop - p.start)));
  }
  heap.CheckItems(static_cast<size_t>(n));
  std::vector<size_t> begins;
  for (size_t at = 0; at < text.text.size(); at += CharacterAt(text.text, at).n_bytes) begins.push_back(at);
  begins.push_back(text.text.size());
  TextBuilder out(heap);
  ForEachPlace(p, n, [&](size_t i) { out.Append(text, begins[i], begins[i + 1]); });
  return heap.String(out.Take());
}

}  // namespace

Value Calculate(Heap& heap, Operator op, const Value& a, const Value& b) {
  if (op == Operator::kModulo && a.is_string()) return PercentFormat(heap, a.marked(), b);
  if (a.is_undefined()) FailUndefined(a);
  if (b.is_undefined()) FailUndefined(b);
  if (a.is_integral() && b.is_integral()) {
    return CalculateIntegers(op, a.Integer(Sign(op)), b.Integer(Sign(op)));
  }
  if (a.is_number() && b.is_number()) return CalculateFloats(op, a.Number(Sign(op)), b.Number(Sign(op)));
  if (op == Operator::kAdd && a.is_string() && b.is_string()) {
    TextBuilder out(heap);
    out.Append(a.marked());
    out.Append(b.marked());
    return heap.String(out.Take());
  }
  if (op == Operator::kAdd && IsSequence(a) && a.is_list() && b.is_list() && a.list().form == b.list().form) {
    heap.CheckItems(a.list().items.size() + b.list().items.size());
    std::vector<Value> items = a.list().items;
    items.insert(items.end(), b.list().items.begin(), b.list().items.end());
    return MakeList(&heap, std::move(items), a.list().form);
  }
  if (op == Operator::kMultiply && IsSequence(a) && b.is_integral()) return Repeat(heap, a, b.Integer("*"));
  if (op == Operator::kMultiply && IsSequence(b) && a.is_integral()) return Repeat(heap, b, a.Integer("*"));
  Fail("unsupported operand types for " + std::string(Sign(op)) + ": '" + std::string(KindName(a)) +
       "' and '" + std::string(KindName(b)) + "'");
}

Value Negate(const Value& v) {
  if (v.kind() == Kind::kFloat) return Value::OfFloat(-v.Number("-"));
  const int64_t i = v.Integer("-");
  if (i == kLeast) FailTooLarge();
  return Value::OfInteger(-i);
}

bool Compare(Heap& heap, Operator op, const Value& a, const Value& b) {
  switch (op) {
    case Operator::kEqual:
      return Equal(heap, a, b);
    case Operator::kNotEqual:
      return !Equal(heap, a, b);
    case Operator::kLess:
      return Order(heap, a, b, "<") < 0;
    case Operator::kLessEqual:
      return Order(heap, a, b, "<=") <= 0;
    case Operator::kGreater:
      return Order(heap, a, b, ">") > 0;
    case Operator::kGreaterEqual:
      return Order(heap, a, b, ">=") >= 0;
    case Operator::kIn:
      return Contains(heap, b, a);
    default:
      return !Contains(heap, b, a);
  }
}

bool Contains(Heap& heap, const Value& container, const Value& v) {
  if (container.is_string()) {
    if (v.is_undefined()) FailUndefined(v);
    if (!v.is_string()) Fail("'in' a string: found '" + std::string(KindName(v)) + "', expected a string");
    heap.StepBytes(container.text().size() + v.text().size());
    return v.text().empty() || Searcher(v.text()).Find(container.text()) != std::string_view::npos;
  }
  if (container.is_dict()) return container.dict().Find(heap, v) != nullptr;
  if (container.is_undefined()) return false;
  if (!container.is_list())
    Fail("argument of type '" + std::string(KindName(container)) + "' is not iterable");
  const std::vector<Value>& items = container.list().items;
  return std::any_of(items.begin(), items.end(), [&](const Value& item) { return Equal(heap, item, v); });
}

Value Slice(Heap& heap, const Value& v, const Value* start, const Value* stop, const Value* step) {
  if (v.is_undefined()) FailUndefined(v);
  if (v.is_string()) return SliceString(heap, v, start, stop, step);
  if (!IsSequence(v)) Fail("'" + std::string(KindName(v)) + "' cannot be sliced");
  const std::vector<Value>& all = v.list().items;
  const auto n = static_cast<int64_t>(all.size());
  std::vector<Value> items;
  ForEachPlace(ResolveSlice(start, stop, step, n), n, [&](size_t i) { items.push_back(all[i]); });
  return MakeList(&heap, std::move(items), v.list().form);
}

Value ElementAt(Heap& heap, const Value& v, int64_t index) {
  if (v.is_list() && IsSequence(v)) {
    const auto n = static_cast<int64_t>(v.list().items.size());
    if (index < 0 && index >= -n) index += n;
    if (index >= 0 && index < n) return v.list().items[static_cast<size_t>(index)];
  } else if (v.is_string()) {
    heap.StepBytes(v.text().size());
    const std::string& text = v.text();
    if (index < 0) index += static_cast<int64_t>(CountCharacters(text));
    if (index >= 0) {
      const size_t at = ByteOfCharacter(text, static_cast<size_t>(index));
      if (at < text.size()) return heap.Part(v.marked(), at, at + CharacterAt(text, at).n_bytes);
    }
  }
  return Value::OfUndefined(
      heap, "'" + std::string(KindName(v)) + " object' has no element " + std::to_string(index));
}

}  // namespace pith::jinja
