"""The law by which a server's limits are learnt, against simulated servers on a clock of their own."""

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from httpx import Headers

from eval.execution.rate_control import RateControl
from eval.execution.stated_limits import limit_reset_s
from tests.support.rate_simulation import (
    NO_HEADER,
    AtOnce,
    Changing,
    Noise,
    Outage,
    Refusal,
    Server,
    Simulation,
    SlidingWindow,
    TokenBucket,
)

SEEDS = range(3)
WINDOW = 600, 60.0
SECOND = Refusal(retry_after_s=1.0)


def slow(chance: random.Random) -> float:
    """A large model's latency: 2 s, give or take."""
    return 1 + chance.expovariate(1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("share", "most"), [(0.05, 1.2), (0.1, 1.4), (0.2, 1.6)])
@pytest.mark.parametrize("refusal", [SECOND, NO_HEADER], ids=["Retry-After", "no header"])
def test_refusals_that_hit_any_call_slow_nothing_down(seed: int, share: float, most: float, refusal: Refusal) -> None:
    without = Simulation(Noise(0.0), items=2000, seed=seed)
    noisy = Simulation(Noise(share, refusal), items=2000, seed=seed)
    assert without.refused_share == 0 and without.control.rate is None
    assert len(noisy.answered) == 2000
    assert noisy.all_but_the_last_s < most * without.all_but_the_last_s
    assert noisy.control.rate is None and noisy.control.limit == 32, "no limit is taken for one"
    assert noisy.control.noise == pytest.approx(share, abs=0.5 * share)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("refused", [SECOND, NO_HEADER, None], ids=["a second", "no header", "to the moment"])
@pytest.mark.parametrize("threads", [32, 64])
def test_a_sliding_window_is_found_and_used(seed: int, refused: Refusal | None, threads: int) -> None:
    run = Simulation(SlidingWindow(*WINDOW, refused=refused), items=3000, threads=threads, seed=seed)
    assert len(run.answered) == 3000
    assert run.seconds < 300 / 0.95, "five windows' worth: the first one is used up at once, the last is not waited for"
    assert all(run.taken_between(60 * n, 60 * n + 60) >= 9.5 for n in range(1, 4))
    assert run.refused_share < 0.03
    assert max(run.faults.values(), default=0) <= 2, "what a limit refuses is not held against the item"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("server", "least"),
    [
        (lambda: SlidingWindow(60, 6.0, SECOND), 0.9),
        (lambda: SlidingWindow(100, 10.0, Refusal(0.2)), 0.95),
        (lambda: TokenBucket(10.0, 20.0, SECOND), 0.93),
        (lambda: TokenBucket(10.0, 600.0, SECOND), 0.95),
        (lambda: TokenBucket(10.0, 1.0, None), 0.85),
    ],
    ids=["60 in 6 s", "100 in 10 s", "bucket of 20", "bucket of 600", "bucket of 1"],
)
def test_a_limit_of_ten_a_second_is_used_whatever_its_form(
    seed: int, server: Callable[[], Server], least: float
) -> None:
    run = Simulation(server(), items=1800, seed=seed)
    assert len(run.answered) == 1800
    assert run.taken_between(run.seconds / 2, run.seconds) >= least * 10
    assert run.refused_share < 0.04


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("refusal", [SECOND, NO_HEADER], ids=["Retry-After", "no header"])
@pytest.mark.parametrize("most", [8, 30])
def test_a_limit_on_calls_in_flight_is_found_and_used(seed: int, refusal: Refusal, most: int) -> None:
    items = 60 * most
    run = Simulation(AtOnce(most, refusal), items=items, latency_s=slow, seed=seed)
    assert len(run.answered) == items
    assert run.seconds < 2 * items / most / 0.9, "each takes 2 s"
    assert run.refused_share < 0.05
    assert run.control.rate is None and run.control.limit in (most, most + 1), "it is none on time"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_limit_is_found_behind_noise(seed: int) -> None:
    run = Simulation(Noise(0.1, SECOND, SlidingWindow(*WINDOW, refused=SECOND)), items=3000, seed=seed)
    assert len(run.answered) == 3000
    assert run.seconds < 300 / 0.9
    assert run.refused_share < 0.1 + 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_a_limit_that_falls_and_rises_again_is_followed(seed: int) -> None:
    few, many = SlidingWindow(300, 60.0, SECOND), SlidingWindow(*WINDOW, refused=SECOND)
    server = Changing([(0.0, SlidingWindow(*WINDOW, refused=SECOND)), (180.0, few), (480.0, many)])
    run = Simulation(server, items=5400, seed=seed)
    assert len(run.answered) == 5400
    assert run.taken_between(60, 180) >= 0.95 * 10
    assert run.taken_between(300, 480) >= 0.9 * 5
    assert run.taken_between(780, run.seconds) >= 0.93 * 10
    assert run.refused_share < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_that_stops_limiting_gets_all_calls_again(seed: int) -> None:
    run = Simulation(Changing([(0.0, SlidingWindow(60, 6.0, SECOND)), (60.0, Noise(0.0))]), items=9000, seed=seed)
    assert len(run.answered) == 9000
    assert run.taken_between(run.seconds - 10, run.seconds) > 100, "as many as the client can make"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stated", [True, False])
def test_no_call_is_sent_before_the_server_asks_for_it(seed: int, stated: bool) -> None:
    run = Simulation(Outage(5.0, 25.0, stated), items=1200, seed=seed)
    assert len(run.answered) == 1200
    assert not [call for call in run.sent if 5.1 < call.at < 25]
    refused = len(run.sent) - len(run.answered)
    assert refused <= (3 if stated else 10), "a limit that its headers state is known by the first refusal"
    assert run.seconds < 60, "it goes on at the rate of before, the wait included, and then faster"


def test_a_stated_limit_blocks_at_the_first_refusal() -> None:
    control = RateControl(8)
    call = control.send(0.0)
    control.end(call, 0.1, refused=True, retry_after_s=20.0, stated=True)
    assert call.limited
    assert control.delay_s(0.2) == pytest.approx(19.9)
    assert control.delay_s(20.2) == 0
    probe = control.send(20.2)
    assert control.delay_s(20.3) > 0, "one call, until it is known how it went"
    control.end(probe, 20.6, refused=False)
    assert control.block is None


def test_a_single_refusal_blocks_nothing_and_frees_its_place() -> None:
    control = RateControl(2)
    kept, refused = control.send(0.0), control.send(0.0)
    assert control.delay_s(0.1) == float("inf"), "two are in flight"
    control.end(refused, 0.1, refused=True, retry_after_s=20.0)
    assert control.delay_s(0.1) == 0
    assert not refused.limited and control.in_flight == 1
    control.end(kept, 0.2, refused=False)
    control.end(kept, 0.3, refused=False)  # its item was given up as well
    assert control.in_flight == 0


class Limited(Exception):
    """A 429 with headers."""

    def __init__(self, **headers: str) -> None:
        super().__init__("slow down")
        self.status_code = 429
        self.response = SimpleNamespace(
            headers=Headers({name.replace("_", "-"): said for name, said in headers.items()})
        )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "6.5s"}, 6.5),
        ({"X_RateLimit_Remaining_Tokens": "0", "X_RateLimit_Reset_Tokens": "1m2s"}, 60),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "120ms"}, 0.12),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "7"}, 7),
        (
            {
                "anthropic_ratelimit_requests_remaining": "0",
                "anthropic_ratelimit_requests_reset": "2000-01-01T00:00:00Z",
            },
            0,
        ),
        ({"x_ratelimit_remaining": "0.0", "x_ratelimit_reset": "soon"}, 0),
        ({"x_ratelimit_remaining": "0"}, 0),
        (
            {
                "x_ratelimit_remaining_requests": "12",
                "x_ratelimit_reset_requests": "50s",
                "x_ratelimit_remaining_tokens": "0",
                "x_ratelimit_reset_tokens": "3s",
            },
            3,
        ),
        ({"x_ratelimit_remaining_requests": "12", "x_ratelimit_reset_requests": "50s"}, None),
        ({"retry_after": "3"}, None),
        ({}, None),
    ],
)
def test_what_headers_state_of_a_limit(headers: dict[str, str], seconds: float | None) -> None:
    assert limit_reset_s(Limited(**headers)) == seconds
