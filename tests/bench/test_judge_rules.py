"""The competitors are what they claim to be: the Mann-Whitney one agrees with the labels that Kayenta publishes.

The metrics are those of Kayenta's own classifier suite (Apache-2.0), all pairs for its Mann-Whitney classifier with their
directions, rounded to three decimals; it classifies them with a tolerance of 10 % and a confidence of 95 %.
"""

from __future__ import annotations

import numpy as np
import pytest
from bench.judge_rules import mann_whitney

TEN = np.array(
    [
        9.777,
        10.587,
        7.838,
        9.324,
        8.377,
        8.936,
        8.271,
        9.748,
        11.624,
        9.275,
        8.154,
        10.562,
        13.498,
        11.054,
        6.954,
        12.521,
        9.022,
        4.923,
        11.251,
        11.598,
        8.435,
        11.110,
        10.701,
        8.921,
        10.086,
        11.421,
        9.379,
        7.798,
        10.623,
        11.910,
    ]
)
ALSO_TEN = np.array(
    [
        11.145,
        9.962,
        7.069,
        7.301,
        9.794,
        9.604,
        6.187,
        12.346,
        10.372,
        8.609,
        9.913,
        10.361,
        14.207,
        10.946,
        10.216,
        11.740,
        10.908,
        12.823,
        8.102,
        8.498,
        12.113,
        13.272,
        10.115,
        6.946,
        6.211,
        10.160,
        8.346,
        8.384,
        7.002,
        10.756,
    ]
)
TWENTY = np.array(
    [
        20.878,
        21.786,
        19.708,
        15.860,
        19.510,
        19.392,
        22.927,
        17.157,
        18.655,
        23.423,
        24.056,
        22.627,
        21.979,
        21.659,
        20.068,
        22.120,
        16.440,
        21.560,
        21.000,
        17.779,
        17.806,
        18.537,
        20.556,
        19.553,
        21.771,
        21.810,
        20.962,
        20.978,
        19.106,
        16.977,
    ]
)
ALSO_TWENTY = np.array(
    [
        20.758,
        22.802,
        20.612,
        20.973,
        23.469,
        21.531,
        21.767,
        18.308,
        19.062,
        25.879,
        18.983,
        19.388,
        18.995,
        24.228,
        20.051,
        18.234,
        17.871,
        23.058,
        18.400,
        16.971,
        19.467,
        17.905,
        17.554,
        16.105,
        24.382,
        15.919,
        20.479,
        19.083,
        17.456,
        18.854,
    ]
)


@pytest.mark.parametrize(
    ("canary", "control", "direction", "label"),
    [
        (TEN, ALSO_TEN, "either", "Pass"),
        (TWENTY, ALSO_TEN, "either", "High"),
        (TEN, ALSO_TWENTY, "either", "Low"),
        (TEN, ALSO_TWENTY, "increase", "Pass"),
        (TWENTY, ALSO_TEN, "decrease", "Pass"),
        (TWENTY, ALSO_TEN, "increase", "High"),
        (TEN, ALSO_TWENTY, "decrease", "Low"),
        (np.ones(3), np.ones(2), "decrease", "Pass"),
        (np.arange(1.0, 6), np.arange(5.0, 0, -1), "decrease", "Pass"),
        (np.array([0.0, 1, 1, 1, 1]), np.ones(5), "decrease", "Pass"),
        (np.array([]), np.arange(1.0, 6), "decrease", "Nodata"),
    ],
)
def test_it_agrees_with_kayentas_published_labels(
    canary: np.ndarray, control: np.ndarray, direction: str, label: str
) -> None:
    assert mann_whitney(canary, control, tolerance=0.10, confidence=0.95, direction=direction) == label


def test_minutes_without_operations_are_left_out() -> None:
    gaps = np.where(np.arange(30) % 3 == 0, np.nan, TWENTY)
    assert mann_whitney(gaps, ALSO_TEN) == "High"
    assert mann_whitney(np.full(30, np.nan), ALSO_TEN) == "Nodata"
