// The memory of cpp/ddr.h without a design: its pins are set and read by Python.
#include "ddr.h"

namespace {

constexpr unsigned PORTS = 2;
constexpr unsigned BEAT_BYTES = 8;

struct Pins {
    uint64_t araddr, awaddr, rdata, wdata;
    uint32_t arid, arlen, arsize, arburst, arvalid, arready;
    uint32_t rid, rresp, rlast, rvalid, rready;
    uint32_t awid, awlen, awsize, awburst, awvalid, awready;
    uint32_t wstrb, wlast, wvalid, wready;
    uint32_t bid, bresp, bvalid, bready;
};

using Memory = tercel::Ddr<PORTS, BEAT_BYTES>;

}  // namespace

extern "C" {

Memory* probe_create(const tercel::DdrConfig* config, const uint64_t* bases) {
    return new Memory(*config, bases);
}
void probe_destroy(Memory* memory) { delete memory; }
uint8_t* probe_bytes(Memory* memory, unsigned port) { return memory->bytes(port); }
void probe_reset(Memory* memory) { memory->reset(); }
void probe_stop(Memory* memory, unsigned port, uint64_t cycle) { memory->stop(port, cycle); }
void probe_drive(Memory* memory, Pins* pins, uint64_t cycle) { memory->drive(pins, cycle); }
void probe_sample(Memory* memory, Pins* pins, uint64_t cycle) { memory->sample(pins, cycle); }
const char* probe_violation(Memory* memory) { return memory->violation(); }
unsigned probe_violating_port(Memory* memory) { return memory->violating_port(); }

}  // extern "C"
