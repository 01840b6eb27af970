"""`--labels`: names by commas or by lines, each once."""

from __future__ import annotations

import pytest

from edgebench.cli.labels import read_labels
from edgebench.errors import UsageError


def test_names_by_commas_and_by_lines(tmp_path) -> None:
    (tmp_path / "labels.txt").write_text("cat\n\n dog \n", encoding="utf-8")
    assert read_labels("cat, dog") == read_labels(str(tmp_path / "labels.txt")) == ("cat", "dog")
    assert read_labels(None) == ()
    assert len(read_labels(",".join(f"class-{n}" for n in range(500)))) == 500  # longer than any file name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a", "--labels has 'a' at 1 and 3: results of the two could not be told apart"),
        ("gone.txt", "--labels: there is no file gone.txt"),
        (",,", "holds no name"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read_labels(text)
    assert message in str(error.value)


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path) -> None:
    (tmp_path / "labels.txt").write_bytes("chat\nchâteau\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"labels.txt is not UTF-8 text \(line 2\): save it as UTF-8"):
        read_labels(str(tmp_path / "labels.txt"))
