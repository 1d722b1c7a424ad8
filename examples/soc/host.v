// What a processor does for one pass, as a state machine on AXI4-Lite: it tells the accelerator where
// the memory and the program lie, starts it and waits. The program lies in memory already.

module host #(
  parameter [31:0] PROGRAM_ADDRESS = 0,  // in words over all ports
  parameter [31:0] PROGRAM_LENGTH = 0    // commands
) (
  input clk, input rst,

  output [7:0] awaddr, output awvalid, input awready,
  output [31:0] wdata, output [3:0] wstrb, output wvalid, input wready,
  input bvalid, output bready,
  output [7:0] araddr, output arvalid, input arready,
  input [31:0] rdata, input rvalid, output rready,

  output reg done, output reg failed
);

  // Registers, by tercel_registers.h.
  localparam CONTROL = 8'h10, STATUS = 8'h14, ERROR = 8'h18;
  localparam PROGRAM_ADDRESS_LOW = 8'h28, PROGRAM_ADDRESS_HIGH = 8'h2c, LENGTH = 8'h30;
  localparam TAPE_BASE0_LOW = 8'h80, TAPE_BASE0_HIGH = 8'h84;
  localparam TAPE_BASE1_LOW = 8'h88, TAPE_BASE1_HIGH = 8'h8c;
  localparam START = 32'h1;
  localparam BUSY = 0, DONE = 1, FAILED = 2;  // bits of the status

  // The steps in their order: first a look at the status, then writes, then looks until it is done.
  reg [3:0] step;
  reg [7:0] address;
  reg [31:0] value;
  wire looks = step == 0 || step == 9;
  always @* begin
    address = STATUS;
    value = 0;
    case (step)
      1: begin address = TAPE_BASE0_LOW; value = 0; end
      2: begin address = TAPE_BASE0_HIGH; value = 0; end
      3: begin address = TAPE_BASE1_LOW; value = 0; end
      4: begin address = TAPE_BASE1_HIGH; value = 0; end
      5: begin address = PROGRAM_ADDRESS_LOW; value = PROGRAM_ADDRESS; end
      6: begin address = PROGRAM_ADDRESS_HIGH; value = 0; end
      7: begin address = LENGTH; value = PROGRAM_LENGTH; end
      8: begin address = CONTROL; value = START; end
      default: ;
    endcase
  end

  // One access at a time; each channel is offered until it is taken.
  reg address_offered, data_offered;
  assign awaddr = address;
  assign araddr = address;
  assign wdata = value;
  assign wstrb = 4'hf;
  assign arvalid = address_offered && looks;
  assign awvalid = address_offered && !looks;
  assign wvalid = data_offered;
  assign rready = 1;
  assign bready = 1;
  always @(posedge clk) begin
    if (rst) begin
      step <= 0;
      address_offered <= 1;
      data_offered <= 0;
      done <= 0;
      failed <= 0;
    end else begin
      if ((arvalid && arready) || (awvalid && awready)) address_offered <= 0;
      if (wvalid && wready) data_offered <= 0;
      if (rvalid && step == 0) begin
        // Not even before the first pass is a bit of it unknown.
        failed <= rdata !== 32'h0;
        done <= rdata !== 32'h0;
        step <= 1;
        address_offered <= rdata === 32'h0;
        data_offered <= rdata === 32'h0;
      end
      if (rvalid && step == 9) begin
        failed <= rdata[FAILED];
        done <= rdata[FAILED] || (rdata[DONE] && !rdata[BUSY]);
        address_offered <= !rdata[FAILED] && (rdata[BUSY] || !rdata[DONE]);
      end
      if (bvalid) begin
        step <= step + 1;
        address_offered <= 1;
        data_offered <= step != 8;
      end
    end
  end

endmodule
