// The DSP48E2, written after its description in UG579.
//
// It has the pins that `tercel_hw.primitives.dsp48e2` ties. One 48-bit ALU that adds and subtracts;
// the pattern detector with a constant pattern and mask. What is not modelled (narrower ALUs, logic
// functions, other carry inputs, inverted pins, the rest of the pattern detector) ends the
// simulation.

`ifndef SYNTHESIS
`ifndef TERCEL_DSP48E2
`define TERCEL_DSP48E2
module DSP48E2 #(
  parameter A_INPUT = "DIRECT",
  parameter B_INPUT = "DIRECT",
  parameter AMULTSEL = "A",
  parameter BMULTSEL = "B",
  parameter PREADDINSEL = "A",
  parameter USE_MULT = "MULTIPLY",
  parameter USE_SIMD = "ONE48",
  parameter USE_PATTERN_DETECT = "NO_PATDET",
  parameter [47:0] PATTERN = 48'h000000000000,
  parameter [47:0] MASK = 48'h3FFFFFFFFFFF,
  parameter [47:0] RND = 48'h000000000000,
  parameter AREG = 1,
  parameter ACASCREG = 1,
  parameter BREG = 1,
  parameter BCASCREG = 1,
  parameter CREG = 1,
  parameter DREG = 1,
  parameter ADREG = 1,
  parameter MREG = 1,
  parameter PREG = 1,
  parameter INMODEREG = 1,
  parameter OPMODEREG = 1,
  parameter ALUMODEREG = 1,
  parameter CARRYINREG = 1,
  parameter CARRYINSELREG = 1
) (
  input CLK,
  input [29:0] A, input [17:0] B, input [47:0] C, input [26:0] D,
  input [29:0] ACIN, input [17:0] BCIN, input [47:0] PCIN,
  input CARRYIN, input CARRYCASCIN, input MULTSIGNIN,
  input [2:0] CARRYINSEL, input [3:0] ALUMODE, input [4:0] INMODE, input [8:0] OPMODE,
  input CEA1, input CEA2, input CEB1, input CEB2, input CEC, input CED, input CEAD,
  input CEM, input CEP, input CECTRL, input CEINMODE, input CEALUMODE, input CECARRYIN,
  input RSTA, input RSTB, input RSTC, input RSTD, input RSTM, input RSTP,
  input RSTCTRL, input RSTINMODE, input RSTALUMODE, input RSTALLCARRYIN,
  output [47:0] P, output [47:0] PCOUT, output PATTERNDETECT
);

  // Every register; a part without one goes past it.
  reg [29:0] a1, a2;
  reg [17:0] b1, b2;
  reg [47:0] c1;
  reg [26:0] d1, ad1;
  reg signed [44:0] m1;
  reg [47:0] p1;
  reg [8:0] opmode1;
  reg [4:0] inmode1;
  reg [3:0] alumode1;
  reg carry1, found1;
  initial begin
    a1 = 0;
    a2 = 0;
    b1 = 0;
    b2 = 0;
    c1 = 0;
    d1 = 0;
    ad1 = 0;
    m1 = 0;
    p1 = 0;
    opmode1 = 0;
    inmode1 = 0;
    alumode1 = 0;
    carry1 = 0;
    found1 = 0;
  end

  wire [8:0] opmode = OPMODEREG ? opmode1 : OPMODE;
  wire [4:0] inmode = INMODEREG ? inmode1 : INMODE;
  wire [3:0] alumode = ALUMODEREG ? alumode1 : ALUMODE;
  wire carry = CARRYINREG ? carry1 : CARRYIN;

  // Operands: with one register it is the second.
  wire [29:0] a_pin = A_INPUT == "CASCADE" ? ACIN : A;
  wire [17:0] b_pin = B_INPUT == "CASCADE" ? BCIN : B;
  wire [29:0] a = AREG ? a2 : a_pin;
  wire [17:0] b = BREG ? b2 : b_pin;
  wire [47:0] c = CREG ? c1 : C;

  // INMODE: 0 takes A1, 1 clears the pre-adder's operand, 2 lets D in, 3 subtracts, 4 takes B1.
  wire [26:0] a_early = inmode[0] ? a1[26:0] : a[26:0];
  wire [17:0] b_early = inmode[4] ? b1 : b;
  wire [26:0] a_mult = PREADDINSEL == "A" && inmode[1] ? 27'd0 : a_early;
  wire [17:0] b_mult = PREADDINSEL == "B" && inmode[1] ? 18'd0 : b_early;
  wire [26:0] other = PREADDINSEL == "A" ? a_mult : {{9{b_mult[17]}}, b_mult};
  wire [26:0] d = inmode[2] ? (DREG ? d1 : D) : 27'd0;
  wire [26:0] sum = inmode[3] ? d - other : d + other;
  wire [26:0] ad = ADREG ? ad1 : sum;

  wire signed [26:0] left = AMULTSEL == "AD" ? ad : a_mult;
  wire signed [17:0] right = BMULTSEL == "AD" ? ad[17:0] : b_mult;
  wire signed [44:0] product = left * right;
  wire signed [44:0] m_short = MREG ? m1 : product;
  wire [47:0] m = {{3{m_short[44]}}, m_short};

  // The four multiplexers. X and Y bring the product's two halves, so only both together are it.
  wire multiplies = opmode[3:0] == 4'b0101;
  wire [47:0] x = opmode[1:0] == 2'b11 ? {a, b} :
                  opmode[1:0] == 2'b10 ? p1 : multiplies ? m : 48'd0;
  wire [47:0] y = opmode[3:2] == 2'b11 ? c : opmode[3:2] == 2'b10 ? ~48'd0 : 48'd0;
  wire [47:0] z = opmode[6:4] == 3'b001 ? PCIN :
                  opmode[6:4] == 3'b010 ? p1 :
                  opmode[6:4] == 3'b011 ? c :
                  opmode[6:4] == 3'b101 ? {{17{PCIN[47]}}, PCIN[47:17]} :
                  opmode[6:5] == 2'b11 ? {{17{p1[47]}}, p1[47:17]} : 48'd0;
  wire [47:0] w = opmode[8:7] == 2'b01 ? p1 :
                  opmode[8:7] == 2'b10 ? RND :
                  opmode[8:7] == 2'b11 ? c : 48'd0;

  wire [47:0] total = (alumode[0] ? ~z : z) + w + x + y + {47'd0, carry};
  wire [47:0] result = alumode[1] ? ~total : total;
  wire found = USE_PATTERN_DETECT == "PATDET" && &(~(result ^ PATTERN) | MASK);

  assign P = PREG ? p1 : result;
  assign PCOUT = P;
  assign PATTERNDETECT = PREG ? found1 : found;

  // A reset goes before its enable.
  always @(posedge CLK) begin
    if (RSTA) begin
      a1 <= 0;
      a2 <= 0;
    end else begin
      if (CEA1) a1 <= a_pin;
      if (CEA2) a2 <= AREG == 2 ? a1 : a_pin;
    end
    if (RSTB) begin
      b1 <= 0;
      b2 <= 0;
    end else begin
      if (CEB1) b1 <= b_pin;
      if (CEB2) b2 <= BREG == 2 ? b1 : b_pin;
    end
    if (RSTC) c1 <= 0; else if (CEC) c1 <= C;
    if (RSTD) d1 <= 0; else if (CED) d1 <= D;
    if (RSTD) ad1 <= 0; else if (CEAD) ad1 <= sum;
    if (RSTM) m1 <= 0; else if (CEM) m1 <= product;
    if (RSTP) p1 <= 0; else if (CEP) p1 <= result;
    if (RSTP) found1 <= 0; else if (CEP) found1 <= found;
    if (RSTCTRL) opmode1 <= 0; else if (CECTRL) opmode1 <= OPMODE;
    if (RSTINMODE) inmode1 <= 0; else if (CEINMODE) inmode1 <= INMODE;
    if (RSTALUMODE) alumode1 <= 0; else if (CEALUMODE) alumode1 <= ALUMODE;
    if (RSTALLCARRYIN) carry1 <= 0; else if (CECARRYIN) carry1 <= CARRYIN;
  end

  // Modes that the model, or the device, does not have.
  reg broken;
  initial broken = 0;
  always @(posedge CLK) begin
    broken <= 0;
    if (AREG == 2 ? ACASCREG == 0 : AREG != ACASCREG) broken <= 1;
    if (BREG == 2 ? BCASCREG == 0 : BREG != BCASCREG) broken <= 1;
    if (USE_MULT == "NONE" && (MREG || multiplies)) broken <= 1;
    if (USE_MULT == "MULTIPLY" && opmode[1:0] == 2'b11) broken <= 1;
    if ((opmode[1:0] == 2'b01 || opmode[3:2] == 2'b01) && !multiplies) broken <= 1;
    if (opmode[6:4] == 3'b100 || USE_SIMD != "ONE48") broken <= 1;
    if (alumode[3:2] || CARRYINSEL || CARRYCASCIN || MULTSIGNIN) broken <= 1;
    if (broken) begin
      $display("DSP48E2 %m: this use is not modelled, or not allowed");
      $finish;
    end
  end

endmodule
`endif
`endif
