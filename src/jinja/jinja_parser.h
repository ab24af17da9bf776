// Text of a template to its tree, by the grammar of Jinja 3.
#pragma once

#include <string_view>

#include "jinja/jinja_ast.h"

namespace pith::jinja {

// `source`: NormalizeSource's. Throws Failure.
Block ParseTemplate(std::string_view source);

}  // namespace pith::jinja
