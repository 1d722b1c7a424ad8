// Written by make_pass.py.
localparam WORDS = 555;
localparam PROGRAM_ADDRESS = 372;
localparam PROGRAM_LENGTH = 33;
localparam ARGMAX_LINE = 1009;
localparam HIDDEN_LINE = 1078;
localparam LINES = 33;
localparam LIMIT = 100000;
