"""Whatever is wrong with a recipe is said in one sentence that names the line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perolas.core.errors import InputError
from perolas.matter import formula, recipe

HEAD = '[recipe]\ntitle = "t"\n'
POT = HEAD + '[[step]]\nadd = "PbBr2"\namount = "1 mmol"\n[[step]]\nadd = "CsBr"\namount = "1 mmol"\n'  # 8 lines


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n", "is empty"),
        ("[recipe]\ntitle = 3\n[[step]]\n", r'line 2: "title" is not right'),
        (HEAD, r"no \[\[step\]\]"),
        ("[[step]]\nadd = 'CsBr'\n", r"\[recipe\] with a title is missing"),
        (HEAD + "[[steps]]\nadd = 'CsBr'\n", r'line 3: .*"steps" is not known \(did you mean "step"'),
        (HEAD + "[[step]]\nad = 'CsBr'\n", r'line 3: the step has no verb \(did you mean "add"'),
        (HEAD + "[[step]]\nadd = 'CsBr'\nmake = 'CsBr'\n", "add and make at once"),
        (HEAD + "[[step]]\nadd = 'CsBr'\n", r'line 3: "amount" is missing'),
        (
            HEAD + "[[step]]\nadd = 'CsBr'\namont = '1 g'\n",
            r'line 5: "amont" is not known here \(did you',
        ),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '-1 g'\n", "line 4: The amount of caesium bromide must be positive"),
        (HEAD + "[[step]]\nadd = 'water'\namount = '0 uL'\n", "must be positive"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = nan\n", "must be a number with a unit"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = 'nan g'\n", "must be a number with a unit"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '1e400 g'\n", "must be finite"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '1e300 g'\n", "out of any range"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = 5\n", "needs a unit"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '5 s'\n", "in mol or g or mL, but"),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '5 foo'\n", 'unit "foo" of .* is not known'),
        (HEAD + "[[step]]\nadd = 'CsBr'\namount = '5 ± 6 g'\n", "uncertainty"),
        (HEAD + "[[step]]\nadd = 'CsI'\namount = '5 mL'\n", "density of CsI is not known"),
        (HEAD + "[[step]]\nadd = 'CsI'\namount = '5 g'\nof = '1 M'\n", "must be in mL"),
        (HEAD + "[[step]]\nadd = 'CsI'\namount = '5 mL'\nof = 'some'\n", "stock of CsI"),
        (HEAD + "[[step]]\nadd = 'CsI'\namount = '5 mL'\nof = '1 g in oil'\n", 'is written as "0.8 g in 8 mL'),
        (HEAD + "[[step]]\nadd = 'CsI'\namount = '5 g'\npurity = 1.5\n", "between 0 and 1"),
        (
            HEAD + "[[step]]\nadd = 'olec acid'\namount = '5 g'\n",
            r'line 4: The compound "olec acid" is not known',
        ),
        (HEAD + "[[step]]\nadd = 'Xx2'\namount = '5 g'\n", '"Xx" in "Xx2" is not a chemical element'),
        (HEAD + "[compound.a]\nformula = 'CsBr'\nions = {'Cs+' = 2, 'Br-' = 1}\n[[step]]\n", "line 4: The ions of"),
        (HEAD + "[compound.a]\nformula = 'CsBr'\ndensity = '3 g'\n[[step]]\n", "must be in g/mL"),
        (HEAD + "compound = 3\n[[step]]\n", '"compound" is not known here'),
        (POT + "[[step]]\nreact = 'CsBr + PbBr2'\n", 'is written as "A'),
        (POT + "[[step]]\nreact = 'CsBr + PbBr2 -> Cs4PbBr6'\n", "line 10: .* is not balanced: 3 more Cs on the right"),
        (POT + "[[step]]\nreact = 'Cs+ -> Cs'\n", "not balanced: 1 more charge on the left"),
        (POT + "[[step]]\nreact = 'PbI2 -> PbI2'\n", "line 10: .* changes nothing"),
        (POT + "[[step]]\nreact = '2 CsI + PbI2 -> Cs2PbI4'\n", "line 9: There is no CsI in the pot"),
        (POT + "[[step]]\nreact = ['CsBr + PbBr2 -> CsPbBr3']\nshares = [1, 2]\n", "as many positive shares"),
        (POT + "[[step]]\nreact = 'CsBr + PbBr2 -> CsPbBr3'\nshares = [-1]\n", "as many positive shares"),
        (POT + "[[step]]\nmake = 'CsPbI3'\n", "line 9: Nothing in the pot gives iodide"),
        (POT + "[[step]]\nmake = 'C7H8'\n", "ions of toluene are not known"),
        (POT + "[[step]]\nmake = 'CsPbBr3'\nconversion = -0.5\n", "must be zero or positive"),
        (POT + "[[step]]\nmake = 'CsPbBr3'\nconversion = '3 g'\n", "must be in a plain number"),
        (POT + "[[step]]\nwash = 'CsPbBr3'\n", "no CsPbBr3 in the pot to keep"),
        (POT + "[[step]]\ndissolve = 'CsBr'\n", "line 9: There is no water in the pot"),
        (POT + "[[step]]\ndissolve = 'CsPbBr3'\n", "no CsPbBr3 in the pot to dissolve"),
        (POT + "[[step]]\ntake = '1 mL'\n", "cannot be taken from 0 mL"),
        (POT + "[[step]]\ndisperse = 'water'\nvolume = '1 g'\n", "must be in mL"),
        (POT + "[[step]]\nsize = '2 nm'\nfrom = 'CsBr'\nto = 'PbI2'\n", 'The phase "PbI2" is not known'),
        (POT + "[[step]]\nsize = '2 nm'\nfrom = 'CsBr'\nto = 'PbBr2'\nkeeps = 'Pb'\n", "element that stays"),
        (HEAD + "[[step]\n", "line 3: this is not TOML"),
        (HEAD + "[[step]]\nname = '1x'\nadd = 'CsBr'\namount = '1 g'\n", 'line 4: "name" is not right'),
        (POT + "[[step]]\nadd = 'water'\namount = '1 g'\n" * 1000, "more than the 1000"),
    ],
)
def test_bad_recipe_is_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        recipe.load(text).balance()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (HEAD.encode("utf-16"), "is not UTF-8 text"),
        (b"[recipe]\ntitle = 'caf\xe9'\n", "is not UTF-8 text"),
        (b"#" * 1_000_001, "is larger than 1 MB"),
    ],
)
def test_bad_file_is_a_sentence(data, sentence, tmp_path):
    path = tmp_path / "r.toml"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f'^"?r.toml"? ?.*{sentence}'):
        recipe.load(path)


def test_absent_files(tmp_path):
    for path, sentence in (
        (tmp_path / "none.toml", "no recipe"),
        (tmp_path, "cannot be opened"),
        ("a\0b", "cannot be"),
    ):
        with pytest.raises(InputError, match=sentence):
            recipe.load(path)


def test_two_steps_may_not_give_the_same_number():
    react = "[[step]]\nreact = 'CsBr + PbBr2 -> CsPbBr3'\nconversion = 0.5\n"
    with pytest.raises(InputError, match='line 12: Two steps give "made_CsPbBr3"; write name'):
        recipe.load(POT + react + react).balance()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Pb(",
        "Pb)",
        "()",
        "SO42-",
        "CuSO4.5H2O",
        "3H2O",
        "pbbr2",
        "Pb0",
        "A" * 201,
        "(" * 20 + "H" + ")" * 20,
        "H1e9",
        "Pb--",
        "+",
        "^2-",
        "H2O*",
        "Pb 2",
        "H9999999",
    ],
)
def test_bad_formula_is_a_sentence(text):
    with pytest.raises(InputError):
        formula.parse(text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="CsPbBrHO0123456789()[]*^+-. ·²⁻xé\n", max_size=30))
def test_any_text_is_a_formula_or_a_sentence(text):
    said = ""
    try:
        assert all(n > 0 for n in formula.parse(text).atoms.values())
    except InputError as error:
        said = str(error)
    assert "\n" not in said


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*POT.splitlines(), "[[step]]", "make = 'CsPbBr3'", "x = [", "take = '1 mL'", "="])))
def test_any_lines_are_a_recipe_or_a_sentence(listed):
    said = ""
    try:
        recipe.load("\n".join([*listed, ""])).balance()
    except InputError as error:
        said = str(error)
    assert "\n" not in said
