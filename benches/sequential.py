"""Ending runs early: `python -m benches sequential [--runs N] [--items N …] [--systems N]`.

Systems that are equally good are simulated, and looked at after every group of items: the tables give the share of runs
in which any pair is ever told apart. Then it is counted how many items it takes to find a true difference, and how
often two real models, whose answers to an exam were recorded, are told apart in as many random orders. Nothing here
asks a model. A table is printed as soon as it is there.
"""

import argparse
import json
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np

from benches.items import data_folder
from benches.table import count, markdown_table, progress
from data.registry import load_items
from eval.measures.e_values import adjusted, stakes
from eval.measures.sequential import DIFFERENT_SHARE, MARGIN, Drawn, gains_by_group, pair_tests
from eval.measures.stats import LEVEL

DISCORDANCE = (0.02, 0.1, 0.3, 0.5)
ITEMS = (300, 3080, 9815)
SIZES = (1, 1, 2, 3, 4, 6)  # of groups, as in an exam
ALIKE = 0.5  # chance that an item of a group goes as the group does
AT_ONCE = 200  # runs: their capital stays in a core's cache
POWER = ((0.2, 0.08, 350), (0.2, 0.04, 1000), (0.1, 0.04, None), (0.3, 0.1, None))
RECORDED = ("2023_11_KICE-gpt4_baseline.txt", "2023_11_KICE-gpt3.5_baseline.txt")


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    options = _options(arguments)
    rng = np.random.default_rng(options.seed)
    _print_false(options.items, options.runs, rng)
    _print_family(options.items, options.runs, options.systems, rng)
    _print_power(options.runs, rng)
    _print_recorded(min(options.runs, 1000), rng)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches sequential")
    parser.add_argument("--runs", type=count, default=10_000, metavar="N", help="runs of each row; default: 10,000")
    parser.add_argument("--items", type=count, nargs="+", default=ITEMS, metavar="N", help="items of a run")
    parser.add_argument("--systems", type=count, default=4, metavar="N", help="of the family; default: 4")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    return parser.parse_args(arguments)


# ── False decisions of one pair ───────────────────────────────────────────────────────────────────────────────────────


def _print_false(items: Sequence[int], runs: int, rng: np.random.Generator) -> None:
    rows = []
    for n in items:
        for discordance in DISCORDANCE:
            alone = false_alone(n, discordance, runs, rng)
            grouped = false_in_groups(n, discordance, runs, rng)
            rows.append([f"{n:,}", f"{discordance:.0%}", f"{alone:.2%}", f"{grouped:.2%}"])
            progress(" ".join(rows[-1]))
    columns = ["items", "discordant", "false, items alone", "false, in groups"]
    print(f"Two equally good systems, {runs:,} runs a row, looked at after every group: decided at any time\n")
    print(markdown_table(columns, rows) + "\n")


def false_alone(n: int, discordance: float, runs: int, rng: np.random.Generator) -> float:
    """Return the share of runs in which the lead is ever so large that the pair is decided."""
    needed, false = least_leads(n), 0
    for start in range(0, runs, AT_ONCE):
        shape = min(AT_ONCE, runs - start), n
        won = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
        gains = np.where(rng.random(shape, dtype=np.float32) < discordance, won, 0)
        n_discordant = np.abs(gains).cumsum(axis=1, dtype=np.int32)
        lead = np.abs(gains.cumsum(axis=1, dtype=np.int32))
        false += int((lead >= needed[n_discordant]).any(axis=1).sum())
    return false / runs


@cache
def least_leads(n: int) -> np.ndarray:
    """Return the least lead that decides a pair of single items, after each number of discordant ones; (n + 1,).

    What it leads by rises with the number of items that it won, so it is found by halves.
    """
    u, money = stakes(1)
    n_discordant = np.arange(n + 1)
    low, high = n_discordant // 2, n_discordant + 1  # of the items won: the first decides nothing
    while (high - low > 1).any():
        won = (low + high) // 2
        logs = np.outer(won, np.log1p(u)) + np.outer(n_discordant - won, np.log1p(-u)) + np.log(money)
        is_enough = np.logaddexp.reduce(logs, axis=1) >= -np.log(LEVEL)
        low, high = np.where(is_enough, low, won), np.where(is_enough, won, high)
    leads: np.ndarray = 2 * high - n_discordant
    return leads


def false_in_groups(n: int, discordance: float, runs: int, rng: np.random.Generator) -> float:
    """Return the share of runs in which the capital of either side ever reaches 20."""
    sizes = _group_sizes(n, rng)
    u, money = stakes(max(SIZES))
    false = 0
    for start in range(0, runs, AT_ONCE):
        gains = _grouped_gains(sizes, discordance, min(AT_ONCE, runs - start), rng) / max(SIZES)
        capital, decided = np.ones((2, len(gains), len(u))), np.zeros(len(gains), dtype=bool)
        with np.errstate(over="ignore", under="ignore"):
            for column in gains.T:
                bet = column[:, None] * u
                capital[0] *= 1 + bet
                capital[1] *= 1 - bet
                decided |= ((capital @ money) >= 1 / LEVEL).any(axis=0)
        false += int(decided.sum())
    return false / runs


def _group_sizes(n: int, rng: np.random.Generator) -> np.ndarray:
    sizes = rng.choice(SIZES, size=n)
    return sizes[: int(np.searchsorted(sizes.cumsum(), n)) + 1]


def _grouped_gains(sizes: np.ndarray, discordance: float, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return (runs, n_groups) what a wins over b in each group: some items go as the group does, others alone."""
    shape = runs, len(sizes)
    sign = rng.integers(0, 2, shape) * 2 - 1
    of_group = np.where(rng.random(shape) < discordance, sign, 0)
    n_alike = rng.binomial(sizes, ALIKE, size=shape)
    n_discordant = rng.binomial(sizes - n_alike, discordance)
    gains: np.ndarray = of_group * n_alike + 2 * rng.binomial(n_discordant, 0.5) - n_discordant
    return gains


# ── False decisions of any pair of several systems ────────────────────────────────────────────────────────────────────


def _print_family(items: Sequence[int], runs: int, systems: int, rng: np.random.Generator) -> None:
    rows = []
    for n in items:
        table = e_table(n)
        for discordance in DISCORDANCE[1:]:
            false = sum(is_any_false(n, discordance, systems, table, rng) for _ in range(runs))
            rows.append([f"{n:,}", f"{discordance:.0%}", f"{false / runs:.2%}"])
            progress(" ".join(rows[-1]))
    pairs = systems * (systems - 1) // 2
    print(f"{systems} equally good systems ({pairs} pairs), {runs:,} runs a row: any pair decided at any time\n")
    print(markdown_table(["items", "discordant", "any false"], rows) + "\n")


def e_table(n: int) -> np.ndarray:
    """Return the e-value after (discordant items, lead) for single items, up to leads that decide any family."""
    u, money = stakes(1)
    most = int(8 * n**0.5) + 8
    table, leads = np.empty((n + 1, most + 1), dtype=np.float32), np.arange(most + 1)
    ahead = np.outer(leads, np.log1p(u) - np.log1p(-u)) / 2
    for n_discordant in range(n + 1):
        logs = ahead + n_discordant * (np.log1p(u) + np.log1p(-u)) / 2
        with np.errstate(over="ignore", under="ignore"):
            table[n_discordant] = np.exp(np.minimum(logs, 80)) @ money
    return table


def is_any_false(n: int, discordance: float, systems: int, table: np.ndarray, rng: np.random.Generator) -> bool:
    """Simulate systems that are right on half of the items, and answer many of them as all others do."""
    own = rng.random(n) < 2 * discordance  # where each answers by itself, two of them differ half of the time
    right = np.where(own, rng.integers(0, 2, (systems, n)), rng.integers(0, 2, n)).astype(np.int8)
    values = []
    for a, b in combinations(range(systems), 2):
        gains = right[a] - right[b]
        lead = np.abs(gains.cumsum(dtype=np.int32))
        values.append(table[np.abs(gains).cumsum(dtype=np.int32), np.minimum(lead, table.shape[1] - 1)])
    e_values = np.stack(values, axis=1)
    likely = DIFFERENT_SHARE * e_values.max(axis=1) >= 1 / LEVEL  # adjusting never raises an e-value
    return bool(likely.any() and (DIFFERENT_SHARE * adjusted(e_values[likely]) >= 1 / LEVEL).any())


# ── How soon a true difference is found ───────────────────────────────────────────────────────────────────────────────


def _print_power(runs: int, rng: np.random.Generator) -> None:
    rows = []
    for discordance, difference, wanted in POWER:
        n = int(10 * discordance / difference**2 * 3)
        found = np.concatenate([items_needed(n, discordance, difference, rng) for _ in range(0, runs, AT_ONCE)])
        quarters = [f"{np.quantile(found, share):,.0f}" for share in (0.25, 0.5, 0.9)]
        wished = "" if wanted is None else f"{wanted:,}"
        rows.append([f"{difference:.0%}", f"{discordance:.0%}", *quarters, wished, f"{(found < 0).mean():.2%}"])
    columns = ["difference", "discordant", "items, 25%", "median", "90%", "wanted", "wrong one"]
    print("One pair, items alone: items until it is decided\n")
    print(markdown_table(columns, rows) + "\n")


def items_needed(n: int, discordance: float, difference: float, rng: np.random.Generator) -> np.ndarray:
    """Return (AT_ONCE,) the items that it took; -1 where the worse one was found to be better."""
    shares = [(discordance - difference) / 2, 1 - discordance, (discordance + difference) / 2]
    gains = rng.choice(np.array([-1, 0, 1], dtype=np.int8), p=shares, size=(AT_ONCE, n))
    lead, n_discordant = (one.cumsum(axis=1, dtype=np.int32) for one in (gains, np.abs(gains)))
    is_decided = np.abs(lead) >= least_leads(n)[n_discordant]
    first = is_decided.argmax(axis=1)
    is_wrong = np.take_along_axis(lead, first[:, None], axis=1)[:, 0] < 0
    needed: np.ndarray = np.where(is_decided.any(axis=1), np.where(is_wrong, -1, first + 1), n)
    return needed


# ── Recorded answers of two models ────────────────────────────────────────────────────────────────────────────────────


def _print_recorded(orders: int, rng: np.random.Generator) -> None:
    folder = data_folder()
    if folder is None:
        progress("TUNE_OR_PROMPT_DATA names no folder of real data: no recorded answers")
        return
    gained, passages = recorded_gains(folder / "kice")
    rows = []
    for name, groups in (("the items of a passage", passages), ("each item", np.arange(len(gained)))):
        decided = [_in_random_order(gained, groups, rng) for _ in range(orders)]
        needed = [n for n in decided if n > 0]
        wrong = sum(n < 0 for n in decided)
        span = f"{np.median(needed):.0f} ({min(needed)}–{max(needed)})" if needed else "–"
        rows.append([name, f"{len(needed):,}", f"{wrong:,}", f"{orders - len(needed) - wrong:,}", span])
    won, lost = int((gained > 0).sum()), int((gained < 0).sum())
    print(
        f"GPT-4 and GPT-3.5 on {len(gained)} items of the exam of 2023, {won} won and {lost} lost, {orders:,} orders\n"
    )
    print(markdown_table(["one bet is", "GPT-4 better", "GPT-3.5 better", "not decided", "items where decided"], rows))


def _in_random_order(gained: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> int:
    """Return the items that it took to decide for the first system; below 0: for the second; 0: not decided."""
    n_groups = int(groups.max()) + 1
    ranks = rng.permutation(n_groups)[groups]
    drawn = Drawn(0, int(np.bincount(groups).max()), MARGIN / 100)
    (found,) = pair_tests([gains_by_group(gained, ranks, n_groups=n_groups)], drawn)
    return {"a": 1, "b": -1}.get(str(found.decided), 0) * (found.n_decided or 0)


def recorded_gains(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (n_items,) what GPT-4 gained on GPT-3.5 on each item of an exam, and the item's group."""
    labels = json.loads((folder / "recorded" / "labels.json").read_text(encoding="utf-8"))
    stated = [{one["key"]: one["label"] for one in labels[name]} for name in RECORDED]
    gained, groups, names = [], [], dict[str, int]()
    for number, item in enumerate(load_items("kice", split="2023", path=folder), start=1):
        one, other = (float(keys[str(number)] == item.target + 1) for keys in stated)
        gained.append(one - other)
        groups.append(names.setdefault(item.group, len(names)))
    return np.array(gained), np.array(groups)
