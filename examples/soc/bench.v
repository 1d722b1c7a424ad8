// Runs the pass of pass.vh and compares what it leaves in memory with what it must be.
//
//   tercel hdl --preset tiny -o build/soc
//   cd examples/soc
//   iverilog -g2012 -o ../../build/soc/a *.v ../../build/soc/tercel.v && vvp ../../build/soc/a

`timescale 1ns / 1ps

module bench;

`include "pass.vh"

  reg clk, rst;
  wire done, failed;
  reg [63:0] expected [0:LINES - 1];
  reg [63:0] found;
  integer cycles, line, wrong;

  soc #(
    .WORDS(WORDS), .CONTENTS0("port0.hex"), .CONTENTS1("port1.hex"),
    .PROGRAM_ADDRESS(PROGRAM_ADDRESS), .PROGRAM_LENGTH(PROGRAM_LENGTH)
  ) dut(.clk(clk), .rst(rst), .done(done), .failed(failed));

  always #2 clk = ~clk;

  // A line of results is one word of a port; lines take turns at the ports.
  task check(input integer place, input [63:0] right);
    begin
      found = place % 2 ? dut.memory1.memory[place / 2] : dut.memory0.memory[place / 2];
      if (found !== right) begin
        wrong = wrong + 1;
        $display("line %0d is %h, not %h", place, found, right);
      end
    end
  endtask

  initial begin
    $readmemh("expected.hex", expected);
    clk = 0;
    rst = 1;
    cycles = 0;
    wrong = 0;
    repeat (4) @(posedge clk);
    rst <= 0;
    while (done !== 1 && cycles < LIMIT) begin
      @(posedge clk);
      cycles = cycles + 1;
    end
    if (done !== 1) $display("FAILED: not done after %0d cycles", cycles);
    else if (failed !== 0) $display("FAILED: the accelerator reports an error");
    else begin
      check(ARGMAX_LINE, expected[0]);
      for (line = 1; line < LINES; line = line + 1) check(HIDDEN_LINE + line - 1, expected[line]);
      if (wrong) $display("FAILED: %0d of %0d lines are wrong", wrong, LINES);
      else
        $display(
          "PASSED: next tokens %0d and %0d, %0d lines equal, %0d cycles",
          expected[0][31:0], expected[0][63:32], LINES, cycles
        );
    end
    $finish;
  end

endmodule
