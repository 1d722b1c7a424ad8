// What both halves of an AXI4 port need: constants, checks of the manager, wide pins as bytes.
#pragma once

#include <cstdint>
#include <cstring>

namespace tercel {

constexpr unsigned OKAY = 0;
constexpr unsigned DECODE_ERROR = 3;
constexpr unsigned MAX_BURST = 256;
constexpr unsigned INCR = 1;
constexpr uint64_t PAGE = 4096;
constexpr int NOTHING_THERE = 0xDE;  // What a read outside the memory shows.

constexpr unsigned log2(unsigned value) { return value > 1 ? 1 + log2(value / 2) : 0; }

// Pins of any width lie in memory as little-endian bytes.
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

template <unsigned BEAT_BYTES>
void check_burst(uint64_t address, unsigned length, unsigned size, unsigned kind,
                 const char*& violation) {
    const uint64_t end = address + (length + 1u) * BEAT_BYTES - 1;
    if (violation) return;
    if (kind != INCR) violation = "a burst is not INCR";
    if (size != log2(BEAT_BYTES)) violation = "a burst has beats narrower than the port";
    if (address % BEAT_BYTES) violation = "a burst does not start on a beat";
    if (address / PAGE != end / PAGE) violation = "a burst crosses a 4 KiB page";
}

// A request, once offered, must stay until it is taken.
class RequestCheck {
public:
    void reset() { waiting_ = false; }

    void request(bool valid, bool ready, uint64_t address, unsigned length,
                 const char*& violation) {
        if (waiting_ && !violation && (!valid || address != address_ || length != length_))
            violation = "a request was withdrawn or changed before it was taken";
        waiting_ = valid && !ready;
        address_ = address;
        length_ = length;
    }

private:
    bool waiting_ = false;
    uint64_t address_ = 0;
    unsigned length_ = 0;
};

}  // namespace tercel
