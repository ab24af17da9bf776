// Operators on values, with Python's rules. Integers are those of 64 bits: what leaves them is an error.
#pragma once

#include <optional>

#include "jinja/jinja_ast.h"
#include "jinja/jinja_value.h"

namespace pith::jinja {

// REQUIRES: op is one of + - * / // % **.
Value Calculate(Heap& heap, Operator op, const Value& a, const Value& b);
Value Negate(const Value& v);
bool Compare(Heap& heap, Operator op, const Value& a, const Value& b);
bool Contains(Heap& heap, const Value& container, const Value& v);  // v in container

// Parts of v[start:stop:step]; null or none where nothing stands.
Value Slice(Heap& heap, const Value& v, const Value* start, const Value* stop, const Value* step);
// Element `index`, from the end if negative; undefined beyond.
Value ElementAt(Heap& heap, const Value& v, int64_t index);

}  // namespace pith::jinja
