// ProgressMeter: hands numbers on to a callback, a few times a second at most.
#pragma once

#include <chrono>

#include "codec/codec.h"
#include "pith/status.h"

namespace pith {

inline constexpr std::chrono::milliseconds kProgressInterval{100};

class ProgressMeter {
 public:
  // Borrows the callback, which may be empty.
  explicit ProgressMeter(const CodecProgressCallback& callback) : callback_(callback), last_(Clock::now()) {}

  // kCancelled when the callback says so. Cheap when it is not time yet.
  Status Report(const CodecProgress& progress) {
    if (!callback_) return OkStatus();
    const Clock::time_point now = Clock::now();
    if (now - last_ < kProgressInterval) return OkStatus();
    last_ = now;
    return Call(progress);
  }

  // Always calls.
  Status ReportLast(const CodecProgress& progress) { return callback_ ? Call(progress) : OkStatus(); }

 private:
  using Clock = std::chrono::steady_clock;

  Status Call(const CodecProgress& progress) {
    return callback_(progress) ? OkStatus() : Cancelled("cancelled by the caller");
  }

  const CodecProgressCallback& callback_;
  Clock::time_point last_;
};

}  // namespace pith
