"""Training loops, optimisers and ONNX export."""
