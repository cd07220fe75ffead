"""The name of a data set on the hub: its parts, and what is no such name."""

import pytest

from data.card import is_task, name_of
from data.common.errors import ConfigurationError
from data.hub_name import HubName, is_hub_name

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hf:nyu-mll/glue", HubName("nyu-mll/glue")),
        ("hf:imdb", HubName("imdb")),
        ("hf:nyu-mll/glue:mnli@main", HubName("nyu-mll/glue", "mnli", "main")),
        ("hf:a/b.c_d@refs/convert/parquet", HubName("a/b.c_d", None, "refs/convert/parquet")),
        (
            f"hf:a/b:20220301.en@{COMMIT}#validation_matched",
            HubName("a/b", "20220301.en", COMMIT, "validation_matched"),
        ),
        ("hf:a/b#test", HubName("a/b", split="test")),
    ],
)
def test_a_name_is_read_and_written_as_it_was(text: str, name: HubName) -> None:
    assert HubName.parse(text) == name
    assert str(name) == text
    assert is_task(text)


@pytest.mark.parametrize("text", ["hf:", "hf:a/b/c", "hf:a/b:", "hf:a/b@x:mnli", "hf:a/b#test@main", "hf:a b", "hf:/a"])
def test_what_has_another_form_is_refused_with_the_right_one(text: str) -> None:
    assert is_hub_name(text)
    with pytest.raises(ConfigurationError, match="write hf:ORG/NAME, and behind it what is needed of :CONFIG"):
        HubName.parse(text)


def test_only_a_commit_with_its_configuration_means_the_same_rows_for_ever() -> None:
    assert HubName("a/b", "c", COMMIT).is_pinned
    for name in (HubName("a/b", "c", "main"), HubName("a/b", None, COMMIT), HubName("a/b", "c", COMMIT[:12])):
        assert not name.is_pinned


def test_a_task_is_called_after_its_data_set() -> None:
    assert name_of("hf:nyu-mll/glue:mnli@main") == "glue-mnli"
    assert name_of("hf:SetFit/sst2") == name_of(f"hf:SetFit/sst2:default@{COMMIT}") == "sst2"
