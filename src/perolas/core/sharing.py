"""What each of several measurements of one specimen contributes, and whether they agree about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.stats import chi2

from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert, pose
from perolas.core.joint import Joint, together
from perolas.core.measurement import AbstractMeasurement
from perolas.core.noise import Gaussian
from perolas.core.parameter import expand, slots
from perolas.core.problem import Problem
from perolas.core.solver import LevenbergMarquardt, jacobian

# Below this probability of so large a disagreement by chance, a joint estimate warns.
DISAGREE = 0.003


@dataclass(frozen=True)
class Share:
    """What the measurements say about one parameter.

    Attributes:
        parameter: its name.
        std: its standard error from all of them together.
        shares: measurement -> its share of the information; they add up to one (with `"prior"`, where there is one).
        std_without: measurement -> the standard error without it; inf where nothing else determines the parameter.
    """

    parameter: str
    std: float
    shares: dict[str, float]
    std_without: dict[str, float]


def shares(estimate: Estimate, names: Iterable[str] | None = None) -> tuple[Share, ...]:
    """Return which measurement determines what.

    The Fisher matrix F of the joint problem is the sum of those of its members, F_m. With C its inverse, the share of
    member m in parameter i is (C F_m C)_ii / C_ii, because C = C F C; shares add up to one.

    Args:
        estimate: of a `Joint`.
        names: the parameters asked for; None: those of the specimen.

    Returns:
        One entry for each parameter, in the order of the fit.

    Raises:
        InputError: not a joint estimate, or an unknown name.
    """
    joint = estimate.problem.measurement
    if not isinstance(joint, Joint) or estimate.batch_shape:
        raise InputError("Shares are those of a single joint estimate.")
    free = estimate.problem.free
    wanted = [s.name for s in free if s.field.startswith("specimen/")] if names is None else list(expand(names, free))
    jac, weight = _end(estimate.problem, jnp.asarray(estimate.values[: estimate.n_free]))
    rows = {name: (joint.part(name, jac), joint.part(name, weight)) for name in joint.names}
    fisher = {name: (j * w) @ j.T for name, (j, w) in rows.items()}
    prior = np.asarray(estimate.problem.prior_precision)
    if np.any(prior > 0):
        fisher["prior"] = np.diag(prior)
    whole = sum(fisher.values(), np.zeros((len(free), len(free))))
    inverse = _inverse(whole)
    found = []
    for i, slot in enumerate(free):
        if slot.name in wanted:
            part = {n: float(inverse[i] @ f @ inverse[:, i] / inverse[i, i]) for n, f in fisher.items()}
            rest = {n: std_of(whole - f, i) for n, f in fisher.items()}
            found.append(Share(slot.name, float(np.sqrt(inverse[i, i])), part, rest))
    return tuple(found)


def _end(problem: Problem, x: Array) -> tuple[np.ndarray, np.ndarray]:
    mean, jac = eqx.filter_jit(jacobian)(problem, x)
    return np.asarray(jac), np.asarray(problem.measurement.noise.weight(problem.signal, mean))


def _inverse(fisher: np.ndarray) -> np.ndarray:
    """Return the inverse, with directions that hold no information left out."""
    size = np.sqrt(np.maximum(np.diagonal(fisher), 1e-300))
    return np.asarray(np.linalg.pinv(fisher / np.outer(size, size), rcond=1e-13, hermitian=True) / np.outer(size, size))


def std_of(fisher: np.ndarray, index: int) -> float:
    """Return the standard error of one parameter.

    Args:
        fisher: shape (p, p).
        index: of the parameter.

    Returns:
        Its standard error with all others free; inf where the information does not determine it.
    """
    some = np.diagonal(fisher) > 0
    if not some[index]:
        return float("inf")
    keep = np.flatnonzero(some)
    size = np.sqrt(np.diagonal(fisher)[keep])
    values, vectors = np.linalg.eigh(fisher[np.ix_(keep, keep)] / np.outer(size, size))
    at = int(np.searchsorted(keep, index))
    empty = values < 1e-10 * values[-1]
    if np.sum(vectors[at, empty] ** 2) > 1e-6:
        return float("inf")
    return float(np.sqrt(np.sum(vectors[at, ~empty] ** 2 / values[~empty])) / size[at])


def join(
    alone: Mapping[str, Estimate],
    specimen: Any,
    varied: Iterable[str],
    *,
    prior: Mapping[str, tuple[float, float]] | None = None,
    throw: bool = True,
) -> Estimate:
    """Invert several measurements of one specimen together, each prepared by a fit of its own.

    Args:
        alone: name -> the estimate of that measurement alone; what it varied and the specimen does not decide, the
            joint fit varies too, from where that fit ended.
        specimen: what it is thought to be; its values are the guess.
        varied: names of the specimen's parameters that the fit varies.
        prior: name -> (mean, standard deviation) of a normal prior; an instrument's parameter that is named here is
            varied too, such as ``"tem_magnification"``. What a measurement's own laws leave open (`law_priors`) is
            varied with its prior in any case.
        throw: raise if the fit fails; False: failure is the estimate's `result`.

    Returns:
        The estimate. `extra["shares"]` says which measurement determines what, `extra["agreement"]` compares the joint
        fit with the fits alone; a warning says where they disagree.

    Raises:
        InputError: fewer than two measurements, batches, or names that there are not.
        FitError: `throw` and the fit did not converge.
    """
    if len(alone) < 2:
        raise InputError("A joint inversion takes at least two measurements.")
    members: dict[str, AbstractMeasurement] = {}
    known: dict[str, tuple[float, float]] = {}
    kept: list[str] = []
    chosen = expand(varied, slots(specimen, "state"))
    if not chosen:
        raise InputError("Name at least one parameter of the specimen that the joint inversion is to vary.")
    for name, estimate in alone.items():
        if estimate.batch_shape or estimate.problem.state is not None:
            raise InputError(f'"{name}" must be a single fit of the instrument alone to be joined.')
        member, _ = estimate.fitted()
        members[name] = with_known_noise(member, estimate)
        kept += own_names(name, member, estimate)
        known |= {f"{name}_{n}": each for n, each in member.law_priors.items()}
    known |= prior or {}
    joint = Joint.of(members, specimen, chosen)
    kept += expand([n for n in known if n not in kept], slots(joint, "measurement"))
    signal = together([e.signal for e in alone.values()])
    # What is shared waits until brightness, laws and backgrounds have settled around it.
    solver = LevenbergMarquardt(hold_first=chosen)
    found = invert(joint, signal, free=[*chosen, *kept], prior=known, solver=solver, throw=throw)
    agreement = _agreement(found, alone, members)
    table = {
        s.parameter: {"std": s.std, "shares": s.shares, "std_without": s.std_without} for s in shares(found, chosen)
    }
    warnings = () if agreement["probability"] >= DISAGREE else (_disagreement(found, joint, alone, agreement),)
    extra = {"shares": table, "agreement": agreement}
    return replace(found, extra={**found.extra, **extra}, warnings=(*found.warnings, *warnings))


def own_names(name: str, member: Any, estimate: Estimate) -> list[str]:
    """Return what a measurement's own fit varied and a specimen does not decide, as a joint fit calls it.

    Args:
        name: of the measurement.
        member: its model.
        estimate: its fit.

    Returns:
        Names such as ``"xrd_background_1"``.
    """
    decided = set(expand(member.response_sets, slots(member, "measurement")))
    own = [f"{name}_{s.name}" for s in estimate.problem.free if s.name not in decided]
    return [*own, f"{name}_scale"] if member.keeps_total else own


def fisher_of(measurement: AbstractMeasurement, names: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """Return the Fisher matrix of a measurement at its own parameters.

    Args:
        measurement: the model.
        names: the parameters that are not known.

    Returns:
        A matrix of shape (p, p), and the p names in its order.
    """
    problem, _ = pose(measurement, np.maximum(np.round(np.asarray(measurement.expected())), 0.0), free=names)
    jac, weight = _end(problem, problem.start())
    return (jac * weight) @ jac.T, [s.name for s in problem.free]


def with_known_noise(member: Any, estimate: Estimate) -> AbstractMeasurement:
    """Return a measurement with the variance that its own fit took from the residuals.

    Args:
        member: the model.
        estimate: its fit.

    Returns:
        The model, its noise of known size.
    """
    if not member.noise.scale_is_estimated:
        return member  # type: ignore[no-any-return]
    rest = float(np.sum((estimate.signal - estimate.expected) ** 2)) / max(estimate.n_points - estimate.n_free, 1)
    known = Gaussian(jnp.asarray(rest))
    return eqx.tree_at(lambda m: m.noise, member, known)  # type: ignore[no-any-return]


def _agreement(
    found: Estimate, alone: Mapping[str, Estimate], members: Mapping[str, AbstractMeasurement]
) -> dict[str, float]:
    """Compare the joint fit with the fits alone by their likelihoods."""
    apart = sum(float(m.noise.log_likelihood(jnp.asarray(alone[n].signal), m.expected())) for n, m in members.items())
    told = found.problem.prior_cost(jnp.asarray(found.values[: found.n_free]))  # a prior is one more measured value
    worse = 2.0 * (apart - float(found.log_likelihood) + float(told))
    priors = int(np.count_nonzero(np.asarray(found.problem.prior_precision)))
    freedom = max(sum(e.n_free for e in alone.values()) + priors - found.n_free, 1)
    return {"deviance": worse, "freedom": freedom, "probability": float(chi2.sf(max(worse, 0.0), freedom))}


def _disagreement(found: Estimate, joint: Joint, alone: Mapping[str, Estimate], agreement: Mapping[str, float]) -> str:
    """Say which measurement the joint fit describes worst, compared with its own fit."""
    fitted, _ = found.fitted()
    loss = {}
    for name, member in zip(joint.names, fitted.seen(), strict=True):
        signal = jnp.asarray(alone[name].signal)
        own = member.noise.log_likelihood(signal, jnp.asarray(alone[name].expected))
        loss[name] = 2.0 * float(own - member.noise.log_likelihood(signal, member.expected()))
    worst = max(loss, key=lambda n: loss[n])
    return (
        f"The measurements disagree about one specimen (probability {agreement['probability']:.1g}); "
        f'"{worst}" suffers most, so the joint values are a compromise and their errors too small.'
    )
