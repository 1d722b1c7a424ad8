// The read half of an AXI4 port, on the memory's side.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "banks.h"
#include "port_memory.h"
#include "config.h"
#include "meter.h"
#include "pause.h"
#include "protocol.h"
#include "ring.h"

namespace tercel {

// A burst returns the contents of the memory at the time of its request.
template <unsigned BEAT_BYTES>
class ReadChannel {
public:
    void configure(const DdrConfig& config, uint64_t seed, uint64_t lag) {
        config_ = config;
        latency_ = config.read_latency + lag;
        access_beats_ = config.banks.banks ? config.banks.access_bytes / BEAT_BYTES : 1;
        bursts_.allocate(config.outstanding_reads);
        accesses_.allocate(config.banks.banks ? config.read_ahead : 0);
        data_.resize(config.outstanding_reads * MAX_BURST * BEAT_BYTES);
        pause_.seed(seed, config.pause);
        reset();
    }

    void reset() {
        bursts_.clear();
        accesses_.clear();
        meter_.set(config_.port_rate, BEAT_BYTES, 1);
        fetching_ = fetched_of_burst_ = ahead_ = sent_ = 0;
        admitting_ = admitted_of_burst_ = admitted_ = 0;
        offered_ = ready_ = false;
        check_.reset();
    }

    // Fetch a beat in this cycle of the DRAM; return false if there is none.
    bool fetch(uint64_t cycle) {
        if (!wanting(cycle)) return false;
        ++ahead_;
        if (++fetched_of_burst_ == bursts_[fetching_].beats) {
            ++fetching_;
            fetched_of_burst_ = 0;
        }
        return true;
    }
    bool wanting(uint64_t cycle) {
        return asked() && bursts_[fetching_].due <= cycle && ahead_ < config_.read_ahead;
    }

    // A beat is to be fetched, now or later.
    bool asked() const { return fetching_ < bursts_.size(); }
    // A beat would be fetched if there were room.
    bool full(uint64_t cycle) {
        return asked() && bursts_[fetching_].due <= cycle && !room();
    }

    // The next access can enter the controller.
    bool admissible(uint64_t cycle) {
        return admitting_ < bursts_.size() && bursts_[admitting_].due <= cycle && room();
    }
    Banks::Access admit(unsigned port) {
        const Burst& burst = bursts_[admitting_];
        const uint64_t address = burst.address + admitted_of_burst_ * BEAT_BYTES;
        const uint64_t to_edge = access_beats_ - address / BEAT_BYTES % access_beats_;
        const uint64_t beats = std::min(to_edge, burst.beats - admitted_of_burst_);
        accesses_.push().beats = beats;
        admitted_ += beats;
        admitted_of_burst_ += beats;
        if (admitted_of_burst_ == burst.beats) {
            ++admitting_;
            admitted_of_burst_ = 0;
        }
        return {address, port, beats, left_ + accesses_.size() - 1};
    }
    // Some of the burst has been admitted, and some has not.
    bool within_burst() const { return admitted_of_burst_ != 0; }

    // An access is served; beats are fetched in the order of their requests.
    void complete(uint64_t number, uint64_t cycle) {
        accesses_[number - left_].served = true;
        while (!accesses_.empty() && accesses_.front().served) {
            const uint64_t beats = accesses_.front().beats;
            admitted_ -= beats;
            for (uint64_t beat = 0; beat < beats; ++beat) fetch(cycle);
            accesses_.pop();
            ++left_;
        }
    }

    template <class Pins>
    void drive(Pins& pins, bool stopped) {
        meter_.refill();
        if (!offered_ && ahead_ && meter_.enough() && !stopped && !pause_()) offer(pins);
        ready_ = !bursts_.full() && !stopped && !pause_();
        pins.rvalid = offered_;
        pins.arready = ready_;
    }

    template <class Pins>
    void sample(Pins& pins, uint64_t cycle, PortMemory& memory, PortStatistics& statistics,
                const char*& violation) {
        if (offered_ && pins.rready) {
            ++statistics.read_beats;
            offered_ = false;
            --ahead_;
            if (++sent_ == bursts_.front().beats) {
                bursts_.pop();
                --fetching_;
                if (admitting_) --admitting_;
                sent_ = 0;
            }
        } else {
            ++(offered_ ? statistics.blocked : bursts_.empty() ? statistics.idle
                                                               : statistics.starved);
        }
        const Request request{pins.araddr, pins.arlen, pins.arsize, pins.arburst, pins.arid};
        check_.observe(pins.arvalid, ready_, request, REQUEST_CHANGED, violation);
        if (pins.arvalid && ready_) {
            check_burst<BEAT_BYTES>(request, violation);
            ++statistics.read_bursts;
            accept(request.address, request.length + 1u, request.id, cycle, memory);
        }
    }

    // Answer a beat with an error; beats are counted from the next one, 0.
    void fail(uint64_t beats, unsigned response) {
        fault_beat_ = offers_ + beats;
        fault_response_ = response;
    }

private:
    struct Burst {
        uint64_t due = 0;
        uint64_t address = 0;
        uint64_t beats = 0;
        uint64_t id = 0;
        unsigned response = OKAY;
    };

    struct Access {
        uint64_t beats = 0;
        bool served = false;
    };

    // There is room for the beats of an access.
    bool room() const { return ahead_ + admitted_ + access_beats_ <= config_.read_ahead; }

    void accept(uint64_t address, uint64_t beats, uint64_t id, uint64_t cycle, PortMemory& memory) {
        uint8_t* data = &data_[bursts_.slot(bursts_.size()) * MAX_BURST * BEAT_BYTES];
        Burst& burst = bursts_.push();
        burst.due = cycle + latency_;
        burst.address = address;
        burst.beats = beats;
        burst.id = id;
        if (const uint8_t* bytes = memory.find(address, beats * BEAT_BYTES)) {
            std::memcpy(data, bytes, beats * BEAT_BYTES);
        } else {
            burst.response = DECODE_ERROR;
            std::memset(data, NOTHING_THERE, beats * BEAT_BYTES);
        }
    }

    template <class Pins>
    void offer(Pins& pins) {
        const Burst& burst = bursts_.front();
        const uint64_t place = bursts_.slot(0) * MAX_BURST + sent_;
        set_bytes<BEAT_BYTES>(pins.rdata, &data_[place * BEAT_BYTES]);
        pins.rid = burst.id;
        pins.rlast = sent_ + 1 == burst.beats;
        pins.rresp = offers_++ == fault_beat_ ? fault_response_ : burst.response;
        meter_.spend();
        offered_ = true;
    }

    DdrConfig config_{};
    uint64_t latency_ = 0;
    uint64_t access_beats_ = 1;  // Most beats of an access.
    Ring<Burst> bursts_;
    Ring<Access> accesses_;  // Admitted and not fetched.
    std::vector<uint8_t> data_;  // Data of each place in the ring.
    Meter meter_;
    Pause pause_;
    HeldCheck<Request> check_;
    uint64_t fetching_ = 0;  // Index, from the front, of the burst that is being fetched.
    uint64_t fetched_of_burst_ = 0;
    uint64_t ahead_ = 0;  // Beats fetched and not taken.
    uint64_t sent_ = 0;   // Beats of the front burst taken.
    uint64_t admitting_ = 0;  // Index, from the front, of the burst that is being admitted.
    uint64_t admitted_of_burst_ = 0;
    uint64_t admitted_ = 0;  // Beats admitted and not fetched.
    uint64_t left_ = 0;      // Accesses that have left.
    bool offered_ = false;
    bool ready_ = false;
    uint64_t offers_ = 0;
    uint64_t fault_beat_ = NEVER;
    unsigned fault_response_ = OKAY;
};

}  // namespace tercel
