// AtBoundary: no exception leaves the library.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "pith/status.h"

namespace pith {

// Runs `body`, which returns a Status or a Result, and turns what it throws into a Status. Own code throws
// nothing; what comes here is memory that ran out (standard containers) and whatever a caller's callback
// throws.
template <typename Body>
auto AtBoundary(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return IoError("out of memory");
  } catch (const std::exception& e) {
    return IoError(std::string("unexpected exception: ") + e.what());
  } catch (...) {
    return IoError("unexpected exception");
  }
}

}  // namespace pith
