"""Failed assertions of the contract suites are explained like those of a test file."""

import pytest

pytest.register_assert_rewrite("tests.contracts.profiler_contract")
