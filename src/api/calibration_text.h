// The text on which ImportModel measures when its caller gives none: prose in several languages, code, data,
// a log.
#pragma once

#include <string_view>

namespace pith {

// UTF-8, written for this purpose. A change changes what later imports choose, never how a model works.
std::string_view CalibrationText();

}  // namespace pith
