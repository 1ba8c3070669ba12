"""The verdict in words: reasons, refusals, the nearest miss."""
