"""What serving a model costs: prices, measurements, and the formulas that turn them into dollars."""
