// Test bench of a Verilated design: its memory and register bus, with functions for ctypes.
#include <algorithm>
#include <cstdint>
#include <new>

#include "Vdesign.h"
#include "ddr.h"
#include "shape.h"
#include "verilated.h"
#include "waves.h"

namespace tercel {

enum Outcome {
    ENDED = 0,
    LIMIT = 1,
    VIOLATION = 2,
    NO_ANSWER = 3,
    UNWRITTEN = 4,   // Waves cannot be written.
    UNFINISHED = 5,  // The slice has ended; call again.
};

constexpr uint64_t RESET_CYCLES = 4;
constexpr uint64_t BUS_LIMIT = 10000;  // Most cycles of a register access.

#define FOR_EACH_PIN(DO, port)                                                                    \
    DO(port, arid) DO(port, araddr) DO(port, arlen) DO(port, arsize) DO(port, arburst)             \
    DO(port, arvalid) DO(port, arready)                                                            \
    DO(port, rid) DO(port, rdata) DO(port, rresp) DO(port, rlast) DO(port, rvalid)                 \
    DO(port, rready)                                                                               \
    DO(port, awid) DO(port, awaddr) DO(port, awlen) DO(port, awsize) DO(port, awburst)             \
    DO(port, awvalid) DO(port, awready)                                                            \
    DO(port, wdata) DO(port, wstrb) DO(port, wlast) DO(port, wvalid) DO(port, wready)              \
    DO(port, bid) DO(port, bresp) DO(port, bvalid) DO(port, bready)

// References to the pins of a port of the design.
#define DECLARE(port, name) decltype(Vdesign::m_axi_mem##port##_##name) name;
struct Pins {
    FOR_EACH_PIN(DECLARE, 0)
};
#define CONNECT(port, name) top_.m_axi_mem##port##_##name,
#define CONNECT_PORT(port) {FOR_EACH_PIN(CONNECT, port)},

class Simulation {
public:
    Simulation(const DdrConfig& config, const uint64_t* bases)
        : top_(start(context_), "top"), ddr_(config, bases) {
        reset();
    }
    ~Simulation() {
        waves_.close();
        top_.final();
    }

    Ddr<PORTS, BEAT_BYTES>& ddr() { return ddr_; }
    uint64_t cycles() const { return cycle_; }
    bool interrupt() const { return top_.irq; }

    void reset() {
        ddr_.reset();
        top_.rst = 1;
        for (uint64_t cycle = 0; cycle < RESET_CYCLES; ++cycle) tick();
        top_.rst = 0;
        tick();  // The design may register its reset.
    }

    // The functions that run the clock to a cycle `end` return after `slice` cycles, so that the
    // caller can handle signals.
    int run(uint64_t end, uint64_t slice) {
        const uint64_t stop = std::min(end, cycle_ + slice);
        while (cycle_ < stop) {
            tick();
            if (int outcome = trouble()) return outcome;
        }
        return cycle_ < end ? UNFINISHED : ENDED;
    }

    int run_until_interrupt(uint64_t end, uint64_t slice) {
        const uint64_t stop = cycle_ + slice;
        while (!top_.irq) {
            if (cycle_ >= end) return LIMIT;
            if (cycle_ >= stop) return UNFINISHED;
            tick();
            if (int outcome = trouble()) return outcome;
        }
        return ENDED;
    }

    int run_while_register(uint32_t offset, uint32_t mask, uint32_t value, uint64_t period,
                           uint64_t end, uint64_t slice) {
        const uint64_t stop = cycle_ + slice;
        for (;;) {
            uint32_t found = 0;
            if (int outcome = read_register(offset, &found)) return outcome;
            if ((found & mask) != value) return ENDED;
            if (cycle_ >= end) return LIMIT;
            if (int outcome = run(std::min(end, cycle_ + period), period)) return outcome;
            if (cycle_ >= stop) return UNFINISHED;
        }
    }

    int read_register(uint32_t offset, uint32_t* value) {
        top_.s_axi_control_araddr = offset;
        top_.s_axi_control_arvalid = 1;
        top_.s_axi_control_rready = 1;
        int outcome = NO_ANSWER;
        for (uint64_t cycle = 0; outcome == NO_ANSWER && cycle < BUS_LIMIT; ++cycle) {
            settle();
            const bool asked = top_.s_axi_control_arvalid && top_.s_axi_control_arready;
            if (top_.s_axi_control_rvalid) {
                *value = top_.s_axi_control_rdata;
                outcome = ENDED;
            }
            edge();
            if (asked) top_.s_axi_control_arvalid = 0;
            if (int found = trouble()) outcome = found;
        }
        top_.s_axi_control_arvalid = 0;
        top_.s_axi_control_rready = 0;
        return outcome;
    }

    int write_register(uint32_t offset, uint32_t value) {
        top_.s_axi_control_awaddr = offset;
        top_.s_axi_control_awvalid = 1;
        top_.s_axi_control_wdata = value;
        top_.s_axi_control_wstrb = 0xF;
        top_.s_axi_control_wvalid = 1;
        top_.s_axi_control_bready = 1;
        int outcome = NO_ANSWER;
        for (uint64_t cycle = 0; outcome == NO_ANSWER && cycle < BUS_LIMIT; ++cycle) {
            settle();
            const bool asked = top_.s_axi_control_awvalid && top_.s_axi_control_awready;
            const bool given = top_.s_axi_control_wvalid && top_.s_axi_control_wready;
            if (top_.s_axi_control_bvalid) outcome = ENDED;
            edge();
            if (asked) top_.s_axi_control_awvalid = 0;
            if (given) top_.s_axi_control_wvalid = 0;
            if (int found = trouble()) outcome = found;
        }
        top_.s_axi_control_awvalid = 0;
        top_.s_axi_control_wvalid = 0;
        top_.s_axi_control_bready = 0;
        return outcome;
    }

    Waves& waves() { return waves_; }
    int open_waves(const char* path, uint64_t first, uint64_t end, uint64_t period) {
        return waves_.open(top_, path, first, end, period);
    }

private:
    static VerilatedContext* start(VerilatedContext& context) {
        context.traceEverOn(VM_TRACE);
        return &context;
    }

    void tick() {
        settle();
        edge();
    }

    // Drive the inputs of a new cycle and evaluate the design.
    void settle() {
        ddr_.drive(pins_, cycle_);
        top_.clk = 0;
        top_.eval();
        waves_.dump(cycle_, 0);
    }

    void edge() {
        if (!top_.rst) ddr_.sample(pins_, cycle_);
        top_.clk = 1;
        top_.eval();
        waves_.dump(cycle_, 1);
        ++cycle_;
    }

    int trouble() const {
        if (ddr_.violation()) return VIOLATION;
        return waves_.failure() ? UNWRITTEN : ENDED;
    }

    VerilatedContext context_;
    Vdesign top_;
    Pins pins_[PORTS] = {FOR_EACH_PORT(CONNECT_PORT)};
    Ddr<PORTS, BEAT_BYTES> ddr_;
    Waves waves_;
    uint64_t cycle_ = 0;
};

}  // namespace tercel

using tercel::Simulation;

extern "C" {

unsigned tercel_ports() { return tercel::PORTS; }
unsigned tercel_beat_bytes() { return tercel::BEAT_BYTES; }

// Returns null if memory cannot be allocated.
Simulation* tercel_create(const tercel::DdrConfig* config, const uint64_t* bases) try {
    return new Simulation(*config, bases);
} catch (const std::bad_alloc&) {
    return nullptr;
}
void tercel_destroy(Simulation* simulation) { delete simulation; }

uint8_t* tercel_memory(Simulation* simulation, unsigned port) {
    return simulation->ddr().bytes(port);
}
uint64_t tercel_cycles(Simulation* simulation) { return simulation->cycles(); }
int tercel_interrupt(Simulation* simulation) { return simulation->interrupt(); }
void tercel_reset(Simulation* simulation) { simulation->reset(); }

int tercel_run(Simulation* simulation, uint64_t end, uint64_t slice) {
    return simulation->run(end, slice);
}
int tercel_run_until_interrupt(Simulation* simulation, uint64_t end, uint64_t slice) {
    return simulation->run_until_interrupt(end, slice);
}
int tercel_run_while_register(Simulation* simulation, uint32_t offset, uint32_t mask,
                              uint32_t value, uint64_t period, uint64_t end, uint64_t slice) {
    return simulation->run_while_register(offset, mask, value, period, end, slice);
}
int tercel_read_register(Simulation* simulation, uint32_t offset, uint32_t* value) {
    return simulation->read_register(offset, value);
}
int tercel_write_register(Simulation* simulation, uint32_t offset, uint32_t value) {
    return simulation->write_register(offset, value);
}

void tercel_fail_read(Simulation* simulation, unsigned port, uint64_t beats, unsigned response) {
    simulation->ddr().fail_read(port, beats, response);
}
void tercel_fail_write(Simulation* simulation, unsigned port, uint64_t beats, unsigned response) {
    simulation->ddr().fail_write(port, beats, response);
}
void tercel_stop(Simulation* simulation, unsigned port, uint64_t cycle) {
    simulation->ddr().stop(port, cycle);
}

void tercel_port_statistics(Simulation* simulation, unsigned port,
                            tercel::PortStatistics* statistics) {
    *statistics = simulation->ddr().statistics(port);
}
void tercel_memory_statistics(Simulation* simulation, tercel::MemoryStatistics* statistics) {
    *statistics = simulation->ddr().statistics();
}
void tercel_clear_statistics(Simulation* simulation) { simulation->ddr().clear_statistics(); }

const char* tercel_violation(Simulation* simulation) { return simulation->ddr().violation(); }
unsigned tercel_violating_port(Simulation* simulation) {
    return simulation->ddr().violating_port();
}

// Both return 0 or an errno: ENOTSUP in a build without waves.
int tercel_waves(Simulation* simulation, const char* path, uint64_t first, uint64_t end,
                 uint64_t period) {
    return simulation->open_waves(path, first, end, period);
}
int tercel_close_waves(Simulation* simulation) { return simulation->waves().close(); }

}  // extern "C"
