// Fuzz target: chat templates, and what they do with messages. The input is a template; what follows its
// first zero byte, if there is one, is the content of a message.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "jinja/jinja.h"

namespace {

using nlohmann::ordered_json;

void Require(bool holds) {
  if (!holds) std::abort();
}

pith::JinjaLimits SmallLimits() {
  pith::JinjaLimits limits;
  limits.steps = 20'000;
  limits.output_bytes = 1 << 18;
  limits.list_items = 1 << 12;
  limits.memory_bytes = 8 << 20;
  limits.now = std::tm{};
  return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const std::string content = zero == std::string::npos ? "Hi <|im_end|>" : input.substr(zero + 1);
  const auto parsed = pith::JinjaTemplate::Parse(input.substr(0, zero));
  if (!parsed.ok()) {
    Require(!parsed.status().message().empty());
    return 0;
  }
  const ordered_json variables = {
      {"messages", {{{"role", "system"}, {"content", "é"}}, {{"role", "user"}, {"content", content}}}},
      {"tools", {{{"name", "f"}, {"parameters", {{"a", {1, 2.5, nullptr, true}}, {content, "k"}}}}}},
      {"n", -7},
      {"s", content}};
  const auto text = parsed->Render(variables, {{"bos_token", "<s>"}, {"yes", true}}, SmallLimits());
  if (!text.ok()) {
    Require(!text.status().message().empty());
    return 0;
  }
  size_t end = 0;
  for (size_t i = 0; i < text->data.size(); ++i) {
    const pith::ByteRange& r = text->data[i];
    Require(r.begin < r.end && r.end <= text->text.size());
    Require(i == 0 || r.begin > end);
    end = r.end;
  }
  Require(text->text.size() <= SmallLimits().output_bytes);
  return 0;
}
