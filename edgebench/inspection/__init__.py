"""What is inside a .tflite or .onnx: operators, tensors, what it computes in, and whether its label is true."""
