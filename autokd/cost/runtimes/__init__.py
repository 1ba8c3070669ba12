"""What a server runs models with: torch as it is, torch compiled, ONNX Runtime."""
