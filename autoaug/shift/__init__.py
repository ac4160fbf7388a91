"""From runs to statements with intervals: is the reproduced test set harder, or different?"""

from autoaug.shift.contrasts import Cells, Sides
from autoaug.shift.counts import accuracy_table, class_gaps, clean_counts, gap_table, most_lost
from autoaug.shift.intervals import Estimate, accuracy_interval, gap
from autoaug.shift.verdict import Outcome, Verdict, compare

__all__ = [
    "Cells",
    "Estimate",
    "Outcome",
    "Sides",
    "Verdict",
    "accuracy_interval",
    "accuracy_table",
    "class_gaps",
    "clean_counts",
    "compare",
    "gap",
    "gap_table",
    "most_lost",
]
