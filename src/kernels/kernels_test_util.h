// What the tests of the kernels share: fixed-seed data, buffers that end at a forbidden page, the contract's
// formulas.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "kernels/kernels.h"

namespace pith {

// n elements that end where a page begins that may be neither read nor written; the bytes before them hold a
// pattern.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t n, size_t n_padding = 0) : n_(n) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = (n + n_padding) * sizeof(T);
    size_ = RoundUp(bytes + kFront, page) + page;
    void* p = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    PITH_CHECK(p != MAP_FAILED);
    base_ = static_cast<uint8_t*>(p);
    PITH_CHECK(mprotect(base_ + size_ - page, page, PROT_NONE) == 0);
    std::memset(base_, kPattern, size_ - page);
    data_ = reinterpret_cast<T*>(base_ + size_ - page - bytes);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    for (uint8_t* p = base_; p < reinterpret_cast<uint8_t*>(data_); ++p) {
      if (*p != kPattern) {
        ADD_FAILURE() << "a byte before the buffer was written";
        break;
      }
    }
    munmap(base_, size_);
  }

  T* data() { return data_; }
  size_t size() const { return n_; }
  T& operator[](size_t i) { return data_[i]; }
  void Fill(T value) {
    for (size_t i = 0; i < n_; ++i) data_[i] = value;
  }
  void Assign(const std::vector<T>& v) { std::memcpy(data_, v.data(), v.size() * sizeof(T)); }
  std::vector<T> Copy() const { return {data_, data_ + n_}; }

 private:
  static constexpr uint8_t kPattern = 0xa5;
  static constexpr size_t kFront = 256;
  size_t n_;
  size_t size_ = 0;
  uint8_t* base_ = nullptr;
  T* data_ = nullptr;
};

inline std::vector<Isa> VectorIsas() {
  std::vector<Isa> isas = AvailableIsas();
  isas.erase(isas.begin());  // kScalar, which the others are compared with
  return isas;
}

// Equal bits, NaN included; says where not.
inline ::testing::AssertionResult SameBits(const float* a, const float* b, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) {
      return ::testing::AssertionFailure()
             << "at " << i << " of " << n << ": " << std::hexfloat << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}
inline ::testing::AssertionResult SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
  return SameBits(a.data(), b.data(), a.size());
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(engine_() % n); }
  float Uniform(float low, float high) {
    return low + (high - low) * (static_cast<float>(engine_() >> 40) / static_cast<float>(1 << 24));
  }
  // Mostly moderate; some zeros of both signs, denormals and outliers.
  float Any() {
    switch (Below(24)) {
      case 0:
        return 0.0f;
      case 1:
        return -0.0f;
      case 2:
        return Uniform(-1e-40f, 1e-40f);
      case 3:
        return Uniform(-1e6f, 1e6f);
      case 4:
        return Uniform(-1e-6f, 1e-6f);
      default:
        return Uniform(-4.0f, 4.0f);
    }
  }
  std::vector<float> Floats(size_t n, float low, float high) {
    std::vector<float> v(n);
    for (float& x : v) x = Uniform(low, high);
    return v;
  }
  std::vector<float> AnyFloats(size_t n) {
    std::vector<float> v(n);
    for (float& x : v) x = Any();
    return v;
  }

 private:
  std::mt19937_64 engine_;
};

// Sizes around whole vectors.
inline std::vector<size_t> Sizes() {
  return {1,  2,  3,  4,  5,  7,  8,  9,  12, 13,  15,  16,  17,  23,  24,
          25, 31, 32, 33, 40, 47, 48, 49, 64, 100, 191, 192, 193, 200, 576};
}

// Contract 1: the lane sum.
inline float NaiveLaneSum(const std::vector<float>& x) {
  float a[16] = {};
  for (size_t i = 0; i < x.size(); ++i) a[i % 16] = a[i % 16] + x[i];
  for (size_t h = 8; h >= 1; h /= 2) {
    for (size_t l = 0; l < h; ++l) a[l] = a[l] + a[l + h];
  }
  return a[0];
}

// Contract 2.
inline float NaiveExp(float x) {
  if (x < -87.0f) return 0.0f;
  if (x > 88.0f) x = 88.0f;
  const float n = std::nearbyint(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = ((p * (r * r)) + r) + 1.0f;
  const uint32_t power = static_cast<uint32_t>(static_cast<int32_t>(n)) << 23;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(y) + power);
}

inline float NaiveSigmoid(float x) { return 1.0f / (1.0f + NaiveExp(0.0f - x)); }

}  // namespace pith
