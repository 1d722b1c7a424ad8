// The bytes of one memory port.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tercel {

class PortMemory {
public:
    PortMemory() = default;
    PortMemory(const PortMemory&) = delete;
    PortMemory& operator=(const PortMemory&) = delete;
    ~PortMemory() { std::free(bytes_); }

    // Initially zeros; untouched pages take no memory.
    void allocate(uint64_t base, uint64_t size) {
        base_ = base;
        size_ = size;
        bytes_ = static_cast<uint8_t*>(std::calloc(size, 1));
        if (!bytes_) throw std::bad_alloc();
    }

    uint8_t* bytes() { return bytes_; }

    // The bytes of an address range, or null if the range is not wholly inside.
    uint8_t* find(uint64_t address, uint64_t count) {
        const uint64_t offset = address - base_;
        if (address < base_ || offset > size_ || count > size_ - offset) return nullptr;
        return bytes_ + offset;
    }

private:
    uint64_t base_ = 0;
    uint64_t size_ = 0;
    uint8_t* bytes_ = nullptr;
};

}  // namespace tercel
