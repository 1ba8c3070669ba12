"""What searches keep for one another: its entries, and who is using them."""
