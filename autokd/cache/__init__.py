"""The cache that searches share: its entries and their locks."""
