// Random pauses, the same for the same seed.
#pragma once

#include <cstdint>

namespace tercel {

class Pause {
public:
    void seed(uint64_t value, uint64_t probability) {
        // The state of xorshift must not be zero; the multiplication separates neighbouring seeds.
        state_ = (value + 1) * 0x9E3779B97F4A7C15u | 1;
        probability_ = probability;
    }

    bool operator()() {
        if (!probability_) return false;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return (state_ >> 32) < probability_;
    }

private:
    uint64_t state_ = 1;
    uint64_t probability_ = 0;
};

}  // namespace tercel
