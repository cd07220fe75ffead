"""What a manifest says of a system: it is written as it was given, and what another version wrote is read."""

import json

import pytest

from eval.rundir.description import ChatModelDescription, Machine, SystemDescription, model_spec, role_of
from eval.rundir.priced_parts import is_api, place_of, priced_as
from eval.rundir.readable import readable_json
from tests.support.described import described

GIVEN = {
    "kind": "chain",
    "chain": "kice-rag",
    "retriever": {"name": "bm25", "embeddings": None, "k": 4, "of_tomorrow": True},
    "model": {"spec": "openai:m", "class": "ChatOpenAI", "base_url": "http://localhost:1/v1", "seed": 0},
    "of_tomorrow": {"any": ["thing", None]},
}


def test_it_is_written_as_it_was_given_with_what_nobody_here_reads() -> None:
    description = SystemDescription.model_validate_json(json.dumps(GIVEN), strict=True)
    assert description.as_json() == GIVEN
    assert json.loads(description.model_dump_json()) == GIVEN
    assert description == described(GIVEN)
    assert Machine(cpu="x").as_json() == {"cpu": "x"}


@pytest.mark.parametrize("odd", [object(), "half \ud800", float("inf")])
def test_what_no_file_can_hold_leaves_the_rest_as_it_was_given(odd: object) -> None:
    description = SystemDescription(kind="chain", model=ChatModelDescription(spec="openai:m", temperature=odd))
    read, text = readable_json(description, lambda text: text)
    assert json.loads(text).keys() == {"kind", "model"} and json.loads(text)["model"].keys() == {"spec", "temperature"}
    assert is_api(read)


def test_an_older_run_names_its_model_alone() -> None:
    older = described({"kind": "chain", "model": "openai:m"})
    assert (model_spec(older), is_api(older), place_of(older)) == ("openai:m", True, "API")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GIVEN, ("prompted", "API", "openai:m@http://localhost:1/v1")),
        (
            {"kind": "chain", "model": {"spec": "endpoint:m@http://h:1/v1"}},
            ("prompted", "endpoint", "endpoint:m@http://h:1/v1"),
        ),
        ({"kind": "chain", "model": {"spec": "smollm2", "device": None}}, ("prompted", "", "smollm2")),
        ({"kind": "runnable", "runnable": "RunnableLambda"}, ("prompted", "", None)),
        ({"kind": "checkpoint", "checkpoint": "c"}, ("trained", "", None)),
        ({}, ("baseline", "", None)),
    ],
)
def test_role_place_and_price_are_read_of_it(given: dict[str, object], said: tuple[object, ...]) -> None:
    description = described(given)
    assert (role_of(description), place_of(description), priced_as(description)) == said
