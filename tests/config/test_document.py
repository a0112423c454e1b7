"""What is read from YAML, and what is refused."""

from pathlib import Path

import pytest

from callcontrol.config.document import read
from callcontrol.config.problems import ConfigError


def data(tmp_path: Path, text: str):
    file = tmp_path / "file.yaml"
    file.write_text(text)
    return read(file).data


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        data(tmp_path, text)
    return str(raised.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "written", ["+49301234567", "0301", "17:30", "no", "1e3", "2026-01-01", "0x1F", "yes", "1_000"]
)
def test_a_scalar_stays_the_text_that_was_written(tmp_path, written):
    assert data(tmp_path, f"key: {written}") == {"key": written}


def test_nothing_and_null_are_none_but_a_quoted_null_is_text(tmp_path):
    assert data(tmp_path, 'a:\nb: null\nc: ~\nd: "null"') == {"a": None, "b": None, "c": None, "d": "null"}


def test_merge_keys_work_and_own_keys_win(tmp_path):
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nown: {<<: [*b, *m], x: 5}"
    assert data(tmp_path, text)["own"] == {"x": "5", "y": "2", "z": "4"}


def test_a_repeated_key_is_refused_with_both_lines(tmp_path):
    assert (
        refusal(tmp_path, "a: 1\nb: 2\na: 3") == "/file.yaml:3: a: is given twice, first in line 1; keep one"
    )


def test_a_tag_is_refused(tmp_path):
    assert "tags such as" in refusal(tmp_path, "a: !!python/object/apply:os.system [ls]")
    assert "tags such as" in refusal(tmp_path, "a: !!int 3")


def test_what_is_no_yaml_names_its_line(tmp_path):
    assert refusal(tmp_path, "a: 1\nb: [1, 2\nc: 3").startswith("/file.yaml:3: is not YAML")


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "[" * 5000 + "]" * 5000])
def test_endless_and_very_deep_documents_are_refused(tmp_path, text):
    assert refusal(tmp_path, text)


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too often" in refusal(tmp_path, "\n".join(rows))


def test_a_missing_file_and_one_that_is_no_text_are_said_so(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        read(tmp_path / "absent.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read(binary)
    with pytest.raises(ConfigError, match="can't be read"):
        read(tmp_path)
