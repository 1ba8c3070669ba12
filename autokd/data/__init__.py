"""Data sets, splits and views: from what the user names to the tensors that every model sees."""
