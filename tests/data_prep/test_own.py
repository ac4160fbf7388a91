"""Sets of the user's own: pictures by class, arrays and batches become sets like the others; what is wrong is named."""

import os
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError, write_batch
from autoaug.report import answers
from data_prep import build, inventory

CLASSES = datasets.CLASS_NAMES["synthetic10"]
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (30, 32, 32, 3), np.uint8), np.arange(30) % 10
GREY = Image.fromarray(IMAGES[0, ..., 0])


@pytest.fixture
def data_dir(drawn_shapes, tmp_path):
    return shutil.copytree(drawn_shapes / "synthetic10", tmp_path / "data" / "synthetic10").parent


def write_pictures(folder, images, labels, suffix="png", names=CLASSES):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / names[label] / f"{number:03}.{suffix}")


def write(kind, folder):
    """The thirty images in a file or folder of a kind; returns it."""
    folder.mkdir(exist_ok=True)
    if kind == "pictures":
        write_pictures(folder / "in", IMAGES, LABELS)
    elif kind == "arrays":
        np.savez(folder / "in.npz", images=IMAGES, labels=LABELS.astype(np.uint8))
        return str(folder / "in.npz")
    else:
        write_batch(folder / "in_1", IMAGES[:11], LABELS[:11])
        write_batch(folder / "in_2", IMAGES[11:], LABELS[11:])
        return [str(folder / "in_1"), str(folder / "in_2")]
    return str(folder / "in")


def make(data_dir, said, **options):
    return build.build(data_dir, [], own={"my10": {"original": "synthetic10", **said}}, **options).loc["my10"].item()


@pytest.mark.parametrize("kind", ["pictures", "arrays", "batches"])
def test_a_set_of_ones_own_is_a_set_like_the_others(data_dir, tmp_path, kind):
    files, same = write(kind, tmp_path / "my"), write(kind, tmp_path / "same")
    assert make(data_dir, {"train": same, "test": files, "title": "Mine"}) == "written"
    dataset, order = datasets.load("my10", data_dir), np.argsort(LABELS, kind="stable")
    order = order if kind == "pictures" else np.arange(30)  # pictures are sorted by class
    for images, labels in ((dataset.train_images, dataset.train_labels), (dataset.test_images, dataset.test_labels)):
        np.testing.assert_array_equal(images, IMAGES[order])
        np.testing.assert_array_equal(labels, LABELS[order])
    assert (dataset.class_names, dataset.source) == (CLASSES, "Mine")
    assert datasets.available(data_dir, family="synthetic10") == ["synthetic10", "my10"]
    said = datasets.spec("my10", data_dir)
    assert (said.title, said.test_size, said.original) == ("Mine", 30, "synthetic10")
    assert inventory.parts(data_dir).loc[("my10", "test"), "title"] == "Mine"
    assert make(data_dir, {"train": same, "test": files, "title": "Mine"}) == "there already"
    assert make(data_dir, {"train": files}) == "replaced"  # another description: images for judges
    assert len(datasets.load("my10", data_dir).test_labels) == 0 and datasets.spec("my10", data_dir).train_size == 30
    assert datasets.available(data_dir, part="test") == ["synthetic10"]


def test_reports_know_sets_of_ones_own_with_a_test_part_alone_and_overlap_is_counted(data_dir, tmp_path, monkeypatch):
    for name in ("ORIGINALS", "TITLES", "CLASS_NAMES"):
        monkeypatch.setattr(datasets, name, dict(getattr(datasets, name)))
    original = datasets.load("synthetic10", data_dir)
    images = np.concatenate([original.train_images[:3], original.test_images[:2], IMAGES[:5], IMAGES[:1]])
    np.savez(tmp_path / "my.npz", images=images, labels=np.zeros(11, int))
    make(data_dir, {"test": str(tmp_path / "my.npz"), "title": "Mine"})
    build.build(data_dir, [], own={"judges": {"train": str(tmp_path / "my.npz"), "original": "synthetic10"}})
    datasets.know(data_dir)
    assert "judges" in datasets.TITLES and "judges" not in datasets.ORIGINALS
    assert list(answers._class_names("my10", 1)) == list(CLASSES)
    assert (datasets.ORIGINALS["my10"], datasets.TITLES["my10"]) == ("synthetic10", "Mine")
    overlaps, repeats = inventory.overlaps(data_dir)
    assert (overlaps["test"].loc["synthetic10", "my10"], repeats.loc["my10", "test"]) == (3, 1)
    assert overlaps["training"].loc["synthetic10", "judges"] == 3
    with pytest.raises(DatasetError, match="my10: Expected a data set to train on"):
        datasets.load("my10", data_dir)


def test_an_original_of_ones_own_has_its_own_classes(tmp_path):
    for name in ("a", "b"):
        write_pictures(tmp_path / name, IMAGES, LABELS % 2, names=("cat", "dog"))
    own = {
        "mine_b": {"test": str(tmp_path / "b"), "original": "mine_a"},
        "mine_a": {"test": str(tmp_path / "a"), "train": str(tmp_path / "b"), "classes": ["cat", "dog"]},
    }
    build.build(tmp_path / "data", [], own=own)
    assert datasets.available(tmp_path / "data", family="mine_a") == ["mine_a", "mine_b"]
    assert datasets.load("mine_a", tmp_path / "data").num_classes == 2


def test_pictures_of_any_mode_and_size_and_turned_photographs(data_dir, tmp_path):
    place, turned, ramp = tmp_path / "my" / "disc", Image.Exif(), np.zeros((64, 64, 3), np.uint8)
    place.mkdir(parents=True)
    GREY.save(place / "a.png")
    Image.fromarray(IMAGES[0]).convert("RGBA").save(place / "b.PNG")
    turned[0x0112], ramp[:32] = 6, 255  # to be shown turned by a quarter
    Image.fromarray(ramp).save(place / "c.jpg", exif=turned, quality=95)
    Image.fromarray(IMAGES[1].repeat(3, axis=0).repeat(2, axis=1)).save(place / "d.png")  # 96 × 64
    make(data_dir, {"test": str(tmp_path / "my"), "resize": "box"})
    images = datasets.load_test("my10", data_dir).images
    assert (images[0] == IMAGES[0, ..., :1]).all() and (images[[1, 3]] == IMAGES[[0, 1]]).all()
    assert images[2, :, 0].max() < 20 < 230 < images[2, :, -1].min()
    (place / "d.png").unlink()
    Image.fromarray(ramp[16:48, :32]).save(place / "c.jpg", exif=turned, quality=95)  # 32×32 pixels are turned too
    make(data_dir, {"test": str(tmp_path / "my")})
    image = datasets.load_test("my10", data_dir).images[2]
    assert image[:, 0].max() < 20 < 230 < image[:, -1].min()


def picture_of(name, write=lambda path: path.write_bytes(b"")):
    def change(folder):
        (folder / "in" / name).parent.mkdir(parents=True)
        write(folder / "in" / name)

    return change


def arrays(**content):
    return lambda folder: np.savez(folder / "in.npz", **content)


PNG = b"\x89PNG\r\n\x1a\n"
BATCH = pickle.dumps({"data": IMAGES, "labels": LABELS.tolist()}, 2)
REFUSED = {
    "no class": (picture_of("dics/1.png"), "in: .*'dics'"),
    "a text beside the classes": (picture_of("readme.txt"), "in: .*'readme.txt'"),
    "a text": (picture_of("disc/notes.txt"), r"disc/notes\.txt: "),
    "a cut picture": (picture_of("disc/1.png", lambda path: path.write_bytes(PNG)), r"disc/1\.png: "),
    "another format": (picture_of("disc/1.png", lambda path: GREY.save(path, "gif")), r"disc/1\.png: "),
    "a bomb": (picture_of("disc/1.png", lambda path: Image.new("1", (20_000, 20_000)).save(path)), r"disc/1\.png: "),
    "another size": (
        picture_of("disc/1.png", lambda path: Image.new("L", (64, 96)).save(path)),
        r"disc/1\.png: Expected .* 32×32 pixels\. Received: 64×96.*resize: box",
    ),
    "a pipe": (picture_of("disc/1.png", os.mkfifo), r"disc/1\.png: .*no regular"),
    "planes": (arrays(images=IMAGES.transpose(0, 3, 1, 2), labels=LABELS), r"in.npz: .*\(30, 3, 32, 32\)"),
    "few labels": (arrays(images=IMAGES, labels=LABELS[:5]), r"in.npz: .*\(30, 32, 32, 3\), not uint8 and \(5,"),
    "no image": (arrays(images=IMAGES[:0], labels=LABELS[:0]), r"in.npz: .*\(0, 32"),
    "a label too large": (arrays(images=IMAGES, labels=LABELS + 1), "in.npz: .*labels in 1…10"),
    "classes by name": (arrays(images=IMAGES, labels=np.array(CLASSES)[LABELS]), "in.npz: .*labels of type <U"),
    "other names": (arrays(pictures=IMAGES), "in.npz: .*images"),
    "objects": (arrays(images=np.array([os.system], object), labels=LABELS[:1]), "in.npz: .*Object arrays"),
    "a batch of four axes": (lambda folder: (folder / "in").write_bytes(BATCH), r"in: .*\(30, 32, 32, 3\)"),
}


@pytest.mark.parametrize(("write_files", "found"), REFUSED.values(), ids=REFUSED)
def test_other_files_are_named(data_dir, tmp_path, write_files, found):
    (tmp_path / "my").mkdir()
    write_files(tmp_path / "my")
    (path,) = (tmp_path / "my").iterdir()
    with pytest.raises(DatasetError, match=rf"{found}"):
        make(data_dir, {"test": str(path)})
    assert not (data_dir / "my10").exists()


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ([1], r"Expected own, such as \{my10: .*Received: \[1\]"),
        *[
            ({name: {}}, "own: Expected a small letter")
            for name in ("../a", "a/b", "<b>", "A", "", "cifar10", 3, "a" * 41)
        ],
        ({"my": "folder"}, "own, my: Expected values for test, train"),
        ({"my": {"test": "x", "tset": "x"}}, "own, my: .*`tset`"),
        ({"my": {"original": "synthetic10"}}, "own, my: .*neither test nor train"),
        ({"my": {"test": "", "original": "synthetic10"}}, "own, my: .*neither test nor train"),
        ({"my": {"test": ["p/x", "y"], "train": "./p/../p//x", "original": "cifar10"}}, "own, my: .*the same files"),
        ({"my": {"test": ["x", "./x"], "original": "cifar10"}}, "own, my: .*the same files"),
        ({"my": {"test": 3, "original": "cifar10"}}, "own, my: .*test`"),
        ({"my": {"test": "nowhere", "original": "synthetic10"}}, "nowhere: Expected"),
        ({"my": {"test": "x", "original": "cifar11"}}, "Unknown data set. .*'cifar11'"),
        ({"my": {"test": "x", "original": "my"}}, "own, my: .*no reproduction. Received: my"),
        ({"my": {"test": "x"}}, "own, my: .*not either original"),
        ({"my": {"test": "x", "classes": ["a", "a", "b"]}}, "own, my: .*a class twice"),
        ({"my": {"test": "x", "classes": [f"c{n}" for n in range(257)]}}, "own, my: .*classes`"),
        ({"my": {"test": "x", "original": "cifar10", "classes": ["a", "b"]}}, "own, my: .*not either original"),
        ({"my": {"test": "x", "original": "cifar10", "resize": "crop"}}, "own, my: .*'crop'"),
        ({"my": {"test": "x", "original": "cifar10", "title": "<b>"}}, "own, my: .*or one with <, >, & or .*title`"),
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_a_wrong_description_is_named_before_any_work(tmp_path, own, found):
    with pytest.raises(DatasetError, match=found):
        build.build(tmp_path / "data", [], own=own)
    assert not list(tmp_path.glob("data/*/training"))
