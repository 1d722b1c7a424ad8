// Waves of a design as a VCD file, on the time of its clock.
#pragma once

#include <cerrno>
#include <cstdint>

#include "Vdesign.h"
#include "verilated.h"
#if VM_TRACE
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "verilated_vcd_c.h"
#endif

namespace tercel {

#if VM_TRACE
// A failed write in Verilator's own file class ends the process, but deadlocks: the exit handler
// flushes the file under the lock that the write holds. This class records the failure and drops
// all further output.
class WavesFile : public VerilatedVcdFile {
public:
    int failure() const { return failure_; }

    bool open(const std::string& name) override {
        file_ = ::open(name.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
        if (file_ < 0) failure_ = errno;
        return file_ >= 0;
    }

    void close() override {
        if (::close(file_) && !failure_) failure_ = errno;
    }

    ssize_t write(const char* bytes, ssize_t length) override {
        for (ssize_t done = 0; !failure_ && done < length;) {
            const ssize_t written = ::write(file_, bytes + done, length - done);
            if (written > 0)
                done += written;
            else if (written == 0 || errno != EINTR)
                failure_ = written ? errno : EIO;
        }
        return length;
    }

private:
    int file_ = -1;
    int failure_ = 0;
};

class Waves {
public:
    // The errno of the first failed write, or 0.
    int failure() const { return file_.failure(); }

    // End the current file, and begin one of the cycles from `first` to before
    // `end`, where a cycle takes `period` femtoseconds.
    int open(Vdesign& top, const char* path, uint64_t first, uint64_t end, uint64_t period) {
        if (close()) return failure();
        vcd_ = std::make_unique<VerilatedVcdC>(&file_);
        top.trace(vcd_.get(), 99);
        vcd_->open(path);
        first_ = first;
        end_ = end;
        period_ = period;
        return failure();
    }

    // Dump the first half of a cycle (0), in which the clock is low, or the second (1).
    void dump(uint64_t cycle, unsigned half) {
        if (!vcd_ || cycle < first_) return;
        if (cycle < end_ && !failure())
            vcd_->dump((2 * cycle + half) * period_ / (2 * FEMTOSECONDS));
        else
            close();
    }

    int close() {
        if (vcd_) vcd_->close();
        vcd_.reset();
        return failure();
    }

private:
    static constexpr uint64_t FEMTOSECONDS = 1000;  // In a picosecond, Verilator's unit.

    WavesFile file_;
    std::unique_ptr<VerilatedVcdC> vcd_;
    uint64_t first_ = 0;
    uint64_t end_ = 0;
    uint64_t period_ = 0;
};
#else
class Waves {
public:
    int failure() const { return 0; }
    int open(Vdesign&, const char*, uint64_t, uint64_t, uint64_t) { return ENOTSUP; }
    void dump(uint64_t, unsigned) {}
    int close() { return 0; }
};
#endif

}  // namespace tercel
