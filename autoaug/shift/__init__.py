"""From runs to statements with intervals: is the reproduced test set harder, or different?"""

from autoaug.shift.counts import accuracy_table, class_gaps, clean_counts, gap_table
from autoaug.shift.intervals import Estimate, accuracy_interval, gap

__all__ = ["Estimate", "accuracy_interval", "accuracy_table", "class_gaps", "clean_counts", "gap", "gap_table"]
