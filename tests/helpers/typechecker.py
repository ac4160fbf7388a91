"""The type checker of the tests: beartype, for which an int is a float too, as PEP 484 says."""

import inspect

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def unchecked(function):
    """The function without the check of its types, for tests of what it says itself about wrong ones."""
    return inspect.unwrap(function)
