"""Batch files: every way of writing them is read, everything else is refused, and nothing in a file is ever run."""

import os
import pickle
import pickletools
import struct
import tracemalloc

import numpy as np
import pytest

from autoaug.datasets.batch_file import DatasetError, read_batch, write_batch

COUNT = 12
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(COUNT) % 10
ROWS = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)).reshape(COUNT, 3072)
LIST = LABELS.tolist()


def read(content, tmp_path, label_key="labels", num_classes=10):
    path = tmp_path / "the_batch"
    path.write_bytes(content)
    planes, labels = read_batch(path, COUNT, label_key, num_classes)
    return planes.transpose(0, 2, 3, 1), labels


def assert_read(content, tmp_path, **options):
    images, labels = read(content, tmp_path, **options)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("batch", [
    {b"data": ROWS, b"labels": LIST},
    {"batch_label": "training batch 1 of 5", "labels": LIST, "data": ROWS, "filenames": ["ä.png"] * COUNT},
    {"data": ROWS, "labels": LABELS.astype(">i4")},
    {"data": ROWS, "labels": list(LABELS.astype(np.uint8))},
    {"data": np.asfortranarray(ROWS), "labels": LABELS},
])  # fmt: skip
def test_reads_what_python_3_writes_with_numpy_1_and_2(batch, protocol, tmp_path):
    content = pickle.dumps(batch, protocol)
    assert_read(content, tmp_path)
    fine = {"coarse_labels": [0] * COUNT, "fine_labels": batch.get("labels", LIST), "data": ROWS}
    assert_read(pickle.dumps(fine, protocol), tmp_path, label_key="fine_labels", num_classes=100)
    if protocol < 4:  # names without their lengths
        assert_read(content.replace(b"numpy._core.", b"numpy.core."), tmp_path)


def test_reads_what_python_2_writes(tmp_path):
    """As Python 2.7 with NumPy 1 pickles it: byte strings for text and pixels, memo entries after every value."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07"
        b"(K\x01K\x0cM\x00\x0c\x86q\x08cnumpy\ndtype\nq\x09U\x02u1q\x0aK\x00K\x01\x87q\x0bRq\x0c"
        b"(K\x03U\x01|q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89T" + struct.pack("<i", ROWS.nbytes)
    )
    labels = b"U\x06labelsr\x00\x01\x00\x00]q\x10(" + b"".join(b"K" + bytes([label]) for label in LIST) + b"e"
    content = b"\x80\x02}q\x00(U\x04dataq\x01" + array + ROWS.tobytes() + b"tq\x0fb" + labels + b"u."
    assert pickle.loads(content.replace(b"numpy.core", b"numpy._core"), encoding="bytes")[b"data"].shape == ROWS.shape
    assert_read(content, tmp_path)


def test_a_written_batch_is_plain_protocol_2_and_always_the_same(tmp_path):
    path = tmp_path / "batch"
    write_batch(path, IMAGES, LABELS)
    content = path.read_bytes()
    assert_read(content, tmp_path)
    write_batch(path, np.asfortranarray(IMAGES), LABELS.astype(np.uint8))
    assert path.read_bytes() == content
    assert max(opcode.proto for opcode, *_ in pickletools.genops(content)) == 2
    np.testing.assert_array_equal(pickle.loads(content)["data"], ROWS)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def batch(labels=LIST, data=ROWS, protocol=2):
    return pickle.dumps({"data": data, "labels": labels}, protocol)


def with_labels(opcodes):
    """A batch whose labels are made by these opcodes."""
    return b"\x80\x02}(U\x04data" + pickle.dumps(ROWS, 2)[2:-1] + b"U\x06labels" + opcodes + b"u."


REFUSED = {
    "os.system": batch(Call(os.system, "touch ran")),
    "eval": batch(Call(eval, "open('ran', 'w')")),
    "getattr": with_labels(b"cbuiltins\ngetattr\n(cos\nsystem\nU\x04nametR"),
    "nested": batch(Call(list, Call(os.system, "touch ran"))),
    "Python 2 builtin": with_labels(b"c__builtin__\neval\n(U\x11open('ran', 'w+')tR"),
    "numpy.load": with_labels(b"cnumpy\nload\n(U\x03rantR"),
    "sub-attribute": with_labels(b"\x8c\x05numpy\x8c\x0cndarray.dump\x93)R"),
    "call of ndarray": with_labels(b"cnumpy\nndarray\n(K\x05\x85tR"),
    "reconstruct a giant": with_labels(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01btR"
    ),
    "object dtype": with_labels(b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR"),
    "object array": batch(np.array([os.system], object)),
    "structured array": batch(np.zeros(3, "i4,i4")),
    "other codec": with_labels(b"c_codecs\nencode\n(X\x01\x00\x00\x00aU\x05rot13tR"),
    "attributes of a name": with_labels(b"c_codecs\nencode\n(N}U\x08__code__K\x01stb"),
    "attributes of an array": with_labels(pickle.dumps(ROWS, 2)[2:-1] + b"}U\x04dataK\x01sb"),
    "call of a list": with_labels(b"](tR"),
    "extension": with_labels(b"\x82\x01"),
    "INST": with_labels(b"(U\x09touch ranios\nsystem\n"),
    "OBJ": with_labels(b"(cos\nsystem\nU\x09touch rano"),
    "NEWOBJ": with_labels(b"cnumpy\nndarray\n(K\x02\x85t\x81"),
    "persistent id": with_labels(b"Pid\n"),
    "tuple keys": with_labels(b"}K\x01" + b"\x86".join([b"q\x00h\x00"] * 40) + b"\x86K\x01s"),
    "deep tuple keys": with_labels(b"})" + b"\x85" * 900 + b"K\x01s"),
    "endless list": with_labels(b"]" * 100_000),
    "text of 2⁶² bytes": with_labels(b"\x8d" + struct.pack("<Q", 2**62)),
    "bytes of 2⁴⁰ bytes": with_labels(b"\x8e" + struct.pack("<Q", 2**40)),
    "bytearray of 2⁴⁰ bytes": with_labels(b"\x96" + struct.pack("<Q", 2**40)),
    "frame of 2⁴⁰ bytes": with_labels(b"\x95" + struct.pack("<Q", 2**40)),
    "memo of 2³²": with_labels(b"Nr\xff\xff\xff\xff"),
    "next buffer": with_labels(b"\x97"),
    "empty": b"",
    "an archive": b"\x1f\x8b\x08 an archive",
    "protocol 0": batch(protocol=0),
    "cut": batch()[:-20_000],
    "a list": pickle.dumps([1], 2),
    "no keys": pickle.dumps({}, 2),
    "other labels": pickle.dumps({"data": ROWS, "fine_labels": LIST}, 2),
    "text for pixels": batch(data="pixels"),
    "fewer images": batch(data=ROWS[:5]),
    "four axes": batch(data=IMAGES),
    "int16": batch(data=ROWS.astype(np.int16)),
    "a label less": batch(LIST[:-1]),
    "label 10": batch([*LIST[1:], 10]),
    "label -1": batch([*LIST[1:], -1]),
    "a giant label": batch([*LIST[1:], 2**70]),
    "a float": batch([*LIST[1:], 1.0]),
    "too large": b"\x80\x02}." + bytes(300_000),
}  # fmt: skip


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_refuses_other_files_runs_nothing_and_allocates_nothing(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module, name in ((os, "system"), (np, "load")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("ran"))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"the_batch: Expected a batch of 12 images.* Received: \S"):
            read(content, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "ran").exists()


def test_refuses_folders_devices_and_missing_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe", "missing", "pipe/below"):
        with pytest.raises(DatasetError, match=str(tmp_path / name)):
            read_batch(tmp_path / name, COUNT, "labels", 10)


def test_mutated_files_are_refused_or_valid(tmp_path, monkeypatch):
    """Up to four bytes are changed, mostly outside the pixels, and now and then a piece is repeated or removed."""
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("ran"))
    rng, refused = np.random.default_rng(1), 0
    small = {"labels": LIST, "data": ROWS, "filenames": [f"{i}.png" for i in range(COUNT)]}
    sources = [pickle.dumps(small, protocol) for protocol in (2, 4, 5)]
    for number in range(1_000):
        content = bytearray(sources[number % len(sources)])
        for position in rng.integers(-300, 300, rng.integers(1, 5)):
            content[position] = rng.integers(0, 256)
        if number % 3 == 0:
            start, stop = sorted(rng.integers(0, len(content), 2).tolist())
            content[start:stop] = content[start:stop] * int(rng.integers(0, 3))
        try:
            images, labels = read(bytes(content), tmp_path)
        except DatasetError:
            refused += 1
        else:
            assert (images.shape, images.dtype, labels.shape) == (IMAGES.shape, np.uint8, LABELS.shape)
            assert 0 <= labels.min() <= labels.max() < 10
    assert 500 < refused < 1_000
