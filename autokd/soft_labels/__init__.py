"""The teacher's raw logits for stored views of the training images: written once, read by every training."""
