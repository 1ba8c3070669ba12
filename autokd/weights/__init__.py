"""Weights from elsewhere: loaded safely, from the hub, a file or a folder; and which student starts from which."""
