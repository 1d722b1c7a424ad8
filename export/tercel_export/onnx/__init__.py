"""Images as ONNX models: the graph of a pass, the forms of its matrices, files and their reader."""
