"""Reads the pickles of batch files without unpickling them: nothing in a file is imported, called or constructed.

`pickle.load` runs any code that a file names. `pickle.Unpickler` with a strict `find_class` runs no foreign code, but a
small file can still make it allocate too much memory (a memo index of 2³¹ takes 16 GB) or hash nested tuples for ever.
So `evaluate` executes only the opcodes that a batch file needs (protocols 2 to 5: PEP 307, 3154, 574), in time and
memory proportional to the file. The values are numbers, text, bytes, lists, tuples, dictionaries with text keys, and
`PickledArray`.
"""

import dataclasses
import math
import pickle
import struct
from collections.abc import Callable
from typing import Any, Literal, NoReturn

import numpy as np


def evaluate(data: bytes, max_opcodes: int) -> Any:
    """The value of a pickle, given as bytes; Python 2's `str` becomes bytes, arrays become `PickledArray`.

    Raises:
        ValueError: the pickle is truncated or malformed, takes more opcodes, or holds something that no batch file has.
    """
    try:
        return _Machine(data).run(max_opcodes)
    except (TypeError, LookupError) as error:
        raise ValueError("a malformed pickle") from error


def type_name(value: object) -> str:
    """The name of a value's type for a message."""
    return type(value).__name__.strip("_").lower()


@dataclasses.dataclass
class _DType:
    """A plain numeric dtype: kind and item size as in `u1`, and its byte order."""

    code: str
    order: str = "|"

    def set_state(self, state: tuple[Any, ...]) -> None:
        version, order, *rest = state
        order = _text(order)
        if version != 3 or order not in ("|", "<", ">") or rest[:3] != [None, None, None]:
            raise ValueError("a dtype that is not plainly numeric")
        self.order = order


@dataclasses.dataclass
class PickledArray:
    """The declaration of a pickled array; `numpy()` makes the array."""

    dtype: _DType | None = None
    shape: tuple[int, ...] = (0,)
    fortran: bool = False
    raw: bytes | str = b""  # a str stands for its Latin-1 bytes, as Python 3 writes bytes in protocol 2

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Take the array's state from the pickle; ValueError if the array is not plainly numeric."""
        version, shape, dtype, fortran, raw = state
        if version != 1 or type(shape) is not tuple or len(shape) > 2 or not isinstance(dtype, _DType):
            raise ValueError("an array that is not plainly numeric")
        if type(raw) not in (bytes, str) or type(fortran) not in (bool, int):
            raise ValueError("an array without its bytes")
        if not all(type(size) is int and 0 <= size < 2**31 for size in shape):
            raise ValueError("an array of impossible shape")
        if math.prod(shape) * int(dtype.code[1:]) != len(raw):
            raise ValueError(f"an array of shape {shape} and type {dtype.code} in {len(raw)} bytes")
        self.dtype, self.shape, self.fortran, self.raw = dtype, shape, bool(fortran), raw

    def numpy(self) -> np.ndarray:
        """The array; ValueError if the pickle has not given its state."""
        if self.dtype is None:
            raise ValueError("an array without its bytes")
        raw = self.raw.encode("latin-1") if isinstance(self.raw, str) else self.raw
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        return np.frombuffer(raw, self.dtype.order + self.dtype.code).reshape(self.shape, order=order)


def _text(value: object) -> str:
    """Text that Python 2 wrote as `str` arrives as bytes."""
    if type(value) is bytes:
        return value.decode("ascii")
    if type(value) is not str:
        raise ValueError(f"{type_name(value)} in place of text")
    return value


def _ndarray(*_: object) -> NoReturn:
    raise ValueError("a call of numpy.ndarray")


def _reconstruct(kind: object, shape: object, type_code: object) -> PickledArray:
    if kind is not _ndarray or shape != (0,) or _text(type_code) != "b":
        raise ValueError("an array made in an unknown way")
    return PickledArray()


def _from_buffer(raw: object, dtype: object, shape: object, order: object) -> PickledArray:
    array = PickledArray()
    array.set_state((1, shape, dtype, _text(order) == "F", raw))
    return array


def _dtype(code: object, align: object, copy: object) -> _DType:
    code = _text(code)
    if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
        raise ValueError(f"an array of type {code[:20]!r}")
    return _DType(code)


def _scalar(dtype: object, raw: object) -> Any:
    value = PickledArray()
    value.set_state((1, (), dtype, False, raw))
    return value.numpy().item()


def _encode(text: object, encoding: object) -> str:
    if type(text) is not str or _text(encoding) != "latin1":
        raise ValueError("an encoding other than latin1")
    return text  # see PickledArray.raw: encoded once, when it is used


_NAMES: dict[str, Callable[..., Any]] = {"numpy ndarray": _ndarray, "numpy dtype": _dtype, "_codecs encode": _encode}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _NAMES[f"{_core}.multiarray _reconstruct"] = _reconstruct
    _NAMES[f"{_core}.multiarray scalar"] = _scalar
    _NAMES[f"{_core}.numeric _frombuffer"] = _from_buffer


_EARLY = "a file that ends early"


class _Machine:
    """Executes a pickle's opcodes on a stack and a memo."""

    def __init__(self, data: bytes) -> None:
        self.data, self.view, self.position = data, memoryview(data), 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, max_opcodes: int) -> Any:
        data, size = self.data, len(self.data)
        for _ in range(max_opcodes):
            code = data[self.position : self.position + 1]
            if code not in _OPCODES:
                raise ValueError(f"opcode {code!r}, which no batch file of protocol 2 to 5 needs" if code else _EARLY)
            width, is_length, action = _OPCODES[code]
            start = self.position + 1
            end = start + width
            operand: Any = int.from_bytes(data[start:end], "little") if width else None
            if is_length:
                start, end = end, end + operand
                operand = self.view[start:end]
            if end > size:
                raise ValueError(f"{_EARLY}: it needs {end:,} bytes and has {size:,}")
            self.position = end
            if action is None:
                return self.stack.pop()
            action(self, operand)
        raise ValueError("more opcodes than such a batch takes")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def push_signed(self, value: int) -> None:
        self.stack.append(value - (value >> 31 << 32))

    def push_text(self, characters: memoryview) -> None:
        self.stack.append(str(characters, "utf-8"))

    def push_bytes(self, characters: memoryview) -> None:
        self.stack.append(bytes(characters))

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError("a malformed pickle")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def pop_to_mark(self) -> list[Any]:
        return self.pop(max(0, len(self.stack) - self.marks.pop()))

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def check_protocol(self, protocol: int) -> None:
        if protocol > 5:
            raise ValueError(f"a pickle of the unknown protocol {protocol}")

    def extend_list(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("a malformed list")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise ValueError("a malformed dictionary")
        self.stack[-1].update(zip(map(_text, items[::2]), items[1::2], strict=True))

    def push_name(self, module: object, name: object) -> None:
        full_name = f"{_text(module)} {_text(name)}"
        if full_name not in _NAMES:
            raise ValueError(f"the name {full_name[:80]!r}, which no batch file holds")
        self.stack.append(_NAMES[full_name])

    def push_name_on_two_lines(self) -> None:
        lines = self.data[self.position : self.position + 100].split(b"\n", 2)[:2]
        self.position += sum(len(line) + 1 for line in lines)
        self.push_name(*lines)

    def call(self) -> None:
        function, arguments = self.pop(2)
        if not callable(function) or type(arguments) is not tuple:
            raise ValueError("a call of what is no function")
        self.stack.append(function(*arguments))

    def build(self) -> None:
        (state,) = self.pop(1)
        if not isinstance(self.stack[-1], PickledArray | _DType) or type(state) is not tuple:
            raise ValueError("an object with a state")
        self.stack[-1].set_state(state)


# For each opcode: the number of bytes of its little-endian integer; whether this integer is the length of the operand
# that follows, or the operand itself; and the machine's method that takes the operand.
_OPCODES: dict[bytes, tuple[int, bool, Callable[..., Any] | None]] = {
    pickle.STOP: (0, False, None),
    pickle.PROTO: (1, False, _Machine.check_protocol),
    pickle.FRAME: (8, False, lambda machine, _: None),
    pickle.BININT1: (1, False, _Machine.push),
    pickle.BININT2: (2, False, _Machine.push),
    pickle.BININT: (4, False, _Machine.push_signed),
    pickle.LONG1: (1, True, lambda machine, digits: machine.push(int.from_bytes(digits, "little", signed=True))),
    pickle.BINFLOAT: (8, False, lambda machine, bits: machine.push(struct.unpack(">d", bits.to_bytes(8, "little"))[0])),
    pickle.NONE: (0, False, lambda machine, _: machine.push(None)),
    pickle.NEWTRUE: (0, False, lambda machine, _: machine.push(True)),
    pickle.NEWFALSE: (0, False, lambda machine, _: machine.push(False)),
    pickle.SHORT_BINUNICODE: (1, True, _Machine.push_text),
    pickle.BINUNICODE: (4, True, _Machine.push_text),
    pickle.BINUNICODE8: (8, True, _Machine.push_text),
    pickle.SHORT_BINSTRING: (1, True, _Machine.push_bytes),
    pickle.BINSTRING: (4, True, _Machine.push_bytes),
    pickle.SHORT_BINBYTES: (1, True, _Machine.push_bytes),
    pickle.BINBYTES: (4, True, _Machine.push_bytes),
    pickle.BINBYTES8: (8, True, _Machine.push_bytes),
    pickle.BYTEARRAY8: (8, True, _Machine.push_bytes),
    pickle.BINPUT: (1, False, _Machine.remember),
    pickle.LONG_BINPUT: (4, False, _Machine.remember),
    pickle.MEMOIZE: (0, False, lambda machine, _: machine.remember(len(machine.memo))),
    pickle.BINGET: (1, False, lambda machine, index: machine.push(machine.memo[index])),
    pickle.LONG_BINGET: (4, False, lambda machine, index: machine.push(machine.memo[index])),
    pickle.MARK: (0, False, lambda machine, _: machine.marks.append(len(machine.stack))),
    pickle.EMPTY_TUPLE: (0, False, lambda machine, _: machine.push(())),
    pickle.TUPLE1: (0, False, lambda machine, _: machine.push(tuple(machine.pop(1)))),
    pickle.TUPLE2: (0, False, lambda machine, _: machine.push(tuple(machine.pop(2)))),
    pickle.TUPLE3: (0, False, lambda machine, _: machine.push(tuple(machine.pop(3)))),
    pickle.TUPLE: (0, False, lambda machine, _: machine.push(tuple(machine.pop_to_mark()))),
    pickle.EMPTY_LIST: (0, False, lambda machine, _: machine.push([])),
    pickle.APPEND: (0, False, lambda machine, _: machine.extend_list(machine.pop(1))),
    pickle.APPENDS: (0, False, lambda machine, _: machine.extend_list(machine.pop_to_mark())),
    pickle.EMPTY_DICT: (0, False, lambda machine, _: machine.push({})),
    pickle.SETITEM: (0, False, lambda machine, _: machine.set_items(machine.pop(2))),
    pickle.SETITEMS: (0, False, lambda machine, _: machine.set_items(machine.pop_to_mark())),
    pickle.GLOBAL: (0, False, lambda machine, _: machine.push_name_on_two_lines()),
    pickle.STACK_GLOBAL: (0, False, lambda machine, _: machine.push_name(*machine.pop(2))),
    pickle.REDUCE: (0, False, lambda machine, _: machine.call()),
    pickle.BUILD: (0, False, lambda machine, _: machine.build()),
}
