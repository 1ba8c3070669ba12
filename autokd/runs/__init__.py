"""A run's folder: where every file of it lies, and who writes and reads it."""
