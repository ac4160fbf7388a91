"""Unpickles numbers, text, lists, dictionaries and plain NumPy arrays; nothing that a file names is imported or called.

`pickle.Unpickler` gets stand-ins for the few names of NumPy's arrays, and no others. Before it starts, the opcodes are
looked through once for what it would not survive: a memo index of 2³¹ takes 16 GB, a length of 2⁴⁰ more, and the hash
of nested tuples takes for ever or overflows the stack.
"""

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

_OPCODES = frozenset(
    """
    PROTO FRAME STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE
    SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_LIST APPEND APPENDS EMPTY_DICT
    SETITEM SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 MARK BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET GLOBAL
    STACK_GLOBAL REDUCE BUILD
    """.split()  # noqa: SIM905
)
_OPCODES_PER_IMAGE = 16  # a label that is a NumPy scalar takes eight, a file name two
_MOST_TUPLES = 100  # that are neither arguments nor a state: a shape for each array


def loads(content: bytes) -> Any:
    """The value of a pickle of protocol 2 to 5; arrays are read-only.

    Raises:
        ValueError: the pickle is truncated or malformed, or holds something that no batch of images holds.
    """
    try:
        _look_through(content, most_opcodes=len(content) // 3072 * _OPCODES_PER_IMAGE + 1000)
        value = _Unpickler(io.BytesIO(content), encoding="latin-1").load()
        if type(value) is dict:
            return {key: item.array() if isinstance(item, _Array) else item for key, item in value.items()}
        return value
    except (pickle.UnpicklingError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"a malformed pickle: {error}"[:200]) from error


def _look_through(content: bytes, most_opcodes: int) -> None:
    """Raises ValueError for what the unpickler must not be given; pickletools checks every length."""
    memo: dict[int, str] = {}  # index → the opcode that made the value
    made, tuples = "", 0
    argument: Any
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        name = opcode.name
        if name not in _OPCODES or number >= most_opcodes:
            raise ValueError(f"a pickle with {name}, which no batch of images needs, or more opcodes than one takes")
        if name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(memo) if name == "MEMOIZE" else argument
            if index > most_opcodes:
                raise ValueError(f"a memo of {index:,}")
            memo[index] = made
            continue
        if name in ("BINGET", "LONG_BINGET") and not memo.get(argument, "").endswith(
            ("STRING", "UNICODE", "UNICODE8", "BYTES", "BYTES8", "GLOBAL", "REDUCE")
        ):
            raise ValueError("a value in two places")  # of tuples in tuples, the hash would take for ever
        if name in ("REDUCE", "BUILD"):
            tuples -= made.startswith("TUPLE")
        tuples += name.startswith("TUPLE")
        if tuples > _MOST_TUPLES:
            raise ValueError("nested tuples")
        made = name


class _StandIn:
    """What stands in the place of a name; nothing in a file can change it."""

    def __setstate__(self, state: Any) -> None:
        raise ValueError("an object with a state")


class _NDArray(_StandIn):
    """numpy.ndarray, which a pickle only names."""

    def __init__(self) -> None:
        raise ValueError("a call of numpy.ndarray")


class _Encode(_StandIn):
    """_codecs.encode: Python 3 writes bytes as Latin-1 text in protocol 2."""

    def __new__(cls, text: Any, encoding: Any) -> bytes:  # type: ignore[misc]
        if type(text) is not str or encoding != "latin1":
            raise ValueError("an encoding other than latin1")
        return text.encode("latin-1")


class _DType(_StandIn):
    """numpy.dtype, of plain numbers."""

    def __init__(self, code: Any, align: Any, copy: Any) -> None:
        if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
            raise ValueError(f"an array of type {str(code)[:20]!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        version, order, *rest = state
        if version != 3 or order not in ("|", "<", ">") or rest[:3] != [None] * 3:
            raise ValueError("a type that is not plainly numeric")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(_StandIn):
    """numpy.core.multiarray._reconstruct: an empty array, whose state follows."""

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        if kind is not _NDArray or shape != (0,) or code not in ("b", b"b"):
            raise ValueError("an array made in an unknown way")
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, raw = state
        if version != 1 or not isinstance(dtype, _DType) or type(raw) not in (bytes, bytearray, str):
            raise ValueError("an array that is not plainly numeric")
        self.state = shape, dtype.dtype, fortran, raw.encode("latin-1") if isinstance(raw, str) else raw

    def array(self) -> np.ndarray:
        """The array; ValueError if the pickle has not given its state, or another number of bytes."""
        if self.state is None:
            raise ValueError("an array without its bytes")
        shape, dtype, fortran, raw = self.state
        if type(shape) is not tuple or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
            raise ValueError("an array of impossible shape")
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise ValueError(f"an array of type {dtype} and shape {shape} in {len(raw)} bytes")
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


class _FromBuffer(_StandIn):
    """numpy.core.numeric._frombuffer, of protocol 5: an array from its bytes."""

    def __new__(cls, raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
        array = _Array(_NDArray, (0,), "b")
        array.__setstate__((1, shape, dtype, order == "F", raw))
        return array


class _Scalar(_StandIn):
    """numpy.core.multiarray.scalar: a number."""

    def __new__(cls, dtype: Any, raw: Any) -> Any:
        return _FromBuffer(raw, dtype, (), "C").array().item()


_NAMES: dict[str, Any] = {"numpy ndarray": _NDArray, "numpy dtype": _DType, "_codecs encode": _Encode}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _NAMES |= {f"{_core}.multiarray _reconstruct": _Array, f"{_core}.multiarray scalar": _Scalar}
    _NAMES[f"{_core}.numeric _frombuffer"] = _FromBuffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (found := _NAMES.get(f"{module} {name}")) is None:
            raise ValueError(f"the name {f'{module} {name}'[:80]!r}, which no batch of images holds")
        return found
