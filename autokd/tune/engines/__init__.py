"""What places trainings: local, ray, and a fake whose accuracy is a formula; all behind the protocol of protocol.py."""
