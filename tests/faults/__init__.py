"""Faults at every boundary where the program writes, and what is true of the store after each."""

import pytest

pytest.register_assert_rewrite("tests.faults.scene")
