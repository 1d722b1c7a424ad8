// Structures shared with Python; the fields of tercel_sim.harness_bindings, in the same order.
#pragma once

#include <cstdint>

namespace tercel {

constexpr uint64_t NEVER = UINT64_MAX;
constexpr unsigned RATE_BITS = 24;  // Fraction bits of the rates.

constexpr unsigned MAX_PORTS = 16;

struct BankConfig {
    uint64_t banks;          // 0 is a DRAM whose rows cost nothing.
    uint64_t row_bytes;      // Bytes in a row; the next row is of the next bank.
    uint64_t access_bytes;   // Bytes that the DRAM moves at once.
    uint64_t open_cycles;    // Cycles to open a row of a bank without an open row.
    uint64_t change_cycles;  // Cycles to close a row and open another one.
    uint64_t batch;          // Accesses served from a row while another row of the bank is wanted.
    uint64_t window;         // Read accesses among which the controller chooses.
    uint64_t controller_port[MAX_PORTS];  // Port of the controller that an AXI port shares.
    uint64_t lag[MAX_PORTS];              // Cycles by which an AXI port's reads come later.
};

struct DdrConfig {
    uint64_t port_bytes;          // Size of each port's memory.
    uint64_t memory_rate;         // Bytes a cycle of all ports together, while not refreshing.
    uint64_t port_rate;           // Bytes a cycle of a port's read channel, and of its write channel.
    uint64_t read_latency;        // Cycles from a request to its first beat, at least 1.
    uint64_t write_latency;       // Cycles from a burst's last beat in memory to its answer.
    uint64_t refresh_interval;    // Cycles; 0 is no refresh.
    uint64_t refresh_cycles;
    uint64_t turnaround;          // Cycles lost between reads and writes.
    uint64_t batch;               // Waiting beats that make writes urgent; beats written in a row.
    uint64_t patience;            // Most cycles that fewer writes wait while there are reads.
    uint64_t read_ahead;          // Most beats that a port fetches before they are taken.
    uint64_t write_buffer;        // Most beats that a port accepts before they are in memory.
    uint64_t outstanding_reads;   // Most bursts that a port has accepted and not wholly answered.
    uint64_t outstanding_writes;
    uint64_t pause;               // Probability, in 2^-32, that a channel pauses in a cycle.
    uint64_t seed;
    BankConfig banks;
};

// Every cycle of the read channel counts in one of read_beats, blocked, starved and idle.
struct PortStatistics {
    uint64_t read_bursts;
    uint64_t write_bursts;
    uint64_t read_beats;
    uint64_t write_beats;
    uint64_t blocked;  // A beat was offered and not taken.
    uint64_t starved;  // Beats were requested and none was offered.
    uint64_t idle;     // There was no request.
};

// Bytes that could have moved and did not, in units of 2^-24 (RATE_BITS), count in full, latency,
// rows, unasked.
struct MemoryStatistics {
    uint64_t cycles;
    uint64_t refresh;      // Cycles of refresh.
    uint64_t turnarounds;  // Changes between reads and writes.
    uint64_t turning;      // Cycles lost by them, except the rate of the first of each.
    uint64_t full;         // A port held as many beats as it may.
    uint64_t latency;      // All requested beats were within their latency.
    uint64_t unasked;      // There was no request.
    uint64_t rows;         // All accesses that waited were to rows that were not open yet, or
                           // accesses were longer than what was asked of them.
};

}  // namespace tercel
