"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers.

Reading never unpickles. `pickle.load` runs what a file asks for; `pickle.Unpickler` with a strict `find_class` runs
nothing foreign, but still allocates whatever a small file declares (a memo index of 2³¹ takes 16 GB) and hashes nested
tuples for ever. So `_Interpreter` executes the opcodes of PEP 307, 3154 and 574 that a batch file needs, in time and
memory proportional to the file: its values are integers, text, bytes, lists, tuples, dictionaries with text keys,
and `_Array`, which stands for a NumPy array until `data` or the labels are asked for.
"""

import dataclasses
import math
import pathlib
import pickle
import stat
import struct

import numpy as np

PIXELS = 3 * 32 * 32
_BYTES_PER_IMAGE = 10_000  # pixels as UTF-8 (Python 3 writing protocol 2) take up to 6,144, a file name a few dozen
_OPCODES_PER_IMAGE = 16  # a label that is a NumPy scalar takes eight, a file name two


class DatasetError(ValueError):
    """A data set that is missing, incomplete or malformed; the message names the file or folder."""


def read_batch(path, count, label_key, num_classes):
    """Returns one batch file as (planes uint8 [count, 3, 32, 32], labels int64 [count]).

    Args:
        path: the file.
        count: int, the number of images that it must hold.
        label_key: the key of the labels, "labels" or "fine_labels".
        num_classes: int, labels must lie in [0, num_classes).

    Raises:
        DatasetError: the file is not such a batch, or cannot be read.
    """
    path = pathlib.Path(path)
    try:
        data = _read_bounded(path, count * _BYTES_PER_IMAGE + 2**16)
        batch = _Interpreter(data, limit=count * _OPCODES_PER_IMAGE + 1000).run()
        del data
        if type(batch) is not dict:
            raise ValueError(f"a pickled {_type_name(batch)}, not a dictionary")
        for key in ("data", label_key):
            if key not in batch:
                raise ValueError(f"no key {key!r} but {', '.join(sorted(batch))[:200] or 'none'}")
        return _planes(batch["data"], count), _labels(batch[label_key], count, num_classes)
    except OSError as error:
        raise DatasetError(f"{path}: Expected a readable file. Received: {error.strerror}") from error
    except (ValueError, TypeError, LookupError) as error:
        found = error if isinstance(error, ValueError) else "a malformed pickle"
        expected = f"a batch of {count} images with labels in 0…{num_classes - 1}"
        raise DatasetError(f"{path}: Expected {expected}. Received: {found}") from error


def write_batch(path, images, labels):
    """Writes uint8 images [n, 32, 32, 3] and their labels [n] (0…255) as Python 2 pickled them, protocol 2.

    Byte-identical for the same input; Python 2 and 3 read it with any NumPy (Python 3: `encoding="bytes"`).
    """
    rows = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), PIXELS)
    name = pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n"
    empty = name + pickle.GLOBAL + b"numpy\nndarray\n" + _integer(0) + pickle.TUPLE1 + _string(b"b") + pickle.TUPLE3
    arguments = _string(b"u1") + _integer(0) + _integer(1) + pickle.TUPLE3
    dtype_state = pickle.MARK + _integer(3) + _string(b"|") + 3 * pickle.NONE + 2 * _integer(-1) + _integer(0)
    dtype = pickle.GLOBAL + b"numpy\ndtype\n" + arguments + pickle.REDUCE + dtype_state + pickle.TUPLE + pickle.BUILD
    shape = _integer(len(rows)) + _integer(PIXELS) + pickle.TUPLE2
    raw = pickle.BINSTRING + struct.pack("<i", rows.nbytes) + rows.tobytes()
    array_state = pickle.MARK + _integer(1) + shape + dtype + pickle.NEWFALSE + raw + pickle.TUPLE
    array = empty + pickle.REDUCE + array_state + pickle.BUILD
    items = b"".join(pickle.BININT1 + struct.pack("B", label) for label in np.asarray(labels).tolist())
    label_list = pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
    pairs = _string(b"data") + array + _string(b"labels") + label_list
    content = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS + pickle.STOP
    pathlib.Path(path).write_bytes(content)


def _integer(value):
    return pickle.BININT + struct.pack("<i", value)


def _string(value):
    return pickle.SHORT_BINSTRING + struct.pack("B", len(value)) + value


def _read_bounded(path, limit):
    """The file's bytes; refuses what is no regular file or larger than any such batch before reading it."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("a folder or device")
    if status.st_size > limit:
        raise ValueError(f"{status.st_size:,} bytes, more than the {limit:,} that it can take")
    return path.read_bytes()


def _planes(array, count):
    if not isinstance(array, _Array) or array.dtype is None:
        raise ValueError(f"data of type {_type_name(array)}, not an array")
    if array.dtype.code != "u1" or array.shape != (count, PIXELS):
        raise ValueError(f"data of type {array.dtype.code} and shape {array.shape}, not u1 and ({count}, {PIXELS})")
    return array.numpy().reshape(count, 3, 32, 32)


def _labels(labels, count, num_classes):
    if isinstance(labels, _Array) and labels.dtype is not None and labels.dtype.code[0] in "iu":
        labels = labels.numpy().ravel().tolist()
    if type(labels) is not list or not all(type(label) is int for label in labels):
        raise ValueError("labels that are not a list of integers")
    if len(labels) != count:
        raise ValueError(f"{len(labels)} labels")
    if not all(0 <= label < num_classes for label in labels):
        raise ValueError("labels out of range")
    return np.array(labels, np.int64)


def _type_name(value):
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
class _Array:
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
        raise ValueError(f"{_type_name(value)} in place of text")
    return value


def _ndarray(*_):
    raise ValueError("a call of numpy.ndarray")


def _reconstruct(kind, shape, type_code):
    if kind is not _ndarray or shape != (0,) or _text(type_code) != "b":
        raise ValueError("an array made in an unknown way")
    return _Array()


def _from_buffer(raw, dtype, shape, order):
    array = _Array()
    array.set_state((1, shape, dtype, _text(order) == "F", raw))
    return array


def _dtype(code, align, copy):
    code = _text(code)
    if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
        raise ValueError(f"an array of type {code[:20]!r}")
    return _DType(code)


def _scalar(dtype, raw):
    value = _Array()
    value.set_state((1, (), dtype, False, raw))
    return value.numpy().item()


def _encode(text, encoding):
    if type(text) is not str or _text(encoding) != "latin1":
        raise ValueError("an encoding other than latin1")
    return text  # see _Array.raw: encoded once, when it is used


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


class _Interpreter:
    """Executes a pickle's opcodes on a stack and a memo, as the pickle machine does; `limit` bounds their number."""

    def __init__(self, data, limit):
        self.data, self.view, self.limit, self.position = data, memoryview(data), limit, 0
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        for _ in range(self.limit):
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
        if not isinstance(self.stack[-1], _Array | _DType) or type(state) is not tuple:
            raise ValueError("an object with a state")
        self.stack[-1].set_state(state)


_ACTIONS = {
    pickle.PROTO: _Interpreter.protocol,
    pickle.FRAME: lambda machine: machine.take(8),
    pickle.MARK: _Interpreter.mark,
    pickle.MEMOIZE: lambda machine: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    pickle.LONG1: lambda machine: machine.stack.append(machine.number(machine.number(1), signed=True)),
    pickle.BINFLOAT: lambda machine: machine.stack.append(struct.unpack(">d", machine.take(8))[0]),
    pickle.TUPLE: lambda machine: machine.stack.append(tuple(machine.since_mark())),
    pickle.APPEND: lambda machine: machine.append([machine.stack.pop()]),
    pickle.APPENDS: lambda machine: machine.append(machine.since_mark()),
    pickle.SETITEM: lambda machine: machine.set_items([machine.stack.pop() for _ in range(2)][::-1]),
    pickle.SETITEMS: lambda machine: machine.set_items(machine.since_mark()),
    pickle.GLOBAL: _Interpreter.read_name,
    pickle.STACK_GLOBAL: lambda machine: machine.find(" ".join([_text(machine.stack.pop()) for _ in range(2)][::-1])),
    pickle.REDUCE: _Interpreter.call,
    pickle.BUILD: _Interpreter.build,
}
