import pytest

# What helpers assert is to be said as well as what tests do.
pytest.register_assert_rewrite("tests.support")
