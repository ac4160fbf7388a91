"""How often the statements are made, and the intervals hold the truth, in simulated worlds whose truth is known.

    python tests/benchmarks/rates.py [studies] [seed] [part of a world's name …]     # the docs have 4000 11

The truth of θ, and of θ within strata, is the mean of 5 studies of 200,000 images.
"""

import concurrent.futures
import pathlib
import sys

import numpy as np

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "helpers")]
from shift_worlds import WORLDS  # noqa: E402

from autoaug.shift import compare  # noqa: E402
from autoaug.shift.verdict import NEGLIGIBLE  # noqa: E402

NAMES = ("world", "AA AB BA BB", "harder", "θ > 0", "different", "not harder", "not different", "difficulty off")
HEAD = f"| {' | '.join((*NAMES, 'θ', 'holds', 'within', 'holds'))} |"


def draw(world, studies, seed):
    """The verdicts on some studies of a world, and its accuracies in percent."""
    rng, verdicts, accuracies = np.random.default_rng(seed), [], []
    for _ in range(studies):
        study = world.study(rng)
        verdicts.append(compare([study.family], 0.95, rng, study.judges, study.labels))
        accuracies.append([100 * right.mean() for right in study.family])
    return verdicts, np.mean(accuracies, axis=0)


def truths(world):
    """θ and θ within strata."""
    large, _ = draw(world.__class__(**{**vars(world), "images": 200_000, "images_a": None, "runs": 6}), 5, 99)
    return np.mean([(verdict.home.value, verdict.home_within.value) for verdict in large], axis=0)


def row(name, studies, seed):
    """The line of a world: rates in percent, θ in points."""
    verdicts, accuracies = draw(WORLDS[name], studies, seed)

    def rate(holds):
        return f"{100 * np.mean([bool(holds(verdict)) for verdict in verdicts]):.1f}"

    home, within = truths(WORLDS[name])
    columns = [
        " ".join(f"{accuracy:.1f}" for accuracy in accuracies),
        rate(lambda verdict: verdict.harder),
        rate(lambda verdict: verdict.home.low > 0),
        rate(lambda verdict: verdict.different),
        rate(lambda verdict: verdict.gap_at_most < NEGLIGIBLE),
        rate(lambda verdict: verdict.home_at_most < NEGLIGIBLE),
        rate(lambda verdict: min(verdict.home_at_most, verdict.home_within_at_most) < NEGLIGIBLE),
        f"{100 * home:.2f}",
        rate(lambda verdict: verdict.home.low <= home <= verdict.home.high),
        f"{100 * within:.2f}",
        rate(lambda verdict: verdict.home_within.low <= within <= verdict.home_within.high),
    ]
    return f"| {name} | {' | '.join(columns)} |"


def main():
    """Print the table."""
    studies, seed, *parts = sys.argv[1:] + ["4000", "11"][len(sys.argv) - 1 :]
    names = [name for name in WORLDS if not parts or any(part in name for part in parts)]
    print(HEAD, "|---" * HEAD.count(" |") + "|", sep="\n", flush=True)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for line in pool.map(row, names, [int(studies)] * len(names), [int(seed)] * len(names)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
