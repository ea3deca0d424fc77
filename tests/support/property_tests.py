"""The settings of every property test."""

from hypothesis import settings

PROPERTY = settings(deadline=None, derandomize=True)
"""Machines differ in speed, and a run must not differ from the next."""
