"""What follows a run elsewhere while it goes on: TensorBoard or MLflow, behind one small protocol."""
