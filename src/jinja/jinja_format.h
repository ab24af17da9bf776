// Values as text: str(), repr(), JSON, % and format(), strftime. Characters of data stay data.
#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "jinja/jinja_interpreter.h"
#include "jinja/jinja_value.h"

namespace pith::jinja {

void AppendStr(Heap& heap, TextBuilder& out, const Value& v);
void AppendRepr(Heap& heap, TextBuilder& out, const Value& v);
Value ToStr(Heap& heap, const Value& v);  // v itself when it is a string

// As Python's json.dumps has it. Only strings of data are data; digits and brackets are not.
struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<MarkedText> indent;  // one level of it
  MarkedText between_items = Marked(", ", false);
  MarkedText behind_key = Marked(": ", false);
};
void AppendJson(Heap& heap, TextBuilder& out, const Value& v, const JsonStyle& style, size_t level = 0);

// format % values, and format.format(*arguments).
Value PercentFormat(Heap& heap, const MarkedText& format, const Value& values);
Value BraceFormat(Machine& machine, const MarkedText& format, const Arguments& arguments);

// In English. Fails for a directive that it does not know.
std::string FormatTime(std::string_view format, const std::tm& time);

}  // namespace pith::jinja
