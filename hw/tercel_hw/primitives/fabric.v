// The lookup tables, the carry chain and a register, written after UG574.

`ifndef SYNTHESIS
`ifndef TERCEL_LUT3
`define TERCEL_LUT3
module LUT3 #(
  parameter [7:0] INIT = 0
) (
  input I0, input I1, input I2, output O
);
  assign O = INIT[{I2, I1, I0}];
endmodule
`endif
`endif

`ifndef SYNTHESIS
`ifndef TERCEL_LUT4
`define TERCEL_LUT4
module LUT4 #(
  parameter [15:0] INIT = 0
) (
  input I0, input I1, input I2, input I3, output O
);
  assign O = INIT[{I3, I2, I1, I0}];
endmodule
`endif
`endif

`ifndef SYNTHESIS
`ifndef TERCEL_CARRY8
`define TERCEL_CARRY8
module CARRY8 (
  input CI, input CI_TOP, input [7:0] DI, input [7:0] S, output [7:0] O, output [7:0] CO
);
  // One chain of eight; CI_TOP is for two of four. A signal for each carry: one of all of them would
  // look like a loop.
  wire c0 = S[0] ? CI : DI[0];
  wire c1 = S[1] ? c0 : DI[1];
  wire c2 = S[2] ? c1 : DI[2];
  wire c3 = S[3] ? c2 : DI[3];
  wire c4 = S[4] ? c3 : DI[4];
  wire c5 = S[5] ? c4 : DI[5];
  wire c6 = S[6] ? c5 : DI[6];
  wire c7 = S[7] ? c6 : DI[7];
  assign CO = {c7, c6, c5, c4, c3, c2, c1, c0};
  assign O = S ^ {c6, c5, c4, c3, c2, c1, c0, CI};
endmodule
`endif
`endif

`ifndef SYNTHESIS
`ifndef TERCEL_FDRE
`define TERCEL_FDRE
module FDRE #(
  parameter [0:0] INIT = 0
) (
  input C, input CE, input R, input D, output reg Q
);
  initial Q = INIT;
  always @(posedge C) if (R) Q <= 0; else if (CE) Q <= D;
endmodule
`endif
`endif
