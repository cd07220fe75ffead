"""Student's t and chi-square, as far as every report needs them.

Both have a closed form where most reports are: many clusters, and an even number of degrees of freedom. The rest is
scipy's, which is imported only there: that takes as long as all else of a report of 1,000 items.
"""

import math
from statistics import NormalDist

_MANY_DEGREES = 100  # of freedom: from here on the series below is right to nine digits


def student_quantile(degrees: float, confidence: float) -> float:
    """Return how many standard errors an interval reaches to either side, by Student's t.

    Args:
        degrees: The degrees of freedom, above 0; a fraction where they are estimated.
        confidence: The confidence of the interval, between 0 and 1.

    Source:
        Abramowitz and Stegun 1964, Handbook of Mathematical Functions, formula 26.7.5: a series in 1 / degrees.
    """
    if degrees < _MANY_DEGREES:
        from scipy.special import stdtrit

        return float(-stdtrit(degrees, (1 - confidence) / 2))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return how likely a chi-square variable is to exceed a statistic.

    Args:
        statistic: At least 0.
        degrees: The degrees of freedom, at least 1.

    Source:
        Abramowitz and Stegun 1964, Handbook of Mathematical Functions, formula 26.4.21: with an even number of degrees
        it is the probability of fewer than degrees / 2 events of a Poisson variable with the mean statistic / 2.
    """
    if degrees % 2:
        from scipy.special import chdtrc

        return float(chdtrc(degrees, statistic))
    mean = statistic / 2
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(degrees // 2))
