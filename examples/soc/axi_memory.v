// A memory of 64-bit words behind AXI4: one burst of each kind at a time, INCR bursts of whole words.
// Replace it by your memory controller; it has no more of AXI4 than the accelerator uses.

module axi_memory #(
  parameter WORDS = 1024,
  parameter CONTENTS = ""  // a file for $readmemh
) (
  input clk, input rst,

  input arid, input [31:0] araddr, input [7:0] arlen, input arvalid, output arready,
  output rid, output [63:0] rdata, output [1:0] rresp, output rlast, output rvalid, input rready,

  input awid, input [31:0] awaddr, input [7:0] awlen, input awvalid, output awready,
  input [63:0] wdata, input [7:0] wstrb, input wlast, input wvalid, output wready,
  output bid, output [1:0] bresp, output bvalid, input bready
);

  reg [63:0] memory [0:WORDS - 1];
  initial if (CONTENTS != "") $readmemh(CONTENTS, memory);

  // Reads: an address, then its beats.
  reg reading, read_id;
  reg [31:0] read_word;
  reg [7:0] read_left;
  assign arready = !reading;
  assign rvalid = reading;
  assign rid = read_id;
  assign rdata = memory[read_word];
  assign rlast = read_left == 0;
  assign rresp = 2'b00;
  always @(posedge clk) begin
    if (rst) reading <= 0;
    else if (!reading) begin
      reading <= arvalid;
      read_id <= arid;
      read_word <= araddr >> 3;
      read_left <= arlen;
    end else if (rready) begin
      reading <= !rlast;
      read_word <= read_word + 1;
      read_left <= read_left - 1;
    end
  end

  // Writes: an address, its beats, the answer.
  reg writing, answering, write_id;
  reg [31:0] write_word;
  integer lane;
  assign awready = !writing && !answering;
  assign wready = writing;
  assign bvalid = answering;
  assign bid = write_id;
  assign bresp = 2'b00;
  always @(posedge clk) begin
    if (rst) begin
      writing <= 0;
      answering <= 0;
    end else begin
      if (awvalid && awready) begin
        writing <= 1;
        write_id <= awid;
        write_word <= awaddr >> 3;
      end
      if (wvalid && wready) begin
        for (lane = 0; lane < 8; lane = lane + 1)
          if (wstrb[lane]) memory[write_word][8 * lane +: 8] <= wdata[8 * lane +: 8];
        write_word <= write_word + 1;
        writing <= !wlast;
        answering <= wlast;
      end
      if (bvalid && bready) answering <= 0;
    end
  end

endmodule
