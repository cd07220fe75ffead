"""Student's t and chi-square against scipy, on both sides of where their closed forms are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from scipy.stats import t as student

from eval.measures.distributions import chi_square_tail, student_quantile


@given(degrees=st.floats(min_value=1, max_value=1e6), confidence=st.floats(min_value=0.5, max_value=0.999))
def test_students_quantile_agrees_with_scipy(degrees: float, confidence: float) -> None:
    expected = student.ppf((1 + confidence) / 2, degrees)
    assert student_quantile(degrees, confidence) == pytest.approx(expected, rel=1e-8)


@given(statistic=st.floats(min_value=0, max_value=1e5), degrees=st.integers(min_value=1, max_value=300))
def test_the_chi_square_tail_agrees_with_scipy(statistic: float, degrees: int) -> None:
    assert chi_square_tail(statistic, degrees) == pytest.approx(chi2.sf(statistic, degrees), rel=1e-9, abs=1e-300)
