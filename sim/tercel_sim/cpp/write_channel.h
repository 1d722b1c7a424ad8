// The write half of an AXI4 port, on the memory's side.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "port_memory.h"
#include "config.h"
#include "meter.h"
#include "pause.h"
#include "protocol.h"
#include "ring.h"

namespace tercel {

// Beats wait in a buffer until the DRAM stores them; until a burst is answered, a read may return
// either the old bytes or the new.
template <unsigned BEAT_BYTES>
class WriteChannel {
public:
    void configure(const DdrConfig& config, uint64_t seed) {
        config_ = config;
        bursts_.allocate(config.outstanding_writes);
        beats_.allocate(config.write_buffer);
        pause_.seed(seed, config.pause);
        reset();
    }

    void reset() {
        bursts_.clear();
        beats_.clear();
        meter_.set(config_.port_rate, BEAT_BYTES, 1);
        receiving_ = received_of_burst_ = storing_ = stored_of_burst_ = 0;
        offered_ = request_ready_ = data_ready_ = false;
        request_check_.reset();
        data_check_.reset();
    }

    bool wanting() const { return !beats_.empty(); }
    uint64_t waiting() const { return beats_.size(); }

    // Address of the next beat, if there is one.
    uint64_t address() { return bursts_[storing_].address + stored_of_burst_ * BEAT_BYTES; }

    // Number of beats of the next access, of at most `bytes`, if all of them wait or the buffer is
    // full; else 0.
    uint64_t access_beats(uint64_t bytes) {
        if (beats_.empty()) return 0;
        const uint64_t to_edge = (bytes - address() % bytes) / BEAT_BYTES;
        const uint64_t wanted = std::min(to_edge, bursts_[storing_].beats - stored_of_burst_);
        return beats_.size() >= wanted ? wanted : beats_.full() ? beats_.size() : 0;
    }


    // Store a beat in this cycle of the DRAM; return false if there is none.
    bool store(uint64_t cycle, PortMemory& memory) {
        if (beats_.empty()) return false;
        Burst& burst = bursts_[storing_];
        const Beat& beat = beats_.front();
        if (uint8_t* bytes = memory.find(address(), BEAT_BYTES)) {
            merge(bytes, beat);
        } else {
            burst.response = DECODE_ERROR;
        }
        beats_.pop();
        if (++stored_of_burst_ == burst.beats) {
            burst.due = cycle + config_.write_latency;
            ++storing_;
            stored_of_burst_ = 0;
        }
        return true;
    }

    template <class Pins>
    void drive(Pins& pins, uint64_t cycle, bool stopped) {
        meter_.refill();
        if (!offered_ && storing_ && bursts_.front().due <= cycle && !stopped && !pause_()) {
            pins.bid = bursts_.front().id;
            pins.bresp = bursts_.front().response;
            offered_ = true;
        }
        request_ready_ = !bursts_.full() && !stopped && !pause_();
        data_ready_ = receiving_ < bursts_.size() && !beats_.full() && meter_.enough() && !stopped
            && !pause_();
        pins.bvalid = offered_;
        pins.awready = request_ready_;
        pins.wready = data_ready_;
    }

    template <class Pins>
    void sample(Pins& pins, PortStatistics& statistics, const char*& violation) {
        Beat beat;
        if (pins.wvalid) get_beat(pins, beat);
        data_check_.observe(pins.wvalid, data_ready_, beat, BEAT_CHANGED, violation);
        if (pins.wvalid && data_ready_) receive(beat, statistics, violation);
        if (offered_ && pins.bready) {
            offered_ = false;
            bursts_.pop();
            --storing_;
            --receiving_;
        }
        const Request request{pins.awaddr, pins.awlen, pins.awsize, pins.awburst, pins.awid};
        request_check_.observe(pins.awvalid, request_ready_, request, REQUEST_CHANGED, violation);
        if (pins.awvalid && request_ready_) {
            check_burst<BEAT_BYTES>(request, violation);
            ++statistics.write_bursts;
            Burst& burst = bursts_.push();
            burst.address = request.address;
            burst.beats = request.length + 1u;
            burst.id = request.id;
        }
    }

    // Answer the burst of a beat with an error; beats are counted from the next one, 0.
    void fail(uint64_t beats, unsigned response) {
        fault_beat_ = taken_ + beats;
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
    struct Beat {
        uint8_t data[BEAT_BYTES] = {};
        uint8_t strobes[(BEAT_BYTES + 7) / 8] = {};
        bool last = false;

        bool operator==(const Beat& other) const {
            return last == other.last && !std::memcmp(data, other.data, sizeof(data))
                && !std::memcmp(strobes, other.strobes, sizeof(strobes));
        }
    };

    template <class Pins>
    static void get_beat(const Pins& pins, Beat& beat) {
        get_bytes<BEAT_BYTES>(pins.wdata, beat.data);
        get_bytes<sizeof(beat.strobes)>(pins.wstrb, beat.strobes);
        beat.last = pins.wlast;
    }

    void receive(const Beat& beat, PortStatistics& statistics, const char*& violation) {
        Burst& burst = bursts_[receiving_];
        beats_.push() = beat;
        if (taken_++ == fault_beat_) burst.response = fault_response_;
        meter_.spend();
        ++statistics.write_beats;
        const bool last = ++received_of_burst_ == burst.beats;
        if (last != beat.last && !violation)
            violation = "wlast is not on the last beat of a burst";
        if (last) {
            ++receiving_;
            received_of_burst_ = 0;
        }
    }

    static void merge(uint8_t* bytes, const Beat& beat) {
        for (unsigned index = 0; index < BEAT_BYTES; ++index)
            if (beat.strobes[index / 8] >> index % 8 & 1) bytes[index] = beat.data[index];
    }

    DdrConfig config_{};
    Ring<Burst> bursts_;
    Ring<Beat> beats_;
    Meter meter_;
    Pause pause_;
    HeldCheck<Request> request_check_;
    HeldCheck<Beat> data_check_;
    uint64_t receiving_ = 0;  // Index, from the front, of the burst whose beats come next.
    uint64_t received_of_burst_ = 0;
    uint64_t storing_ = 0;  // Index, from the front, of the burst whose beats are stored next.
    uint64_t stored_of_burst_ = 0;
    bool offered_ = false;
    bool request_ready_ = false;
    bool data_ready_ = false;
    uint64_t taken_ = 0;
    uint64_t fault_beat_ = NEVER;
    unsigned fault_response_ = OKAY;
};

}  // namespace tercel
