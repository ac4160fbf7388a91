"""The estimate is operations over 40 % of a rate, and says that it is one."""

import datetime

from autoaug import duration, recipes


def test_an_estimate_is_operations_over_a_share_of_the_peak():
    durations = duration.durations(15.7e12 * 0.4 * 3600)
    assert durations["NVIDIA V100 SXM2"] == datetime.timedelta(hours=1)
    assert durations["NVIDIA A100"] == datetime.timedelta(seconds=round(3600 * 15.7 / 19.5))
    text = duration.describe(15.7e12 * 0.4 * 3600)
    assert "V100 SXM2 1:00:00" in text and "Estimates for other hardware, not measured, at 40%" in text


def test_a_quick_run_gets_no_estimates_for_other_hardware():
    quick_run = recipes.TRAINING_FLOPS["quick"]["wrn"] * 5_120 * 10
    text = duration.describe(quick_run)
    assert text == f"To compute: {quick_run:.3g} floating-point operations."
    assert "NVIDIA T4" in duration.describe(recipes.TRAINING_FLOPS["paper"]["wrn"] * 8_000 * 10)


def test_compiling_takes_longer_the_more_variables_a_model_has():
    assert [duration.compiling(variables) for variables in (1, 37, 127, 265, 1_721)] == [1, 1, 3, 7, 50]
