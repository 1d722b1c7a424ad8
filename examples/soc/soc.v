// The smallest system around the accelerator `tiny`: a memory behind each of its two ports, and a host
// that has it make one pass. Its addresses begin at 0 on both ports.

module soc #(
  parameter WORDS = 1024,  // of 64 bits a port
  parameter CONTENTS0 = "",
  parameter CONTENTS1 = "",
  parameter [31:0] PROGRAM_ADDRESS = 0,
  parameter [31:0] PROGRAM_LENGTH = 0
) (
  input clk, input rst,
  output done, output failed
);

  wire [7:0] awaddr, araddr;
  wire [31:0] wdata, rdata;
  wire [3:0] wstrb;
  wire awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;

  host #(.PROGRAM_ADDRESS(PROGRAM_ADDRESS), .PROGRAM_LENGTH(PROGRAM_LENGTH)) host(
    .clk(clk), .rst(rst),
    .awaddr(awaddr), .awvalid(awvalid), .awready(awready), .wdata(wdata), .wstrb(wstrb),
    .wvalid(wvalid), .wready(wready), .bvalid(bvalid), .bready(bready), .araddr(araddr),
    .arvalid(arvalid), .arready(arready), .rdata(rdata), .rvalid(rvalid), .rready(rready),
    .done(done), .failed(failed)
  );

  wire mem0_arid, mem0_arvalid, mem0_arready, mem0_rid, mem0_rlast, mem0_rvalid, mem0_rready,
    mem0_awid, mem0_awvalid, mem0_awready, mem0_wlast, mem0_wvalid, mem0_wready, mem0_bid,
    mem0_bvalid, mem0_bready;
  wire [31:0] mem0_araddr, mem0_awaddr;
  wire [7:0] mem0_arlen, mem0_awlen, mem0_wstrb;
  wire [63:0] mem0_rdata, mem0_wdata;
  wire [1:0] mem0_rresp, mem0_bresp;
  wire mem1_arid, mem1_arvalid, mem1_arready, mem1_rid, mem1_rlast, mem1_rvalid, mem1_rready,
    mem1_awid, mem1_awvalid, mem1_awready, mem1_wlast, mem1_wvalid, mem1_wready, mem1_bid,
    mem1_bvalid, mem1_bready;
  wire [31:0] mem1_araddr, mem1_awaddr;
  wire [7:0] mem1_arlen, mem1_awlen, mem1_wstrb;
  wire [63:0] mem1_rdata, mem1_wdata;
  wire [1:0] mem1_rresp, mem1_bresp;

  // Outputs that say what is always so (burst kind, size, cache, protection) are left open.
  tercel accelerator(
    .clk(clk), .rst(rst), .irq(),
    .s_axi_control_awprot(3'd0), .s_axi_control_arprot(3'd0),
    .s_axi_control_awaddr(awaddr), .s_axi_control_awvalid(awvalid),
    .s_axi_control_awready(awready), .s_axi_control_wdata(wdata), .s_axi_control_wstrb(wstrb),
    .s_axi_control_wvalid(wvalid), .s_axi_control_wready(wready), .s_axi_control_bvalid(bvalid),
    .s_axi_control_bready(bready), .s_axi_control_araddr(araddr),
    .s_axi_control_arvalid(arvalid), .s_axi_control_arready(arready),
    .s_axi_control_rdata(rdata), .s_axi_control_rvalid(rvalid), .s_axi_control_rready(rready),
    .m_axi_mem0_arid(mem0_arid), .m_axi_mem0_araddr(mem0_araddr), .m_axi_mem0_arlen(mem0_arlen),
    .m_axi_mem0_arvalid(mem0_arvalid), .m_axi_mem0_arready(mem0_arready),
    .m_axi_mem0_rid(mem0_rid), .m_axi_mem0_rdata(mem0_rdata), .m_axi_mem0_rresp(mem0_rresp),
    .m_axi_mem0_rlast(mem0_rlast), .m_axi_mem0_rvalid(mem0_rvalid),
    .m_axi_mem0_rready(mem0_rready), .m_axi_mem0_awid(mem0_awid),
    .m_axi_mem0_awaddr(mem0_awaddr), .m_axi_mem0_awlen(mem0_awlen),
    .m_axi_mem0_awvalid(mem0_awvalid), .m_axi_mem0_awready(mem0_awready),
    .m_axi_mem0_wdata(mem0_wdata), .m_axi_mem0_wstrb(mem0_wstrb), .m_axi_mem0_wlast(mem0_wlast),
    .m_axi_mem0_wvalid(mem0_wvalid), .m_axi_mem0_wready(mem0_wready), .m_axi_mem0_bid(mem0_bid),
    .m_axi_mem0_bresp(mem0_bresp), .m_axi_mem0_bvalid(mem0_bvalid),
    .m_axi_mem0_bready(mem0_bready), .m_axi_mem1_arid(mem1_arid),
    .m_axi_mem1_araddr(mem1_araddr), .m_axi_mem1_arlen(mem1_arlen),
    .m_axi_mem1_arvalid(mem1_arvalid), .m_axi_mem1_arready(mem1_arready),
    .m_axi_mem1_rid(mem1_rid), .m_axi_mem1_rdata(mem1_rdata), .m_axi_mem1_rresp(mem1_rresp),
    .m_axi_mem1_rlast(mem1_rlast), .m_axi_mem1_rvalid(mem1_rvalid),
    .m_axi_mem1_rready(mem1_rready), .m_axi_mem1_awid(mem1_awid),
    .m_axi_mem1_awaddr(mem1_awaddr), .m_axi_mem1_awlen(mem1_awlen),
    .m_axi_mem1_awvalid(mem1_awvalid), .m_axi_mem1_awready(mem1_awready),
    .m_axi_mem1_wdata(mem1_wdata), .m_axi_mem1_wstrb(mem1_wstrb), .m_axi_mem1_wlast(mem1_wlast),
    .m_axi_mem1_wvalid(mem1_wvalid), .m_axi_mem1_wready(mem1_wready), .m_axi_mem1_bid(mem1_bid),
    .m_axi_mem1_bresp(mem1_bresp), .m_axi_mem1_bvalid(mem1_bvalid),
    .m_axi_mem1_bready(mem1_bready)
  );

  axi_memory #(.WORDS(WORDS), .CONTENTS(CONTENTS0)) memory0(
    .clk(clk), .rst(rst),
    .arid(mem0_arid), .araddr(mem0_araddr), .arlen(mem0_arlen), .arvalid(mem0_arvalid),
    .arready(mem0_arready), .rid(mem0_rid), .rdata(mem0_rdata), .rresp(mem0_rresp),
    .rlast(mem0_rlast), .rvalid(mem0_rvalid), .rready(mem0_rready), .awid(mem0_awid),
    .awaddr(mem0_awaddr), .awlen(mem0_awlen), .awvalid(mem0_awvalid), .awready(mem0_awready),
    .wdata(mem0_wdata), .wstrb(mem0_wstrb), .wlast(mem0_wlast), .wvalid(mem0_wvalid),
    .wready(mem0_wready), .bid(mem0_bid), .bresp(mem0_bresp), .bvalid(mem0_bvalid),
    .bready(mem0_bready)
  );

  axi_memory #(.WORDS(WORDS), .CONTENTS(CONTENTS1)) memory1(
    .clk(clk), .rst(rst),
    .arid(mem1_arid), .araddr(mem1_araddr), .arlen(mem1_arlen), .arvalid(mem1_arvalid),
    .arready(mem1_arready), .rid(mem1_rid), .rdata(mem1_rdata), .rresp(mem1_rresp),
    .rlast(mem1_rlast), .rvalid(mem1_rvalid), .rready(mem1_rready), .awid(mem1_awid),
    .awaddr(mem1_awaddr), .awlen(mem1_awlen), .awvalid(mem1_awvalid), .awready(mem1_awready),
    .wdata(mem1_wdata), .wstrb(mem1_wstrb), .wlast(mem1_wlast), .wvalid(mem1_wvalid),
    .wready(mem1_wready), .bid(mem1_bid), .bresp(mem1_bresp), .bvalid(mem1_bvalid),
    .bready(mem1_bready)
  );

endmodule
