"""From runs to statements with intervals: is the reproduced test set harder, or different?"""

from autoaug.shift.contrasts import Cells, Sides
from autoaug.shift.intervals import Estimate, accuracy_interval, gap
from autoaug.shift.verdict import Verdict, compare, said

__all__ = ["Cells", "Estimate", "Sides", "Verdict", "accuracy_interval", "compare", "gap", "said"]
