#include "jinja/jinja.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "jinja/jinja_interpreter.h"
#include "jinja/jinja_lexer.h"
#include "jinja/jinja_parser.h"

namespace pith {

struct JinjaTemplate::Program {
  std::string source;  // as NormalizeSource made it
  jinja::Block body;
};

namespace {

Status AtPlace(const jinja::Failure& failure, const std::string& source, uint32_t here) {
  const uint32_t at = failure.at == jinja::Failure::kHere ? here : failure.at;
  return failure.status.WithContext("template: " + jinja::PlaceName(source, at));
}

}  // namespace

JinjaTemplate::JinjaTemplate(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

Result<JinjaTemplate> JinjaTemplate::Parse(std::string source) {
  if (source.size() > kMaxTemplateBytes) {
    return Unsupported("template: " + std::to_string(source.size()) + " bytes, expected at most " +
                       std::to_string(kMaxTemplateBytes));
  }
  std::string normal;
  try {
    normal = jinja::NormalizeSource(source);
    jinja::Block body = jinja::ParseTemplate(normal);
    return JinjaTemplate(std::make_shared<const Program>(Program{std::move(normal), std::move(body)}));
  } catch (const jinja::Failure& failure) {
    return AtPlace(failure, normal, 0);
  } catch (const std::exception& e) {  // out of memory
    return Unsupported(std::string("template: ") + e.what());
  }
}

Result<MarkedText> JinjaTemplate::Render(const nlohmann::ordered_json& variables,
                                         const nlohmann::ordered_json& constants,
                                         const JinjaLimits& limits) const {
  jinja::Machine machine(limits);
  try {
    machine.AddVariables(constants, "constants", false);
    machine.AddVariables(variables, "variables", true);
    return machine.Run(program_->body);
  } catch (const jinja::Failure& failure) {
    return AtPlace(failure, program_->source, machine.at());
  } catch (const std::exception& e) {  // out of memory, or what nlohmann-json throws
    return Unsupported(std::string("template: ") + e.what());
  }
}

}  // namespace pith
