// Shared by both halves of an AXI4 port: constants, checks of the manager, wide pins as bytes.
#pragma once

#include <cstdint>
#include <cstring>

namespace tercel {

constexpr unsigned OKAY = 0;
constexpr unsigned DECODE_ERROR = 3;
constexpr unsigned MAX_BURST = 256;
constexpr unsigned INCR = 1;
constexpr uint64_t PAGE = 4096;
constexpr int NOTHING_THERE = 0xDE;  // Byte that a read outside the memory returns.

constexpr unsigned log2(unsigned value) { return value > 1 ? 1 + log2(value / 2) : 0; }

// Pins of any width are stored as little-endian bytes.
template <unsigned BYTES, class Pin>
void set_bytes(Pin& pin, const uint8_t* bytes) {
    static_assert(BYTES <= sizeof(Pin), "the pin is narrower than its data");
    std::memcpy(static_cast<void*>(&pin), bytes, BYTES);
}
template <unsigned BYTES, class Pin>
void get_bytes(const Pin& pin, uint8_t* bytes) {
    static_assert(BYTES <= sizeof(Pin), "the pin is narrower than its data");
    std::memcpy(bytes, static_cast<const void*>(&pin), BYTES);
}

// The payload of a request.
struct Request {
    uint64_t address = 0;
    unsigned length = 0;  // Beats, less one.
    unsigned size = 0;    // Bytes of a beat, as a power of two.
    unsigned burst = 0;
    uint64_t id = 0;

    bool operator==(const Request& other) const {
        return address == other.address && length == other.length && size == other.size
            && burst == other.burst && id == other.id;
    }
};

// Record the rule that an accepted request breaks, unless one is already recorded.
template <unsigned BEAT_BYTES>
void check_burst(const Request& request, const char*& violation) {
    const uint64_t end = request.address + (request.length + 1u) * BEAT_BYTES - 1;
    if (violation) return;
    if (request.burst != INCR)
        violation = "a burst is not INCR";
    else if (request.size != log2(BEAT_BYTES))
        violation = "a burst has beats of another width than the port";
    else if (request.address % BEAT_BYTES)
        violation = "a burst does not start on a beat";
    else if (request.address / PAGE != end / PAGE)
        violation = "a burst crosses a 4 KiB page";
}

// A channel's payload must stay until it is taken.
template <class Payload>
class HeldCheck {
public:
    void reset() { waiting_ = false; }

    void observe(bool valid, bool ready, const Payload& payload, const char* rule,
                 const char*& violation) {
        if (waiting_ && !violation && (!valid || !(payload == payload_))) violation = rule;
        waiting_ = valid && !ready;
        if (waiting_) payload_ = payload;
    }

private:
    bool waiting_ = false;
    Payload payload_{};
};

constexpr const char* REQUEST_CHANGED = "a request was withdrawn or changed before it was taken";
constexpr const char* BEAT_CHANGED =
    "a beat to write was withdrawn or changed before it was taken";

}  // namespace tercel
