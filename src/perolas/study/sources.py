"""What a study rests on, as BibTeX: its paper, and the sources of its techniques and parameters."""

from __future__ import annotations

import os

from perolas.core.cite import entry
from perolas.matter import parameters_library
from perolas.study import graph, paths, schema, steps


def bibtex(study: str | os.PathLike[str]) -> str:
    """Return the BibTeX entries of everything that a study rests on.

    Args:
        study: a built-in name or the path of a study file.

    Returns:
        Entries: the paper first, then the sources in the order in which the study uses them, each once.

    Raises:
        InputError: the study cannot be used.
    """
    loaded = schema.load(study)
    order = graph.build(loaded).order
    keys: dict[str, None] = {}
    for name in order:
        if name in loaded.steps:
            step = loaded.steps[name]
            kind = steps.kind_of(step)
            used = kind.parameters(step)
            keys.update(dict.fromkeys(kind.references(step, *paths.contents(loaded, None, step))))
        else:
            facts = graph.module_facts(loaded.measurements[name].technique)
            keys.update(dict.fromkeys(facts.references))
            used = facts.parameters
        keys.update(dict.fromkeys(parameters_library.physical_parameter(p).source for p in used))
    known = parameters_library.sources()
    own = [
        k for k, fields in known.items() if loaded.head.doi and fields.get("doi", "").lower() == loaded.head.doi.lower()
    ]
    listed = parameters_library.bibtex([*own, *keys])
    if own or not (loaded.head.doi or loaded.head.authors):
        return listed or "% This study rests on no source that perolas knows."
    head = loaded.head
    fields = {"type": "article", "title": head.title}
    if head.authors:
        fields["author"] = " and ".join(head.authors)
    fields.update({k: str(v) for k, v in (("journal", head.journal), ("year", head.year), ("doi", head.doi)) if v})
    return "\n\n".join(filter(None, [entry(head.id, fields), listed]))
