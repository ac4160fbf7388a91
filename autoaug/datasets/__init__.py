"""The data sets by name: their files, loading, channel statistics, and overlap between sets.

Every set lies in `data_dir/<name>/training/`, training and test batches together, in the format of `batch_file`. If
data_prep built the set, `manifest.json` in the same folder says where the images come from, and pixels and labels that
differ from the manifest are refused. A folder without a manifest is read as it is. A set of the user's own is known by
its manifest: `spec`, `available`, `originals`, `partners` and `title` take the folder of the data sets.
"""

from autoaug.datasets.batch_file import DatasetError
from autoaug.datasets.catalogue import (
    CLASS_NAMES,
    DATASETS,
    DESIGNS,
    EMBEDDED,
    JUDGES,
    KNOWN_TRUTH,
    ORIGINAL_TESTS,
    ORIGINALS,
    TEST_PARTS,
    TITLES,
    Spec,
    Truth,
)
from autoaug.datasets.images import channel_statistics, content_hash, image_hashes, overlap, repeated
from autoaug.datasets.loading import (
    Dataset,
    LabelledImages,
    available,
    know,
    load,
    load_test,
    originals,
    partners,
    read_images,
    require_trainable,
    spec,
    title,
    training_folder,
)

__all__ = [
    "CLASS_NAMES", "DATASETS", "DESIGNS", "EMBEDDED", "JUDGES", "KNOWN_TRUTH", "ORIGINALS", "ORIGINAL_TESTS",
    "TEST_PARTS", "TITLES", "Dataset", "DatasetError", "LabelledImages", "Spec", "Truth", "available",
    "channel_statistics", "content_hash", "image_hashes", "know", "load", "load_test", "originals", "overlap",
    "partners", "read_images", "repeated", "require_trainable", "spec", "title", "training_folder",
]  # fmt: skip
