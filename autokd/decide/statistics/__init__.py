"""Intervals of paired differences, tests of them, repeated looks, and how much evidence would suffice."""
