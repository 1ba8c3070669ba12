"""The teacher: load, train or fine-tune it, verify it, and keep its soft labels."""
