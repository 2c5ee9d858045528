"""The tables of a study file, as pydantic models; the keys of a step are looked at by its kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_ITEMS = 5000

ROLES = ("calibration", "prediction", "postdiction", "consistency", "external")
Role = Literal["calibration", "prediction", "postdiction", "consistency", "external"]
Relation = Literal["=", "~", "<", ">", "<=", ">="]

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z_0-9]{0,79}$")]
ClaimId = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z_0-9.-]{0,99}$")]
Text = Annotated[str, Field(max_length=2000)]
Stated = Annotated[str, Field(max_length=100)] | int | float


class Table(BaseModel):
    """A table of a study file: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Head(Table):
    """The table [study].

    Attributes:
        id: short name; the folder of results takes it.
        title: what it is about.
        doi: of the paper whose claims are tested; a parameter with this source counts as calibration.
        authors: of the paper.
        year: of the paper.
        journal: of the paper.
        data_root: folder of the data files, relative to the study file.
        seed: seed of everything random in it.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z_0-9-]{0,79}$")]
    title: Text
    doi: Annotated[str, Field(max_length=200)] = ""
    authors: list[Annotated[str, Field(max_length=200)]] = []
    year: int | None = None
    journal: Text = ""
    data_root: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Specimen(Table):
    """A table [specimen.NAME]: `uses`, and whatever `perolas.Specimen` takes.

    Attributes:
        uses: claims whose numbers set a value of it.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    uses: list[ClaimId] = []

    @property
    def values(self) -> dict[str, Any]:
        """What goes to `perolas.Specimen.from_table`; a value ``{from = "item.quantity"}`` is filled in by the run."""
        return dict(self.__pydantic_extra__ or {})


class Measurement(Table):
    """A table [[measurement]].

    Attributes:
        name: of the item.
        technique: name in the registry.
        file: a real file under the data folder ...
        simulate: ... or a simulation,
        specimen: of this specimen (without one: of the instrument's own parameters).
        region, channel, axis: hints for the reader of the file.
        options: of the technique, quantities as text with units.
        uses: claims whose numbers it was given.
        seed: of the simulation; by default it follows from the study's seed and the name.
        expect: what to look at, for the reader.
    """

    name: Name
    technique: Annotated[str, Field(max_length=80)]
    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    simulate: bool = False
    specimen: str | None = None
    region: Annotated[str, Field(max_length=200)] | int | None = None
    channel: Annotated[str, Field(max_length=200)] | int | None = None
    axis: Annotated[str, Field(max_length=80)] | None = None
    options: dict[str, Any] = {}
    uses: list[ClaimId] = []
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    expect: Text = ""

    @model_validator(mode="after")
    def _one_source(self) -> Measurement:
        if (self.file is not None) == self.simulate:
            raise ValueError(f'the measurement "{self.name}" needs exactly one of file = "..." and simulate = true')
        if self.specimen is not None and not self.simulate:
            raise ValueError(f'the measurement "{self.name}" has a file, so it takes no specimen')
        return self


class Step(Table):
    """A table [[step]]; each kind of step adds its own keys (see `perolas.study.steps`).

    Attributes:
        name: of the item.
        kind: name in the registry of steps.
        uses: claims whose numbers set something in it.
        assumes: what it takes for granted beyond the study's own words.
    """

    name: Name
    kind: str
    uses: list[ClaimId] = []
    assumes: Text = ""


class Claim(Table):
    """A table [[claim]].

    Attributes:
        id: stable name, such as ``"laser.threshold"``.
        text: the paper's own words, short.
        value: the number claimed; in `unit`.
        unit: of value and tolerance.
        tolerance: deviation from the value that still counts as agreement.
        relation: how the answer is to stand to the value.
        quantity: what answers it, ``"item.quantity"``.
        order: quantities that are to rise from the first to the last.
        needs: the datum that would settle it, where the study does not have it.
        later: which later part of perolas will cover it.
        expected_role: the role that its author expects; an error where the graph disagrees.
    """

    id: ClaimId
    text: Text
    value: float | None = None
    unit: Annotated[str, Field(max_length=60)] = ""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    relation: Relation = "="
    quantity: Annotated[str, Field(pattern=r"^[A-Za-z]\w*\.\w+$")] | None = None
    order: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z]\w*\.\w+$")]], Field(min_length=2)] | None = None
    needs: Text | None = None
    later: Text | None = None
    expected_role: Role | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> Claim:
        given = [k for k in ("quantity", "order", "needs") if getattr(self, k) is not None]
        if len(given) > 1:
            raise ValueError(f'the claim "{self.id}" can have only one of {" and ".join(given)}')
        if self.quantity and self.value is None:
            raise ValueError(f'the claim "{self.id}" names a quantity, so it needs a value to hold it against')
        if self.quantity and self.relation in ("=", "~") and self.tolerance is None:
            raise ValueError(f'the claim "{self.id}" needs a tolerance: how near is near enough?')
        return self

    @property
    def answers(self) -> list[str]:
        """The quantities that answer it."""
        return [self.quantity] if self.quantity else list(self.order or [])


class Mark(Table):
    """A value that the source states, on an axis of a panel.

    Attributes:
        at: in the axis's unit.
        text: what it is.
        along: the axis it lies on.
    """

    at: float
    text: Annotated[str, Field(max_length=80)] = ""
    along: Literal["x", "y"] = "x"


class Panel(Table):
    """A table [[figure.panel]]: what several items gave, side by side; exactly one of the first four.

    Attributes:
        signals: measurements, each drawn above the one before on its own scale.
        picture: a measurement with an image.
        curves: a step with curves.
        quantities: numbers with their errors, each an ``"item.quantity"``.
        title: written above.
        labels: one for each signal or quantity; by default their names.
        stated: what the source says of each quantity, such as ``"135 ns"``; "" where it says nothing.
        unit: of the quantities.
        runs: which curves; by default all.
        span: ends of the x axis.
        log: whether the y axis is logarithmic (of quantities: their axis).
        marks: stated values.
    """

    signals: Annotated[list[Name], Field(min_length=1, max_length=24)] | None = None
    picture: Name | None = None
    curves: Name | None = None
    quantities: (
        Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z]\w*\.\w+$")]], Field(min_length=1, max_length=40)] | None
    ) = None
    title: Text = ""
    labels: list[Annotated[str, Field(max_length=80)]] = []
    stated: list[Stated] = []
    unit: Annotated[str, Field(max_length=60)] = "1"
    runs: list[Annotated[str, Field(max_length=80)]] = []
    span: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    log: bool = False
    marks: Annotated[list[Mark], Field(max_length=40)] = []

    @model_validator(mode="after")
    def _one_sort(self) -> Panel:
        sorts = [k for k in ("signals", "picture", "curves", "quantities") if getattr(self, k) is not None]
        if len(sorts) != 1:
            raise ValueError("a panel shows exactly one of signals, picture, curves and quantities")
        size = len(self.signals or self.quantities or ["one"])
        for key in ("labels", "stated"):
            if getattr(self, key) and len(getattr(self, key)) != size:
                raise ValueError(f'"{key}" has {len(getattr(self, key))} entries for {size}')
        if self.stated and self.quantities is None:
            raise ValueError("only quantities can have stated values beside them; give other panels marks")
        return self

    @property
    def items(self) -> list[str]:
        """Names of the items that it shows."""
        one = [n for n in (self.picture, self.curves) if n]
        return [*one, *(self.signals or []), *(q.partition(".")[0] for q in self.quantities or [])]


class Figure(Table):
    """A table [[figure]]: panels that belong together, as in a paper.

    Attributes:
        name: of the file that it is written to.
        title: written above.
        text: what it shows, written below.
        panel: its panels.
    """

    name: Name
    title: Text = ""
    text: Text = ""
    panel: Annotated[list[Panel], Field(min_length=1, max_length=12)]


class Statement(Table):
    """A table [[stated]]: one thing that a text states, for the audit (see `perolas.study.audit`).

    Attributes:
        name: of the statement.
        kind: word of the audit's vocabulary, such as ``"fluence"``.
        of: what it is about; rules join statements that have a subject in common. One text, or several.
        value: as stated: text with unit and perhaps error, a list of those, or ``{from = "item.quantity"}``.
        relation: how the text puts it: ``"~"`` for about, ``">"`` for more than.
        where: its place in the text.
        text: the words themselves, short.
        phase, hkl: of a spacing, an angle, a size or a sample.
        radiation: of a diffraction angle: the tube, such as ``"Cu"``.
        level, component: of a core-level line, such as ``"Pb 4f"`` and ``"7/2"``.
        laser: the sort of laser that a wavelength is said to come from.
        lamp: name of the lamp that an irradiance is said to come from.
        definition: of a mean lifetime: ``"amplitude"`` or ``"intensity"``.
        compound: formula that a molar mass, a ratio or an element is about.
        elements: of an atomic ratio, in the order of its values.
        keeps: of a size: the element that a nanocrystal keeps while it turns into another.
        method: how a time of first sight, or of a sample, was found.
    """

    name: Name
    kind: Annotated[str, Field(max_length=80)]
    of: Annotated[str, Field(max_length=200)] | list[Annotated[str, Field(max_length=200)]]
    value: Stated | list[Stated] | dict[str, str]
    relation: Relation = "="
    where: Text = ""
    text: Text = ""
    phase: Annotated[str, Field(max_length=80)] = ""
    hkl: Annotated[list[int], Field(min_length=3, max_length=3)] | None = None
    radiation: Annotated[str, Field(max_length=20)] = ""
    level: Annotated[str, Field(max_length=20)] = ""
    component: Annotated[str, Field(max_length=20)] = ""
    laser: Annotated[str, Field(max_length=80)] = ""
    lamp: Annotated[str, Field(max_length=80)] = ""
    definition: Literal["", "amplitude", "intensity"] = ""
    compound: Annotated[str, Field(max_length=80)] = ""
    elements: list[Annotated[str, Field(max_length=3)]] = []
    keeps: Annotated[str, Field(max_length=3)] = ""
    method: Annotated[str, Field(max_length=80)] = ""

    @field_validator("of", mode="before")
    @classmethod
    def _subjects(cls, given: Any) -> Any:
        named = given if isinstance(given, list) else [given]
        if not named or not all(isinstance(n, str) and n.strip() for n in named):
            raise ValueError('"of" says what the statement is about: a text, or a list of texts')
        return given

    @field_validator("value", mode="before")
    @classmethod
    def _values(cls, given: Any) -> Any:
        plain = given if isinstance(given, list) else [given]
        if not isinstance(given, dict) and not all(type(v) in (str, int, float) for v in plain):
            raise ValueError('a value is a number with its unit in quotes, such as "0.3 nm", or a list of those')
        return given


class Knob(Table):
    """A table [knob."some.name"]: a name under which one asks "what if" (see `perolas.study.changes`).

    Attributes:
        sets: paths of the values that it sets, all to the same.
        text: what it is.
    """

    sets: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=100)]
    text: Text = ""


class File(Table):
    """A whole study file; the keys of a step are looked at by its kind."""

    study: Head
    specimen: dict[Name, Specimen] = {}
    measurement: Annotated[list[Measurement], Field(max_length=MAX_ITEMS)] = []
    step: Annotated[list[dict[str, Any]], Field(max_length=MAX_ITEMS)] = []
    claim: Annotated[list[Claim], Field(max_length=MAX_ITEMS)] = []
    figure: Annotated[list[Figure], Field(max_length=40)] = []
    stated: Annotated[list[Statement], Field(max_length=MAX_ITEMS)] = []
    knob: dict[Annotated[str, Field(max_length=80)], Knob] = {}
