// The read accesses that a DRAM controller may reorder, taken from its ports in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "banks.h"
#include "config.h"

namespace tercel {

// Each port of the controller takes whole bursts of the AXI ports that share it, in turn.
class AccessQueue {
public:
    void configure(const BankConfig& config, unsigned ports) {
        config_ = config;
        ports_ = ports;
        owners_.resize(ports);
        reset();
    }

    void reset() {
        waiting_.clear();
        for (Owner& owner : owners_) owner = {};
        next_ = 0;
    }

    const std::vector<Banks::Access>& waiting() const { return waiting_; }
    void take(size_t index) { waiting_.erase(waiting_.begin() + index); }

    // Fill the queue from the read channels `channel(port)`.
    template <class Channels>
    void fill(Channels&& channel, uint64_t cycle) {
        for (unsigned idle = 0; idle < ports_ && waiting_.size() < config_.window;) {
            if (admit(channel, owners_[next_], next_, cycle))
                idle = 0;
            else
                ++idle;
            next_ = (next_ + 1) % ports_;
        }
    }

private:
    // State of a controller port. There are as many as AXI ports; those without any stay idle.
    struct Owner {
        unsigned port = 0;     // AXI port whose burst is, or was last, being taken.
        bool within = false;  // The burst has not been taken wholly.
    };

    template <class Channels>
    bool admit(Channels& channel, Owner& owner, unsigned index, uint64_t cycle) {
        if (!owner.within) {
            for (unsigned step = 1; step <= ports_ && !owner.within; ++step) {
                const unsigned port = (owner.port + step) % ports_;
                if (config_.controller_port[port] != index) continue;
                if (!channel(port).admissible(cycle)) continue;
                owner.port = port;
                owner.within = true;
            }
            if (!owner.within) return false;
        }
        auto& chosen = channel(owner.port);
        if (!chosen.admissible(cycle)) return false;
        waiting_.push_back(chosen.admit(owner.port));
        owner.within = chosen.within_burst();
        return true;
    }

    BankConfig config_{};
    unsigned ports_ = 0;
    std::vector<Owner> owners_;
    std::vector<Banks::Access> waiting_;
    unsigned next_ = 0;
};

}  // namespace tercel
