"""Data sets, splits and views: from what the user names to tensors that every model sees alike."""
