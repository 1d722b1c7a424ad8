// Streams of long bursts on four ports of 128 bits of the simulated memory, each on its own.
#include <cstdint>

#include "ddr.h"

namespace {

constexpr unsigned PORTS = 4;
constexpr unsigned BEAT_BYTES = 16;
constexpr uint64_t BURST = 64;

struct Beat {
    uint8_t bytes[BEAT_BYTES];
};
struct Pins {
    uint64_t araddr, awaddr;
    Beat rdata, wdata;
    uint32_t arid, arlen, arsize, arburst, arvalid, arready;
    uint32_t rid, rresp, rlast, rvalid, rready;
    uint32_t awid, awlen, awsize, awburst, awvalid, awready;
    uint32_t wstrb, wlast, wvalid, wready;
    uint32_t bid, bresp, bvalid, bready;
};

}  // namespace

// Read `beats[p]` beats from `bases[p]` on each port; write the cycle after each port's last beat to
// `ends`. Returns 0 if that takes more than `limit` cycles.
extern "C" int ddr_streams(const tercel::DdrConfig* config, const uint64_t* bases,
                           const uint64_t* beats, uint64_t limit, uint64_t* ends) {
    tercel::Ddr<PORTS, BEAT_BYTES> memory(*config, bases);
    Pins pins[PORTS] = {};
    uint64_t asked[PORTS] = {}, came[PORTS] = {};
    unsigned left = 0;
    for (unsigned port = 0; port < PORTS; ++port) {
        ends[port] = 0;
        left += beats[port] != 0;
    }
    for (uint64_t cycle = 0; left && cycle < limit; ++cycle) {
        memory.drive(pins, cycle);
        for (unsigned port = 0; port < PORTS; ++port) {
            Pins& pin = pins[port];
            pin.rready = 1;
            pin.arvalid = asked[port] < beats[port];
            pin.araddr = bases[port] + asked[port] * BEAT_BYTES;
            pin.arlen = BURST - 1;
            pin.arsize = 4;
            pin.arburst = tercel::INCR;
            if (pin.arvalid && pin.arready) asked[port] += BURST;
            if (pin.rvalid && ++came[port] == beats[port]) {
                ends[port] = cycle + 1;
                --left;
            }
        }
        // What was offered in this cycle is sampled before the next request is put on the pins.
        memory.sample(pins, cycle);
    }
    return !left;
}
