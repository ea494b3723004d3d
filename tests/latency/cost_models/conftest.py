"""Failed assertions of the contract suite are explained like those of a test file."""

import pytest

pytest.register_assert_rewrite("tests.contracts.cost_model_contract")
