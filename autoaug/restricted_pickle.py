"""Evaluates the pickles of batch files without unpickling them: nothing in a file is imported, called or constructed.

`pickle.load` runs what a file asks for. `pickle.Unpickler` with a strict `find_class` runs nothing foreign, but still
allocates whatever a small file declares (a memo index of 2³¹ takes 16 GB) and hashes nested tuples for ever. So
`evaluate` executes only the opcodes that a batch file needs (protocols 2 to 5: PEP 307, 3154, 574), in time and memory
proportional to the file. Its values are numbers, text, bytes, lists, tuples, dictionaries with text keys, and
`PickledArray`.
"""

import dataclasses
import math
import pickle
import struct

import numpy as np


def evaluate(data, max_opcodes):
    """The value of a pickle, given as bytes; Python 2's `str` becomes bytes, arrays become `PickledArray`.

    Raises:
        ValueError: the pickle is truncated or malformed, takes more opcodes, or holds what no batch file does.
    """
    try:
        return _Machine(data).run(max_opcodes)
    except (TypeError, LookupError) as error:
        raise ValueError("a malformed pickle") from error


def type_name(value):
    """The name of a value's type for a message."""
    return type(value).__name__.strip("_").lower()


@dataclasses.dataclass
class _DType:
    """A plain numeric dtype: kind and item size as in `u1`, and its byte order."""

    code: str
    order: str = "|"

    def set_state(self, state):
        version, order, *rest = state
        order = _text(order)
        if version != 3 or order not in ("|", "<", ">") or rest[:3] != [None, None, None]:
            raise ValueError("a dtype that is not plainly numeric")
        self.order = order


@dataclasses.dataclass
class PickledArray:
    """What a pickled array declares; `numpy()` makes the array."""

    dtype: _DType | None = None
    shape: tuple = (0,)
    fortran: bool = False
    raw: bytes | str = b""  # a str stands for its Latin-1 bytes, as Python 3 writes bytes in protocol 2

    def set_state(self, state):
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

    def numpy(self):
        raw = self.raw.encode("latin-1") if isinstance(self.raw, str) else self.raw
        order = "F" if self.fortran else "C"
        return np.frombuffer(raw, self.dtype.order + self.dtype.code).reshape(self.shape, order=order)


def _text(value):
    """Text that Python 2 wrote as `str` arrives as bytes."""
    if type(value) is bytes:
        return value.decode("ascii")
    if type(value) is not str:
        raise ValueError(f"{type_name(value)} in place of text")
    return value


def _ndarray(*_):
    raise ValueError("a call of numpy.ndarray")


def _reconstruct(kind, shape, type_code):
    if kind is not _ndarray or shape != (0,) or _text(type_code) != "b":
        raise ValueError("an array made in an unknown way")
    return PickledArray()


def _from_buffer(raw, dtype, shape, order):
    array = PickledArray()
    array.set_state((1, shape, dtype, _text(order) == "F", raw))
    return array


def _dtype(code, align, copy):
    code = _text(code)
    if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
        raise ValueError(f"an array of type {code[:20]!r}")
    return _DType(code)


def _scalar(dtype, raw):
    value = PickledArray()
    value.set_state((1, (), dtype, False, raw))
    return value.numpy().item()


def _encode(text, encoding):
    if type(text) is not str or _text(encoding) != "latin1":
        raise ValueError("an encoding other than latin1")
    return text  # see PickledArray.raw: encoded once, when it is used


_NAMES = {"numpy ndarray": _ndarray, "numpy dtype": _dtype, "_codecs encode": _encode}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _NAMES[f"{_core}.multiarray _reconstruct"] = _reconstruct
    _NAMES[f"{_core}.multiarray scalar"] = _scalar
    _NAMES[f"{_core}.numeric _frombuffer"] = _from_buffer


_INTEGERS = {pickle.BININT1: 1, pickle.BININT2: 2, pickle.BININT: 4}  # opcode: bytes
_PUTS = {pickle.BINPUT: 1, pickle.LONG_BINPUT: 4}
_GETS = {pickle.BINGET: 1, pickle.LONG_BINGET: 4}
_BYTES = {pickle.SHORT_BINSTRING: 1, pickle.BINSTRING: 4}  # opcode: bytes of the length; Python 2's str
_BYTES |= {pickle.SHORT_BINBYTES: 1, pickle.BINBYTES: 4, pickle.BINBYTES8: 8, pickle.BYTEARRAY8: 8}
_TEXTS = {pickle.SHORT_BINUNICODE: 1, pickle.BINUNICODE: 4, pickle.BINUNICODE8: 8}
_CONSTANTS = {pickle.NONE: None, pickle.NEWTRUE: True, pickle.NEWFALSE: False}
_EMPTY = {pickle.EMPTY_LIST: list, pickle.EMPTY_DICT: dict, pickle.EMPTY_TUPLE: tuple}
_TUPLES = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}


class _Machine:
    """Executes a pickle's opcodes on a stack and a memo."""

    def __init__(self, data):
        self.data, self.view, self.position = data, memoryview(data), 0
        self.stack, self.marks, self.memo = [], [], {}

    def run(self, max_opcodes):
        for _ in range(max_opcodes):
            code = bytes(self.take(1))
            if code == pickle.STOP:
                return self.stack.pop()
            self.execute(code)
        raise ValueError("more opcodes than such a batch takes")

    def take(self, size):
        piece = self.view[self.position : self.position + size]
        if len(piece) != size:
            raise ValueError(
                f"a file that ends early: {size:,} bytes wanted at {self.position:,} of {len(self.data):,}"
            )
        self.position += size
        return piece

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def execute(self, code):
        push = self.stack.append
        if code in _INTEGERS:
            push(self.number(_INTEGERS[code], signed=code == pickle.BININT))
        elif code in _TEXTS:
            push(str(self.take(self.number(_TEXTS[code])), "utf-8"))
        elif code in _PUTS:
            self.memo[self.number(_PUTS[code])] = self.stack[-1]
        elif code in _GETS:
            push(self.memo[self.number(_GETS[code])])
        elif code in _BYTES:
            push(bytes(self.take(self.number(_BYTES[code]))))
        elif code in _CONSTANTS:
            push(_CONSTANTS[code])
        elif code in _EMPTY:
            push(_EMPTY[code]())
        elif code in _TUPLES:
            push(tuple([self.stack.pop() for _ in range(_TUPLES[code])][::-1]))
        elif code in _ACTIONS:
            _ACTIONS[code](self)
        else:
            raise ValueError(f"opcode {code!r}, which no batch file of protocol 2 to 5 needs")

    def protocol(self):
        if self.number(1) > 5:
            raise ValueError("a pickle of an unknown protocol")

    def mark(self):
        self.marks.append(len(self.stack))

    def since_mark(self):
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def append(self, items):
        if type(self.stack[-1]) is not list:
            raise ValueError("a malformed list")
        self.stack[-1].extend(items)

    def set_items(self, items):
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise ValueError("a malformed dictionary")
        self.stack[-1].update(zip(map(_text, items[::2]), items[1::2], strict=True))

    def find(self, name):
        if name not in _NAMES:
            raise ValueError(f"the name {name[:80]!r}, which no batch file holds")
        self.stack.append(_NAMES[name])

    def read_name(self):
        parts = []
        for _ in range(2):
            end = self.data.index(b"\n", self.position, self.position + 100)
            parts.append(str(self.take(end - self.position), "ascii"))
            self.take(1)
        self.find(" ".join(parts))

    def call(self):
        function, arguments = self.stack[-2:]
        if not callable(function) or type(arguments) is not tuple:
            raise ValueError("a call of what is no function")
        self.stack[-2:] = [function(*arguments)]

    def build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], PickledArray | _DType) or type(state) is not tuple:
            raise ValueError("an object with a state")
        self.stack[-1].set_state(state)


_ACTIONS = {
    pickle.PROTO: _Machine.protocol,
    pickle.FRAME: lambda machine: machine.take(8),
    pickle.MARK: _Machine.mark,
    pickle.MEMOIZE: lambda machine: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    pickle.LONG1: lambda machine: machine.stack.append(machine.number(machine.number(1), signed=True)),
    pickle.BINFLOAT: lambda machine: machine.stack.append(struct.unpack(">d", machine.take(8))[0]),
    pickle.TUPLE: lambda machine: machine.stack.append(tuple(machine.since_mark())),
    pickle.APPEND: lambda machine: machine.append([machine.stack.pop()]),
    pickle.APPENDS: lambda machine: machine.append(machine.since_mark()),
    pickle.SETITEM: lambda machine: machine.set_items([machine.stack.pop() for _ in range(2)][::-1]),
    pickle.SETITEMS: lambda machine: machine.set_items(machine.since_mark()),
    pickle.GLOBAL: _Machine.read_name,
    pickle.STACK_GLOBAL: lambda machine: machine.find(" ".join([_text(machine.stack.pop()) for _ in range(2)][::-1])),
    pickle.REDUCE: _Machine.call,
    pickle.BUILD: _Machine.build,
}
