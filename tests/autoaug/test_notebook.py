"""Parameters that papermill passes in."""

import pytest

from autoaug.notebook import ParameterError, check_parameters

ANNOTATIONS = {"model": str, "epochs": int, "rate": float, "sets": list}
DEFAULTS = {"model": "wrn", "epochs": 0, "rate": 0.5, "sets": []}


def namespace(**passed):
    cell = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in passed.items())
    cells = ["", "model: str = 'wrn'", cell, "check_parameters(globals())"]
    return {"__annotations__": ANNOTATIONS, "In": cells, **DEFAULTS, **passed}


@pytest.mark.parametrize(
    "passed", [{}, {"model": "ss32", "epochs": 3}, {"rate": 1}, {"sets": ["a"]}, {"epochs": 0, "rate": 0.1}]
)
def test_known_parameters_of_their_types_pass(passed):
    check_parameters(namespace(**passed))


def test_by_hand_there_is_no_cell_of_papermill():
    check_parameters({"__annotations__": ANNOTATIONS, "In": ["", "unrelated = 3"], "unrelated": 3, **DEFAULTS})


def test_unknown_parameter_names_the_known_ones():
    with pytest.raises(ParameterError, match=r"Unknown parameter 'modle'.*model: str, epochs: int, rate: float"):
        check_parameters(namespace(modle="wrn"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("epochs", "ten", "int"), ("epochs", 1.5, "int"), ("epochs", True, "int"),
     ("rate", "0.1", "float"), ("model", 32, "str"), ("sets", "cifar10", "list")],
)  # fmt: skip
def test_value_of_another_type(name, value, expected):
    with pytest.raises(ParameterError) as error:
        check_parameters(namespace(**{name: value}))
    assert f"Parameter '{name}': expected {expected}. Received: {value!r}" in str(error.value)
