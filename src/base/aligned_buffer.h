// AlignedBuffer<T>: a fixed-size array on a cache-line boundary, zeroed, movable. For activations and weights.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/pages.h"

namespace pith {

inline constexpr size_t kCacheLine = 64;

constexpr size_t RoundUp(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t n) : size_(n) {
    if (n == 0) return;
    if (bytes() >= kLargeBuffer) {
      data_ = static_cast<T*>(AllocatePages(bytes()));
      return;
    }
    data_ = static_cast<T*>(::operator new(bytes(), std::align_val_t{kCacheLine}));
    std::memset(static_cast<void*>(data_), 0, bytes());
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() {
    if (data_ == nullptr) return;
    if (bytes() >= kLargeBuffer) {
      FreePages(data_, bytes());
    } else {
      ::operator delete(data_, std::align_val_t{kCacheLine});
    }
  }

  AlignedBuffer Copy() const {
    AlignedBuffer copy(size_);
    if (size_ != 0) std::memcpy(static_cast<void*>(copy.data_), data_, size_ * sizeof(T));
    return copy;
  }

  // For a table that is read at random, before it is written (pages.h).
  void PreferLargePages() {
    if (bytes() >= kLargeBuffer) pith::PreferLargePages(data_, bytes());
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }

 private:
  // From here on memory comes from the system, zeroed where it is touched; smaller ones are worth no pages of their own.
  static constexpr size_t kLargeBuffer = size_t{4} << 20;

  // One spare cache line, so that a whole-vector load at the last element stays inside.
  size_t bytes() const { return RoundUp(size_ * sizeof(T), kCacheLine) + kCacheLine; }

  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace pith
