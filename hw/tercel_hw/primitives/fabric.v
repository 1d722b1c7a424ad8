// The lookup tables and the carry chain, written after UG574.

module LUT3 #(
  parameter [7:0] INIT = 0
) (
  input I0, input I1, input I2, output O
);
  assign O = INIT[{I2, I1, I0}];
endmodule

module LUT4 #(
  parameter [15:0] INIT = 0
) (
  input I0, input I1, input I2, input I3, output O
);
  assign O = INIT[{I3, I2, I1, I0}];
endmodule

module CARRY8 (
  input CI, input CI_TOP, input [7:0] DI, input [7:0] S, output [7:0] O, output [7:0] CO
);
  // One chain of eight; CI_TOP is for two of four.
  wire [8:0] carry = {CO, CI};
  assign CO = (S & carry[7:0]) | (~S & DI);
  assign O = S ^ carry[7:0];
endmodule
