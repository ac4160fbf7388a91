"""What the report says in words, generated from the numbers with their intervals."""

from autoaug.report.page import percent

NOTHING = (
    "No finished run yet. Train one with `papermill notebooks/train.ipynb -p model wrn`, "
    "or run the whole study with `make report`."
)
TRUTH = {"synthetic10_harder": "hardness", "synthetic10_different": "difference"}  # by construction


def answer(decompositions, accuracies, gaps, confidence):
    """The answer so far: what the gap to each reproduction consists of; before that, of one run what it loses.

    Args:
        decompositions: list of (reproduction, kind of runs, `decomposition.Decomposition` of all families).
        accuracies, gaps, confidence: as for `headline`.
    """
    real = [_capital(finding(*found)) for found in decompositions if found[0] not in TRUTH]
    known = [found for found in decompositions if found[0] in TRUTH]
    sentences = [*real]
    if known:
        right = all(names_the_truth(name, part) for name, _, part in known)
        verdict = (
            "the method finds it" if right else "the method does not find it, and its answers are not to be trusted"
        )
        opening = "" if real else "No reproduction of CIFAR-10 has been compared yet. "
        sentences.append(
            f"{opening}Where the truth is known by construction, {verdict}: {'; '.join(map(_found, known))}."
        )
    return " ".join(sentences) or headline(accuracies, gaps, confidence)


def _found(found):
    return finding(*found).rstrip(".")


def _capital(sentence):
    return sentence[0].upper() + sentence[1:]


def finding(reproduction, sort, part):
    """What a gap consists of, in a sentence."""
    gap = part.gap
    ends = f"{percent(min(abs(gap.low), abs(gap.high)))} to {percent(max(abs(gap.low), abs(gap.high)))}"
    if gap.low <= 0 <= gap.high:
        return f"On {reproduction} {sort} models lose nothing that chance would not explain ({_ends(gap)} points)."
    verb = "lose" if gap.value > 0 else "gain"
    lost = f"of the {percent(abs(gap.value))} points ({ends}) that {sort} models {verb} on {reproduction}"
    share, low, high = part.share
    if low > 0.5:
        return f"{lost}, {percent(share)} % ({percent(low)} to {percent(high)}) is hardness."
    if high < 0.5:
        return f"{lost}, {percent(1 - share)} % ({percent(1 - high)} to {percent(1 - low)}) is difference."
    return f"{lost}, {percent(share)} % is hardness, but with {percent(low)} to {percent(high)} either may prevail."


def names_the_truth(reproduction, part):
    """Whether the interval of hardness's share excludes one half on the side of what is known to be true."""
    return part.share.low > 0.5 if TRUTH[reproduction] == "hardness" else part.share.high < 0.5


def headline(accuracies, gaps, confidence=0.95):
    """The numbers in a sentence: of one run, its accuracy on its own test set and its gaps to the others.

    The run is a paper or imported one before a quick one, and of these the most accurate on its own test set.

    Args:
        accuracies: from `shift.accuracy_table`, with the columns of `records.collect`.
        gaps: from `shift.gap_table`.
        confidence: of the intervals in both.
    """
    if accuracies.empty:
        return NOTHING
    own = accuracies[accuracies["test_set"] == accuracies["train_data"]]
    candidates = accuracies if own.empty else own
    order = candidates.assign(quick=candidates["sort"] == "quick")
    lead = next(order.sort_values(["quick", "accuracy"], ascending=[True, False]).itertuples())
    interval = f"{percent(lead.accuracy)} % ({100 * confidence:g} % interval {_ends(lead)})"
    sentence = f"{lead.model}, trained on {lead.train_data} ({lead.sort}), gets {interval}"
    sentence += f" of the {lead.test_set} test images right"
    lost = gaps[gaps["run_id"] == lead.run_id]
    if lost.empty:
        return sentence + "; there is no second test set to compare with yet."
    return sentence + ", " + ", ".join(_lost(gap) for gap in lost.itertuples()) + "."


def _ends(row, sign=1):
    low, high = sorted((sign * row.low, sign * row.high))
    return f"{percent(low)} to {percent(high)}"


def _lost(gap):
    """`40.0 points (37.5 to 42.5) fewer on harder`, or that the interval holds no loss and no gain apart."""
    if gap.low <= 0 <= gap.high:
        return f"about as many on {gap.test_set} ({_ends(gap, -1)} points)"
    word, sign = ("fewer", 1) if gap.gap > 0 else ("more", -1)
    return f"{percent(abs(gap.gap))} points ({_ends(gap, sign)}) {word} on {gap.test_set}"


def sorts_of_runs(runs):
    """What kind of runs the numbers come from, in a sentence or two; empty for no runs."""
    sorts = runs.drop_duplicates("run_id")["sort"]
    meaning = {
        "paper": "the published recipe",
        "imported": "weights trained elsewhere, evaluated here",
        "quick": "the same architecture made small and trained briefly: not comparable with published accuracies",
    }
    counts = [(sorts.eq(sort).sum(), sort, text) for sort, text in meaning.items()]
    parts = [f"{count} {sort} {'run' if count == 1 else 'runs'} ({text})" for count, sort, text in counts if count]
    return f"Measured in {', '.join(parts)}." if parts else ""
