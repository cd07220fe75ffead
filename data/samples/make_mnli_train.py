"""Writes `mnli_sample_train.jsonl`: 3,000 pairs made from templates, for the demo's encoder to learn from.

    python data/samples/make_mnli_train.py            # the same bytes every time: the seed is fixed

A premise is a scene (who did what, how many, where, when). Its hypothesis keeps, weakens or generalizes the scene
(entailment), changes one thing in it so that both cannot be true (contradiction), or adds something that the scene
leaves open (neutral). Each way of making a hypothesis is used with every scene, so that no single word gives the
label away. No pair, premise or hypothesis of `mnli_sample.jsonl` occurs. Template text is narrow: what an encoder
learns from it says little about what it would learn from real pairs, which is why the demo's table shows the score.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PAIRS = 3_000
SEED = 20_231_116
FOLDER = Path(__file__).parent

# actor → what they are in general
ACTORS = {
    "the nurse": "a hospital worker",
    "the violinist": "a musician",
    "the carpenter": "a craftsman",
    "my aunt": "a relative",
    "the mayor": "a politician",
    "the goalkeeper": "an athlete",
    "the baker": "a tradesman",
    "our landlord": "the owner of the house",
    "the astronomer": "a scientist",
    "the taxi driver": "a driver",
    "the novelist": "a writer",
    "the twins": "two siblings",
    "the farmer": "someone who works the land",
    "her cousin": "a member of her family",
    "the librarian": "someone who works with books",
    "the tourists": "some travellers",
}
# (did, do, did in other words, did the opposite)
VERBS = [
    ("bought", "buy", "paid for", "gave away"),
    ("repaired", "repair", "mended", "broke"),
    ("found", "find", "came across", "lost"),
    ("praised", "praise", "spoke well of", "criticized"),
    ("remembered", "remember", "did not forget", "forgot"),
    ("accepted", "accept", "said yes to", "turned down"),
    ("hid", "hide", "put out of sight", "put on show"),
    ("finished", "finish", "completed", "abandoned"),
    ("borrowed", "borrow", "took for a while", "lent out"),
    ("cleaned", "clean", "washed", "dirtied"),
]
# things → what they are in general
THINGS = {
    "violins": "instruments",
    "apples": "fruit",
    "hammers": "tools",
    "novels": "books",
    "roses": "flowers",
    "maps": "documents",
    "sofas": "furniture",
    "bicycles": "vehicles",
    "rings": "jewellery",
    "coats": "clothes",
    "portraits": "pictures",
    "cups": "dishes",
}
PLACES = {"in Lisbon": "in Oslo", "at home": "at the office", "in the attic": "in the cellar", "indoors": "outside",
          "on the island": "on the mainland", "at the station": "at the airport"}  # fmt: skip
TIMES = {"before breakfast": "after dinner", "on Monday": "on Friday", "last winter": "last summer",
         "at dawn": "at midnight", "in 1998": "in 2007", "during the war": "after the war"}  # fmt: skip
NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"]
MOTIVES = ["to please a friend", "because of a bet", "for the first time", "without telling anyone",
           "for less than expected", "with a neighbour's help", "in a hurry", "for a museum"]  # fmt: skip
SIDE_FACTS = ["{a} had grown up abroad", "{a} had slept badly", "the {t} were older than they looked",
              "the {t} had belonged to a king", "{a} hoped to become famous", "the weather was unusually mild",
              "{a} told the story many times", "the {t} came from another country"]  # fmt: skip


class Scene(NamedTuple):
    """Who did what to how many of which things, where and when; `fewer` < `number` are left for comparisons."""

    actor: str
    verb: tuple[str, str, str, str]
    things: str
    others: str
    number: str
    fewer: str
    place: str
    time: str


Maker = Callable[[Scene, random.Random], str]


def draw_scene(rng: random.Random) -> Scene:
    """Draw a scene in which every part is a free choice, except that `number` is the larger one."""
    things, others = rng.sample(sorted(THINGS), 2)
    low, high = sorted(rng.sample(range(len(NUMBERS)), 2))
    return Scene(
        actor=rng.choice(sorted(ACTORS)),
        verb=rng.choice(VERBS),
        things=things,
        others=others,
        number=NUMBERS[high],
        fewer=NUMBERS[low],
        place=rng.choice(sorted(PLACES)),
        time=rng.choice(sorted(TIMES)),
    )


# Each way of telling the scene says all of it, so that every hypothesis can be judged from any of them.
PREMISES: list[Maker] = [
    lambda s, _: f"{s.actor} {s.verb[0]} {s.number} {s.things} and {s.fewer} {s.others} {s.place} {s.time}",
    lambda s, _: f"{s.time}, {s.place}, {s.actor} {s.verb[0]} {s.number} {s.things} but only {s.fewer} {s.others}",
    lambda s, _: f"it was {s.place} that {s.actor} {s.verb[0]} {s.fewer} {s.others} and {s.number} {s.things} {s.time}",
    lambda s, _: f"{s.actor}, who was {s.place} {s.time}, {s.verb[0]} {s.number} {s.things} and {s.fewer} {s.others}",
    lambda s, _: (
        f"uh {s.time} i think {s.actor} {s.verb[0]} like {s.number} {s.things} and {s.fewer} {s.others} {s.place}"
    ),
]
HYPOTHESES: dict[str, list[Maker]] = {
    "entailment": [
        lambda s, _: f"{s.actor} {s.verb[0]} some {s.things}",
        lambda s, _: f"{s.actor} {s.verb[0]} {s.number} {s.things}",
        lambda s, _: f"{ACTORS[s.actor]} {s.verb[0]} {s.things}",
        lambda s, _: f"{s.actor} {s.verb[2]} {s.others}",
        lambda s, _: f"{s.actor} {s.verb[0]} {THINGS[s.things]}",
        lambda s, _: f"{s.actor} {s.verb[0]} more {s.things} than {s.others}",
        lambda s, _: f"there were {s.others} that {s.actor} {s.verb[0]} {s.time}",
        lambda s, _: f"{s.actor} {s.verb[2]} not only {s.things} but also {s.others}",
        lambda s, _: f"{s.things} were {s.place} {s.time}",
        lambda s, _: f"{s.actor} did not {s.verb[1]} fewer {s.things} than {s.others}",
    ],
    "contradiction": [
        lambda s, _: f"{s.actor} {s.verb[3]} the {s.things}",
        lambda s, _: f"{s.actor} {s.verb[0]} just {s.fewer} {s.things}",
        lambda s, _: f"{s.actor} {s.verb[0]} as many {s.others} as {s.things}",
        lambda s, _: f"{s.actor} {s.verb[0]} fewer {s.things} than {s.others}",
        lambda s, _: f"{s.actor} did not {s.verb[1]} any {s.others}",
        lambda s, _: f"nobody {s.verb[0]} {s.things} {s.time}",
        lambda s, _: f"it was {TIMES[s.time]} that {s.actor} {s.verb[0]} the {s.things}",
        lambda s, _: f"{s.actor} was {PLACES[s.place]} {s.time}",
        lambda s, _: f"{s.actor} {s.verb[2]} {s.things} but no {s.others}",
        lambda s, _: f"all of the {s.things} were {PLACES[s.place]} {s.time}",
    ],
    "neutral": [
        lambda s, r: f"{s.actor} {s.verb[0]} the {s.things} {r.choice(MOTIVES)}",
        lambda s, r: f"{s.actor} {s.verb[2]} some {s.others} {r.choice(MOTIVES)}",
        lambda s, r: r.choice(SIDE_FACTS).format(a=s.actor, t=s.things),
        lambda s, r: r.choice(SIDE_FACTS).format(a=s.actor, t=s.others),
        lambda s, r: f"{s.actor} often {s.verb[0]} {r.choice(sorted(set(THINGS) - {s.things, s.others}))}",
        lambda s, r: (
            f"most of the {s.number} {s.things} were {r.choice(['red', 'new', 'heavy', 'expensive', 'small'])}"
        ),
        lambda s, r: f"{s.actor} did not {s.verb[1]} any {s.things} {TIMES[s.time]}",
        lambda s, r: f"nobody else {s.verb[0]} more {s.things} than {s.actor}",
        lambda s, r: f"{s.actor} had never been {s.place} until then",
        lambda s, r: f"{s.actor} liked the {s.things} more than the {s.others}",
    ],
}


def make_pairs(n: int, seed: int) -> list[dict[str, str]]:
    """Make `n` different pairs, the labels in equal shares and in random order."""
    rng = random.Random(seed)  # noqa: S311  # text, not secrets
    labels = [label for label in HYPOTHESES for _ in range(n // len(HYPOTHESES))]
    rng.shuffle(labels)
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for label in labels:
        while True:
            scene = draw_scene(rng)
            premise, hypothesis = (rng.choice(makers)(scene, rng) for makers in (PREMISES, HYPOTHESES[label]))
            if (premise, hypothesis) not in pairs:
                break
        pairs[premise, hypothesis] = {
            "premise": _sentence(premise),
            "hypothesis": _sentence(hypothesis),
            "label": label,
            "genre": "template",
        }
    return list(pairs.values())


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


if __name__ == "__main__":
    lines = [json.dumps(pair, ensure_ascii=False) for pair in make_pairs(PAIRS, SEED)]
    (FOLDER / "mnli_sample_train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
