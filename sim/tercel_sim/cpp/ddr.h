// A DRAM behind several AXI4 ports, each with its own memory: rates, latency, refresh, turnaround,
// and if it has banks, the rows that are open in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "access_queue.h"
#include "banks.h"
#include "port_memory.h"
#include "config.h"
#include "meter.h"
#include "read_channel.h"
#include "write_channel.h"

namespace tercel {

// A cycle is drive() with the pins of every port, evaluation of the design, then sample().
template <unsigned PORTS, unsigned BEAT_BYTES>
class Ddr {
public:
    Ddr(const DdrConfig& config, const uint64_t* bases) : config_(config) {
        for (unsigned index = 0; index < PORTS; ++index) {
            Port& port = ports_[index];
            port.memory.allocate(bases[index], config.port_bytes);
            port.read.configure(config, config.seed + 2 * index, config.banks.lag[index]);
            port.write.configure(config, config.seed + 2 * index + 1);
        }
        banks_.configure(config.banks);
        queue_.configure(config.banks, PORTS);
        reset();
    }

    // Forget all transfers in progress; memory, faults and statistics stay.
    void reset() {
        for (Port& port : ports_) {
            port.read.reset();
            port.write.reset();
        }
        banks_.close();
        queue_.reset();
        if (banked())
            meter_.set(config_.memory_rate, config_.banks.access_bytes, 1);
        else
            meter_.set(config_.memory_rate, BEAT_BYTES, PORTS);
        reading_ = true;
        lost_ = &MemoryStatistics::unasked;
        busy_until_ = waited_ = written_ = 0;
    }

    template <class Pins>
    void drive(Pins* pins, uint64_t cycle) {
        step(cycle);
        for (unsigned index = 0; index < PORTS; ++index) {
            Port& port = ports_[index];
            const bool stopped = cycle >= port.stop;
            port.read.drive(pins[index], stopped);
            port.write.drive(pins[index], cycle, stopped);
        }
    }

    template <class Pins>
    void sample(Pins* pins, uint64_t cycle) {
        for (unsigned index = 0; index < PORTS; ++index) {
            Port& port = ports_[index];
            const bool before = violation_;
            port.read.sample(pins[index], cycle, port.memory, port.statistics, violation_);
            port.write.sample(pins[index], port.statistics, violation_);
            if (violation_ && !before) violating_port_ = index;
        }
        ++statistics_.cycles;
    }

    uint8_t* bytes(unsigned port) { return ports_[port].memory.bytes(); }
    void fail_read(unsigned port, uint64_t beats, unsigned response) {
        ports_[port].read.fail(beats, response);
    }
    void fail_write(unsigned port, uint64_t beats, unsigned response) {
        ports_[port].write.fail(beats, response);
    }
    void stop(unsigned port, uint64_t cycle) { ports_[port].stop = cycle; }

    const PortStatistics& statistics(unsigned port) const { return ports_[port].statistics; }
    const MemoryStatistics& statistics() const { return statistics_; }
    void clear_statistics() {
        for (Port& port : ports_) port.statistics = {};
        statistics_ = {};
    }

    // The first rule of AXI that the design broke, or null.
    const char* violation() const { return violation_; }
    unsigned violating_port() const { return violating_port_; }

private:
    struct Port {
        PortMemory memory;
        ReadChannel<BEAT_BYTES> read;
        WriteChannel<BEAT_BYTES> write;
        PortStatistics statistics{};
        uint64_t stop = NEVER;
    };

    // A cycle of the DRAM: refresh, else turnaround, else transfer at the rate.
    void step(uint64_t cycle) {
        if (config_.refresh_interval
            && cycle % config_.refresh_interval
                >= config_.refresh_interval - config_.refresh_cycles) {
            ++statistics_.refresh;
            banks_.close();
            return;
        }
        if (cycle < busy_until_) {
            ++statistics_.turning;
            return;
        }
        statistics_.*lost_ += meter_.refill();
        bool reads = false, writes = false, urgent = false;
        if (banked()) {
            queue_.fill([this](unsigned port) -> auto& { return ports_[port].read; }, cycle);
            reads = !queue_.waiting().empty();
        }
        for (Port& port : ports_) {
            reads |= !banked() && port.read.wanting(cycle);
            writes |= banked() ? port.write.access_beats(config_.banks.access_bytes) != 0
                               : port.write.wanting();
            urgent |= port.write.waiting() >= config_.batch;
        }
        waited_ = writes && reading_ ? waited_ + 1 : 0;
        urgent |= waited_ > config_.patience;
        if (reading_ ? writes && (!reads || urgent) : reads && (!writes || written_ >= config_.batch)) {
            reading_ = !reading_;
            waited_ = written_ = 0;
            ++statistics_.turnarounds;
            busy_until_ = cycle + config_.turnaround;
            if (config_.turnaround) return;  // The rate of this cycle is not lost.
        }
        if (banked())
            serve(cycle);
        else
            move(cycle);
        lost_ = reason(cycle);
    }

    bool banked() const { return config_.banks.banks != 0; }

    // The reason why the memory does not move more.
    uint64_t MemoryStatistics::* reason(uint64_t cycle) {
        if (!(reading_ ? queue_.waiting() : writes_).empty()) return &MemoryStatistics::rows;
        bool asked = false;
        for (Port& port : ports_) {
            if (port.read.full(cycle)) return &MemoryStatistics::full;
            asked |= port.read.asked();
        }
        return asked ? &MemoryStatistics::latency : &MemoryStatistics::unasked;
    }

    void move(uint64_t cycle) {
        for (unsigned idle = 0; idle < PORTS && meter_.enough(); next_ = (next_ + 1) % PORTS) {
            Port& port = ports_[next_];
            if (reading_ ? port.read.fetch(cycle) : port.write.store(cycle, port.memory)) {
                meter_.spend();
                written_ += !reading_;
                idle = 0;
            } else {
                ++idle;
            }
        }
    }

    // As `move`, but only from open rows.
    void serve(uint64_t cycle) {
        while (meter_.enough()) {
            if (!reading_) gather_writes();
            const std::vector<Banks::Access>& waiting = reading_ ? queue_.waiting() : writes_;
            banks_.open(waiting, cycle);
            const size_t index = banks_.serve(waiting, cycle);
            if (index == Banks::NONE) return;
            const Banks::Access access = waiting[index];
            Port& port = ports_[access.port];
            if (reading_) {
                port.read.complete(access.number, cycle);
                queue_.take(index);
            } else {
                for (uint64_t beat = 0; beat < access.beats; ++beat)
                    port.write.store(cycle, port.memory);
                written_ += access.beats;
                next_ = (access.port + 1) % PORTS;
            }
            const uint64_t unused = config_.banks.access_bytes - access.beats * BEAT_BYTES;
            statistics_.rows += unused << RATE_BITS;
            meter_.spend();
        }
    }

    // The next write access of every port that has one.
    void gather_writes() {
        writes_.clear();
        for (unsigned step = 0; step < PORTS; ++step) {
            const unsigned port = (next_ + step) % PORTS;
            WriteChannel<BEAT_BYTES>& write = ports_[port].write;
            if (const uint64_t beats = write.access_beats(config_.banks.access_bytes))
                writes_.push_back({write.address(), port, beats, 0});
        }
    }

    DdrConfig config_;
    Port ports_[PORTS];
    Banks banks_;
    AccessQueue queue_;
    std::vector<Banks::Access> writes_;
    Meter meter_;
    MemoryStatistics statistics_{};
    bool reading_ = true;
    uint64_t busy_until_ = 0;
    uint64_t waited_ = 0;   // Cycles for which writes have waited.
    uint64_t written_ = 0;  // Beats written since the last turnaround.
    unsigned next_ = 0;     // Index of the port that is served next.
    uint64_t MemoryStatistics::* lost_ = &MemoryStatistics::unasked;  // Field of losses.
    const char* violation_ = nullptr;
    unsigned violating_port_ = 0;
};

}  // namespace tercel
