"""Study files: what they may hold, and messages that name the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perolas.core.errors import InputError
from perolas.study import graph, schema
from perolas.study.lines import Lines

Write = Callable[..., Path]

STEP = '[[step]]\nname = "s"\nkind = "arithmetic"\ngiven = { a = "1 eV" }\n[step.quantities]\nq = { expression = "a", unit = "eV" }\n'  # noqa: E501


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        graph.build(schema.load(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[[measurement]]\nname = "m"\ntehcnique = "trpl"\n', 7, 'did you mean "technique"'),
        ('[[measurement]]\nname = "m"\nsimulate = true\n', 5, '"technique" is missing'),
        ('[[measurement]]\nname = "m"\ntechnique = "tprl"\nsimulate = true\n', 7, 'did you mean "trpl"'),
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\n', 5, "exactly one of file"),
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nsimulate = true\nfile = "x"\n', 5, "exactly one of file"),
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nfile = "x"\nspecimen = "s"\n', 5, "takes no specimen"),
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nsimulate = true\nspecimen = "nope"\n', 9, "not known"),
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nsimulate = true\noptions = { iff = 1 }\n', 9, 'did you mean "irf"'),  # noqa: E501
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nsimulate = true\n[measurement.options]\n\nirf_fwhm = "1 eV"\n', 11, "must be in ns"),  # noqa: E501
        ('[[measurement]]\nname = "m"\ntechnique = "trpl"\nsimulate = "yes"\n', 8, '"simulate" is not right'),
        ('[[measurement]]\nname = "a b"\ntechnique = "trpl"\nsimulate = true\n', 6, "a name is letters"),
        ('[[step]]\nname = "s"\n', 5, "A step needs kind"),
        ('[[step]]\nname = "s"\nkind = "arithmetik"\n', 7, 'did you mean "arithmetic"'),
        ('[[step]]\nname = "s"\nkind = "arithmetic"\n', 5, '"quantities" is missing'),
        (STEP + 'z = { expresion = "a" }\n', 11, 'did you mean "expression"'),
        (STEP.replace('"a",', '"b",'), 5, '"b" is not known'),
        (STEP.replace('"a",', '"__import__",'), 5, "is not known"),
        (STEP.replace('"a",', '"t.q",'), 5, 'The item "t" is not known'),
        (STEP.replace('"a",', '"s.q",'), 5, "in a circle: s -> s"),
        (STEP + STEP, 12, 'the name "s" was already given on line 6'),
        (STEP + '[[claim]]\nid = "c"\ntext = "t"\nvalue = 1\nquantity = "s.p"\ntolerance = 1\n', 15, 'The quantity of "s" "p" is not known'),  # noqa: E501
        (STEP + '[[claim]]\nid = "c"\ntext = "t"\nquantity = "s.q"\n', 11, "needs a value"),
        (STEP + '[[claim]]\nid = "c"\ntext = "t"\nvalue = 1\nquantity = "s.q"\n', 11, "needs a tolerance"),
        (STEP + '[[claim]]\nid = "c"\ntext = "t"\nvalue = 1\nquantity = "s.q"\nneeds = "x"\n', 11, "only one of"),
        (STEP + '[[claim]]\nid = "c"\ntext = "t"\nrelation = "=="\n', 14, '"relation" is not right'),
        ('[[claim]]\nid = "c"\ntext = "t"\n[[claim]]\nid = "c"\ntext = "t"\n', 9, "already given on line 6"),
        (STEP + 'uses = 1\n', 11, "not right"),
        ('[specimen.x]\nuses = ["nope"]\n', 6, "is not known"),
        ('[[figure]]\nname = "f"\n[[figure.panel]]\n', 7, "shows exactly one of"),
        (STEP + '[[figure]]\nname = "f"\n[[figure.panel]]\nquantities = ["s.p"]\n', 13, 'quantity of "s" "p" is not known'),  # noqa: E501
        (STEP + '[[figure]]\nname = "f"\n[[figure.panel]]\nquantities = ["s.q"]\nstated = ["1 ns"]\nunit = "eV"\n', 13, "cannot be given"),  # noqa: E501
        (STEP + '[[figure]]\nname = "f"\n[[figure.panel]]\nquantities = ["s.q"]\nlabels = ["a", "b"]\n', 13, '"labels" has 2 entries for 1'),  # noqa: E501
        (STEP + '[[figure]]\nname = "f"\n[[figure.panel]]\nsignals = ["s"]\n', 13, 'The measurement "s" is not known'),
        (STEP + '[[figure]]\nname = "f"\n[[figure.panel]]\npicture = "t"\n', 13, 'The item "t" is not known'),
        ("[[claim]\n", 5, "not TOML"),
        ('title = "twice"\n', 5, "not TOML"),
        ("x = 1\n", 5, "not known here"),
    ],
)  # fmt: skip
def test_messages_name_the_line(write: Write, text: str, line: int, words: str) -> None:
    message = refused(write(text))
    assert message.startswith(f"study.toml, line {line}: "), message
    assert words in message


def test_study_head(write: Write) -> None:
    assert 'line 1: "study" is missing' in refused(write("", head=""))
    assert "did you mean" in refused(write("", head='[study]\nid = "x"\ntitel = "y"\ntitle = "y"\n'))
    assert "cannot be used" in refused(write("", head='[study]\nid = "../x"\ntitle = "y"\n'))


def test_circle_of_three(write: Write) -> None:
    text = "".join(
        f'[[step]]\nname = "{a}"\nkind = "arithmetic"\n[step.quantities]\nq = {{ expression = "{b}.q" }}\n'
        for a, b in ("ab", "bc", "ca")
    )
    message = refused(write(text))
    assert "a -> b -> c -> a" in message
    assert "line 5" in message


def test_long_chain_is_no_circle(write: Write) -> None:
    text = '[[step]]\nname = "s0"\nkind = "arithmetic"\n[step.quantities]\nq = { expression = "1" }\n'
    text = (
        "".join(
            f'[[step]]\nname = "s{i}"\nkind = "arithmetic"\n[step.quantities]\nq = {{ expression = "s{i - 1}.q" }}\n'
            for i in range(1500, 0, -1)
        )
        + text
    )
    order = graph.build(schema.load(write(text))).order
    assert order[0] == "s0"
    assert order[-1] == "s1500"


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"x" * (3 * 2**20), b"a = " + b"[" * 5000], ids=["binary", "large", "deep"]
)
def test_not_a_study(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(data)
    assert refused(path)


def test_find() -> None:
    assert "yang2020" in schema.builtin_names()
    for name in ("yang2021", "no/such.toml", "\0"):
        with pytest.raises(InputError, match="no study"):
            schema.find(name)
    with pytest.raises(InputError, match='did you mean "yang2020"'):
        schema.find("yang200")


def test_windows_newlines_and_bom(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b'\xef\xbb\xbf[study]\r\nid = "x"\r\ntitle = "y"\r\n[[claim]]\r\nidd = 1\r\n')
    with pytest.raises(InputError, match=r"line (4|5)"):
        schema.load(path)


def test_lines_are_found_in_odd_places() -> None:
    text = '# [[x]]\nt = """\n[[x]]\nb = 1"""\n[s]  # ]\n  [[ m ]]\nname = \'a[[\'\no = {a = 1,\n b = "]"}\n[[m]]\nl = [\n "x", # ]\n [1, 2]\n]\n"quo.ted" = 3\n[m.o]\ni = 1\n[p."a b"]\nx.y = 1\n'  # noqa: E501
    lines = Lines(text)
    assert lines.of(("t",)) == 2
    assert lines.of(("m", 0)) == 6
    assert lines.of(("m", 0, "o", "b")) == 8
    assert lines.of(("m", 1, "quo.ted")) == 15
    assert lines.of(("m", 1, "o", "i")) == 17
    assert lines.of(("p", "a b", "x", "y")) == 19
    assert lines.of(("unknown",)) == 1
    assert Lines('[unfinished\nx = """').of(("x",)) == 1
