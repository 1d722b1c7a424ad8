"""Export of images to the formats of other tools: ONNX, QONNX, GGUF, Hugging Face."""
