"""The recommended student in the formats that others load."""
