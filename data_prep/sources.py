"""Where the public files come from, read from `sources.yml`."""

import dataclasses
import pathlib

import yaml


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


_FILES = yaml.safe_load(pathlib.Path(__file__).with_name("sources.yml").read_text("utf-8"))
FILES = {name: tuple(Source(**file) for file in files) for name, files in _FILES.items()}
"""The files of each published set; the other sets are drawn from these (data_prep/build.py)."""

CINIC10_SHEETS = FILES.pop("cinic10_5k")

# Mean and standard deviation per channel of the training parts, as fractions of 255, as the research measured them on
# its own files (the reference's page). Its subsets were drawn with seeds that were not published.
REPORTED_STATISTICS = {
    "cifar102": ((0.50332078, 0.48892964, 0.45191514), (0.25841826, 0.25530315, 0.26965219)),
    "cifar10_10k": ((0.49341091, 0.48464332, 0.44945974), (0.24795955, 0.2443223, 0.26241769)),
    "cifar10_30k": ((0.49197699, 0.48254069, 0.4467944), (0.2469906, 0.24341879, 0.26154817)),
    "cifar102_30k": ((0.50125684, 0.48950628, 0.45377465), (0.25489271, 0.2515715, 0.26774696)),
}
