"""Where the public files come from, read from `sources.yml`."""

import dataclasses
import pathlib

import msgspec


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
        content: part of CIFAR-10 → `datasets.content_hash` of its images and labels in order, if known.
    """

    title: str
    file: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    folder: str = ""
    members: dict[str, str] = dataclasses.field(default_factory=dict)
    content: dict[str, str] = dataclasses.field(default_factory=dict)


FILES = msgspec.yaml.decode(pathlib.Path(__file__).with_suffix(".yml").read_bytes(), type=dict[str, tuple[Source, ...]])
"""The files of each published set; the other sets are drawn from these (data_prep/build.py)."""

CINIC10_SHEETS = FILES.pop("cinic10_5k")
