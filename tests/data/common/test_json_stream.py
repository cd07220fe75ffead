"""A JSON file that is read part by part says what the whole of it says, and is refused where it is damaged."""

import io
import json
import tracemalloc
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.common.json_stream import first_names, stream_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Drops(io.StringIO):
    """Text of which each read gives a few characters, wherever a value ends."""

    def read(self, size: int | None = -1) -> str:
        return super().read(min(size or 3, 3))


@given(rows=st.lists(VALUES, max_size=4), before=VALUES, behind=VALUES, indent=st.sampled_from([None, 2]))
def test_the_parts_are_those_of_the_whole(
    rows: list[object], before: object, behind: object, indent: int | None
) -> None:
    whole = {"a": before, "within": {"n": 1, "rows": rows, "z": behind}, "last": behind}
    for text in (json.dumps(whole, indent=indent), json.dumps(whole, ensure_ascii=False)):
        parts = list(stream_json(Drops(text), ("within", "rows")))
        assert [value for path, value in parts if path == ("within", "rows")] == rows
        others = [(path, value) for path, value in parts if path != ("within", "rows")]
        assert others == [(("a",), before), (("within", "n"), 1), (("within", "z"), behind), (("last",), behind)]


def test_a_list_alone_and_numbers_of_other_tools_are_read() -> None:
    assert [value for _, value in stream_json(io.StringIO(" [1, -Infinity] "), ())] == [1, float("-inf")]
    parts = dict(stream_json(io.StringIO('{"rows": null, "n": NaN}'), ("rows",)))
    assert parts[("rows",)] is None and parts[("n",)] != parts[("n",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"rows": [1, {"a": "b', "cut off"),
        ('{"rows": [1, 2', "cut off"),
        ('{"rows": [1, 2]', "cut off"),
        ("", "cut off"),
        ('{"rows": [1 2' + " " * 99, "not JSON near character 13"),
        ('{"rows": [tru, 1]}' + " " * 99, "not JSON near"),
        ('{"rows": []} []', "more follows"),
        ('{"rows": ' + "[" * 9000 + " " * 99, "nested too deeply"),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        list(stream_json(io.StringIO(text), ("rows",)))
    assert "\n" not in str(refused.value)


def test_a_long_file_needs_the_memory_of_its_longest_row() -> None:
    class Endless(io.StringIO):
        """Fifty megabytes of rows."""

        left = 50_000
        row = json.dumps({"text": "x" * 1000}) + ","

        def read(self, size: int | None = -1) -> str:
            if self.left == 50_000:
                self.left -= 1
                return '{"rows": ['
            taken = min(self.left, 60)
            self.left -= taken
            return self.row * taken if taken else ""

    tracemalloc.start()
    rows = stream_json(Endless(), ("rows",))
    n = sum(1 for _ in islice(rows, 49_999))
    with pytest.raises(ValueError, match="cut off"):
        next(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 49_999 and peak < 2_000_000


def test_names_are_read_as_far_as_they_are_there() -> None:
    assert first_names(io.StringIO('{"evalId": "e", "results": {"version": 3, "resu')) == ["evalId", "results"]
    assert first_names(io.StringIO('[{"doc_id": 1, "doc": {}}, {"x": 1}]')) == ["doc_id", "doc"]
    assert first_names(io.StringIO("id,text")) == first_names(io.StringIO("")) == []
