// Memory for large arrays straight from the system: zeros that cost nothing until they are touched, and then
// on the thread that touches them.
#pragma once

#include <cstddef>

namespace pith {

// At least `bytes` zeros at the beginning of a page. Throws std::bad_alloc.
// REQUIRES: bytes > 0.
void* AllocatePages(size_t bytes);
// REQUIRES: `memory` is AllocatePages(bytes), of the same number.
void FreePages(void* memory, size_t bytes);

// For memory from AllocatePages that is read all over, at random: asks for large pages before it is touched, where the system
// has them, so that an address costs one translation less. The system may refuse.
void PreferLargePages(void* memory, size_t bytes);

// Has the system make the pages of any memory now, all at once: cheaper than a fault for each. Contents stay
// as they are.
void TouchPages(void* memory, size_t bytes);

}  // namespace pith
