// Status and Result<T>: how every function of pith reports failure. No exception leaves the library.
//
// A message names thing, place, found, expected: "archive: block 3: checksum 0x1f.., expected 0x2a..".
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace pith {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,  // the caller asked for something that has no meaning
  kNotFound,         // a file, model or tensor is not there
  kAlreadyExists,    // the target exists and may not be replaced
  kCorrupt,          // data contradicts itself or its checksum
  kUnsupported,      // well-formed, but of a version or kind that this build does not know
  kWrongModel,       // the archive wants a model that is not the one at hand
  kIo,               // the operating system refused
  kCancelled,        // the caller's cancel callback said so
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with "`context`: " before its message; ok stays ok.
  Status WithContext(const std::string& context) const {
    return ok() ? *this : Status(code_, context + ": " + message_);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return {}; }
inline Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status AlreadyExists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }
inline Status Corrupt(std::string m) { return {StatusCode::kCorrupt, std::move(m)}; }
inline Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status WrongModel(std::string m) { return {StatusCode::kWrongModel, std::move(m)}; }
inline Status IoError(std::string m) { return {StatusCode::kIo, std::move(m)}; }
inline Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }

// A value or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}        // NOLINT: implicit, so that `return value;` works
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit, so that `return Corrupt(..);` works
    if (status_.ok()) std::abort();                    // a Result without value must say why
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // REQUIRES: ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace pith

// Early return of a failure.
#define PITH_RETURN_IF_ERROR(expression)                       \
  do {                                                         \
    ::pith::Status pith_status_ = (expression);                \
    if (!pith_status_.ok()) return pith_status_;               \
  } while (false)

#define PITH_CONCAT_INNER_(a, b) a##b
#define PITH_CONCAT_(a, b) PITH_CONCAT_INNER_(a, b)
#define PITH_ASSIGN_OR_RETURN_IMPL_(result, declaration, expression) \
  auto result = (expression);                                        \
  if (!result.ok()) return result.status();                          \
  declaration = *std::move(result)

// PITH_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
#define PITH_ASSIGN_OR_RETURN(declaration, expression) \
  PITH_ASSIGN_OR_RETURN_IMPL_(PITH_CONCAT_(pith_result_, __LINE__), declaration, expression)
