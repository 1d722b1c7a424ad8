// A rate limiter: the credit grows every cycle up to a bound.
#pragma once

#include <algorithm>
#include <cstdint>

#include "config.h"

namespace tercel {

class Meter {
public:
    void set(uint64_t rate, uint64_t beat_bytes, uint64_t beats) {
        rate_ = rate;
        cost_ = beat_bytes << RATE_BITS;
        most_ = rate + beats * cost_;  // A lower bound would lose the rest of a cycle.
        credit_ = 0;
    }
    // Add a cycle's credit; return the credit beyond the bound.
    uint64_t refill() {
        const uint64_t credit = credit_ + rate_;
        credit_ = std::min(credit, most_);
        return credit - credit_;
    }
    bool enough() const { return credit_ >= cost_; }
    void spend() { credit_ -= cost_; }

private:
    uint64_t rate_ = 0;
    uint64_t cost_ = 0;
    uint64_t most_ = 0;
    uint64_t credit_ = 0;
};

}  // namespace tercel
