// The banks of a DRAM, of which each has one row open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "config.h"

namespace tercel {

// Accesses that wait, oldest first, are served from open rows; other rows are opened beside that.
class Banks {
public:
    // A part of a burst that the DRAM moves at once.
    struct Access {
        uint64_t address = 0;
        unsigned port = 0;
        uint64_t beats = 0;
        uint64_t number = 0;  // Counts the reads of a port.
    };
    static constexpr size_t NONE = SIZE_MAX;

    void configure(const BankConfig& config) {
        config_ = config;
        banks_.resize(config.banks);
        close();
    }

    // A refresh closes all rows.
    void close() {
        for (Bank& bank : banks_) bank = {};
    }

    // Open rows that are waited for. A row is closed when no access that waits is in it, or when
    // others have waited while `batch` accesses were served from it.
    void open(const std::vector<Access>& waiting, uint64_t cycle) {
        for (const Access& access : waiting) {
            Bank& bank = bank_of(access);
            if (bank.row == row_of(access) || cycle < bank.ready) continue;
            if (bank.served < config_.batch && wanted(bank, waiting)) continue;
            bank.ready = cycle + (bank.row == CLOSED ? config_.open_cycles : config_.change_cycles);
            bank.row = row_of(access);
            bank.served = 0;
        }
    }

    // Serve the first access whose row is open; return its index, or NONE.
    size_t serve(const std::vector<Access>& waiting, uint64_t cycle) {
        for (size_t index = 0; index < waiting.size(); ++index) {
            Bank& bank = bank_of(waiting[index]);
            if (bank.row != row_of(waiting[index]) || cycle < bank.ready) continue;
            ++bank.served;
            return index;
        }
        return NONE;
    }

private:
    static constexpr uint64_t CLOSED = NEVER;
    struct Bank {
        uint64_t row = CLOSED;
        uint64_t ready = 0;   // Cycle from which the row is open.
        uint64_t served = 0;  // Accesses since it was opened.
    };

    Bank& bank_of(const Access& access) {
        return banks_[access.address / config_.row_bytes % config_.banks];
    }
    uint64_t row_of(const Access& access) const {
        return access.address / config_.row_bytes / config_.banks;
    }
    bool wanted(const Bank& bank, const std::vector<Access>& waiting) {
        for (const Access& access : waiting)
            if (&bank_of(access) == &bank && row_of(access) == bank.row) return true;
        return false;
    }

    BankConfig config_{};
    std::vector<Bank> banks_;
};

}  // namespace tercel
