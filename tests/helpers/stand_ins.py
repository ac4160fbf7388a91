"""The published files in miniature: random images, as many as `datasets.DATASETS` says, with their own true hashes."""

import dataclasses
import hashlib
import io
import pickle
import tarfile

import numpy as np
from PIL import Image

from autoaug import datasets
from data_prep import sources


def small(sets, part=100):
    """The photographs of `datasets.DATASETS` with a hundredth, or another part, of their images."""

    def size(count, classes):
        return count // part // classes * classes

    return {
        name: dataclasses.replace(
            spec, train_size=size(spec.train_size, spec.num_classes), test_size=size(spec.test_size, spec.num_classes)
        )
        for name, spec in sets.items()
        if spec.family != "synthetic10"
    }


def write(folder):
    """Write all published files into a folder; returns what `sources.FILES` has to say of them."""
    described = {}
    for number, (name, write_files) in enumerate(sorted(WRITERS.items())):
        files = write_files(folder, name, np.random.default_rng(number))
        described[name] = tuple(_described(source, folder / source.file, files) for source in sources.FILES[name])
    return described | {"cifar10.2": described["cifar105"][1:]}


def _described(source, path, files):
    """The source with the hashes of the file that was written, at an address where nobody answers."""
    content = path.read_bytes()
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    hashes = {"git-blob-sha1": blob} if "git-blob-sha1" in source.hashes else {}
    hashes |= {kind: hashlib.new(kind, content).hexdigest() for kind in source.hashes if kind != "git-blob-sha1"}
    members = {name: hashlib.md5(files[name]).hexdigest() for name in source.members}
    content = _content("cifar10", files) if source.content else {}
    address = f"http://127.0.0.1:9/{source.file}"
    return dataclasses.replace(source, url=address, hashes=hashes, members=members, content=content)


def _content(name, files):
    """Part → content hash, from the pickled batches themselves."""
    spec, content = datasets.DATASETS[name], {}
    for part, batches in (("training", spec.training_files), ("test", (spec.test_file,))):
        dictionaries = [pickle.loads(files[file]) for file in batches]
        planes = np.concatenate([batch[b"data"] for batch in dictionaries]).reshape(-1, 3, 32, 32)
        labels = np.concatenate([batch[spec.label_key.encode()] for batch in dictionaries])
        content[part] = datasets.content_hash(planes.transpose(0, 2, 3, 1), labels)
    return content


def _images(name, part, rng):
    """Random images uint8 [n, 32, 32, 3] of a part and balanced labels [n]."""
    spec = datasets.DATASETS[name]
    size = spec.train_size if part == "training" else spec.test_size
    images = rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
    return images, rng.permutation(np.arange(size) % spec.num_classes)


def _write_archive(folder, name, rng):
    """CIFAR-10's or CIFAR-100's archive, its batches pickled as by Python 2; returns its files."""
    source, spec, files = sources.FILES[name][0], datasets.DATASETS[name], {"readme.html": b"<p>"}
    for part, batches in (("training", spec.training_files), ("test", (spec.test_file,))):
        images, labels = _images(name, part, rng)
        if name == "cifar10" and part == "training":
            images[7] = images[3]  # a repeated image
        for number, file in enumerate(batches):
            rows = slice(number * len(labels) // len(batches), (number + 1) * len(labels) // len(batches))
            planes = images[rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
            batch = {b"batch_label": file, spec.label_key.encode(): labels[rows].tolist(), b"data": planes}
            files[file] = pickle.dumps(batch | {b"filenames": ["a.png"] * len(planes)}, 2)
    with tarfile.open(folder / source.file, "w:gz", compresslevel=1) as tar:
        for file, content in files.items():
            member = tarfile.TarInfo(f"{source.folder}/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return files


def _write_npy(folder, name, rng):
    images, labels = _images(name, "test", rng)
    for source, array in zip(sources.FILES[name], (images, labels.astype(np.int32)), strict=True):
        np.save(folder / source.file, array)


def _write_npz(folder, name, rng):
    """CIFAR-10.2 with all of its members, one of them an object array, which NumPy pickles; one of its test images is a
    training image of CIFAR-10."""
    extra = {"label_names": np.array(datasets.CLASS_NAMES["cifar10"]), "keywords": np.array(["word", None], object)}
    for source, part in zip(sources.FILES[name], ("training", "test"), strict=True):
        images, labels = _images(name, part, rng)
        if part == "test":
            images[5] = _images("cifar10", "training", np.random.default_rng(0))[0][11]
        np.savez(folder / source.file, images=images, labels=labels, ti_indices=np.arange(len(labels)), **extra)


def _write_pictures(folder, name, rng):
    """CINIC-10's archive: PNG files in folders by part and class, and a third part and CIFAR-10's that are left out."""
    with tarfile.open(folder / sources.FILES[name][0].file, "w:gz", compresslevel=1) as tar:
        for part, place in (("training", "train"), ("test", "test"), ("test", "valid")):
            images, labels = _images(name, part, rng)
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                for kept in (True, False) if number < 10 else (True,):
                    file = io.BytesIO()
                    Image.fromarray(image if kept else ~image).save(file, "png")
                    start = f"n{number:08}_{number}" if kept else f"cifar10-{part}-{number}"
                    member = tarfile.TarInfo(f"{place}/{datasets.CLASS_NAMES['cifar10'][label]}/{start}.png")
                    member.size = file.tell()
                    file.seek(0)
                    tar.addfile(member, file)
    return {}


WRITERS = {
    "cinic10": _write_pictures,
    "cifar10": _write_archive,
    "cifar100": _write_archive,
    "cifar105": _write_npz,
    "cifar10.1-v4": _write_npy,
    "cifar10.1-v6": _write_npy,
}
