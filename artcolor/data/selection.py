"""Selects pictures and their splits: duplicates, balance and splits as functions of the pictures and a seed."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from artcolor.data.collect import label_key, one_spelling
from artcolor.data.duplicates import RELATED_DETAIL, SAME_DETAIL, group, members, similar_pairs
from artcolor.data.journal import Candidate, Dropped
from artcolor.data.spec import LABELS, Balance, DatasetSpec, DuplicateRules, Label, SplitRules
from artcolor.errors import DataError

SPLITS = ("train", "val", "test")


class Chosen(NamedTuple):
    """A picture of the data set.

    Attributes:
        picture: the cleaned picture.
        family: number of its family; pictures of one family are related and go to the same split.
        split: `"train"`, `"val"` or `"test"`; `""` if not assigned yet.
    """

    picture: Candidate
    family: int
    split: str = ""


def select(candidates: Sequence[Candidate], spec: DatasetSpec, seed: int) -> tuple[list[Chosen], list[Dropped]]:
    """Chooses the pictures of a data set and their splits.

    Args:
        candidates: cleaned pictures, in the order of the sources.
        spec: the spec of the data set.
        seed: random seed for caps and splits.

    Returns:
        The chosen pictures in their original order, and the dropped pictures.

    Raises:
        DataError: there are too few pictures for the splits.
    """
    chosen, duplicates = drop_duplicates(candidates, spec.duplicates)
    spelling = {label: one_spelling([each.picture.labels[label] for each in chosen]) for label in LABELS}
    chosen = [
        each._replace(
            picture=dataclasses.replace(
                each.picture,
                labels={label: spelling[label][label_key(each.picture.labels[label])] for label in LABELS},
            )
        )
        for each in chosen
    ]
    capped: list[Dropped] = []
    if spec.balance is not None:
        chosen, capped = balance(chosen, spec.balance, seed)
    return split(chosen, spec.split, seed), [*duplicates, *capped]


def drop_duplicates(candidates: Sequence[Candidate], rules: DuplicateRules) -> tuple[list[Chosen], list[Dropped]]:
    """Keeps the largest picture of each group of duplicates, or the first of equal size.

    It takes missing labels from the other pictures of its group.

    Args:
        candidates: cleaned pictures, in the order of the sources.
        rules: limits for duplicates and related pictures.

    Returns:
        The kept pictures with their families, and the dropped duplicates.
    """
    if not candidates:
        return [], []
    pairs = list(
        similar_pairs(
            np.stack([each.hashes for each in candidates]),
            np.stack([each.detail for each in candidates]),
            distance=rules.related,
        )
    )
    same = [p for p in pairs if p.distance <= rules.distance and p.detail >= SAME_DETAIL]
    related = [p for p in pairs if p.detail >= RELATED_DETAIL]
    groups = group(len(candidates), [(p.first, p.second) for p in same])
    families = group(len(candidates), [(p.first, p.second) for p in [*related, *same]])
    kept, dropped = {}, []
    for copies in members(groups).values():
        best = max(copies, key=lambda number: (candidates[number].pixels, -number))
        labels: dict[Label, str] = {
            label: next((text for n in [best, *copies] if (text := candidates[n].labels[label])), "")
            for label in LABELS
        }
        kept[best] = Chosen(dataclasses.replace(candidates[best], labels=labels), families[best])
        twin = candidates[best]
        for number in copies:
            if number != best:
                copy = candidates[number]
                detail = f"of {twin.source}: {twin.path}"
                dropped.append(Dropped(copy.source, copy.path, "duplicate", detail, candidate=copy, twin=twin))
    return [kept[number] for number in sorted(kept)], dropped


def balance(chosen: Sequence[Chosen], rule: Balance, seed: int) -> tuple[list[Chosen], list[Dropped]]:
    """Limits the number of pictures per artist, style or genre; which ones are kept is random.

    Args:
        chosen: pictures of the data set.
        rule: the label that is capped, and the cap.
        seed: random seed of the choice.

    Returns:
        The kept pictures, and the dropped ones.
    """
    seen: Counter[str] = Counter()
    over = set()
    for each in sorted(chosen, key=lambda each: _draw(seed, "balance", each.picture)):
        key = label_key(each.picture.labels[rule.by])
        seen[key] += 1
        if seen[key] > rule.cap:
            over.add((each.picture.source, each.picture.path))
    kept, dropped = [], []
    for each in chosen:
        picture = each.picture
        if (picture.source, picture.path) not in over:
            kept.append(each)
            continue
        label = picture.labels[rule.by] or f"no {rule.by}"
        detail = f"{seen[label_key(picture.labels[rule.by])]} pictures of {label}; the cap is {rule.cap}"
        dropped.append(Dropped(picture.source, picture.path, "capped", detail, candidate=picture))
    return kept, dropped


def split(chosen: Sequence[Chosen], rules: SplitRules, seed: int) -> list[Chosen]:
    """Assigns splits; families, and artists if requested, are never divided.

    Args:
        chosen: pictures of the data set.
        rules: sizes of the splits, and what is kept together.
        seed: random seed of the choice.

    Returns:
        The same pictures with their splits.

    Raises:
        DataError: there are too few pictures, families or artists for the requested splits.
    """
    wanted = {"val": _number(rules.val, len(chosen)), "test": _number(rules.test, len(chosen))}
    if chosen and sum(wanted.values()) >= len(chosen):
        raise DataError(
            f"{wanted['val']} pictures for val and {wanted['test']} for test leave none of {len(chosen)} for "
            "training. Lower `split.val` and `split.test`, or add sources."
        )
    units, train_only = _units(chosen, rules)
    found = {"val": 0, "test": 0}
    splits = ["train"] * len(chosen)
    for unit in sorted(units, key=lambda unit: _draw(seed, "split", chosen[unit[0]].picture)):
        fitting = [name for name in found if found[name] + len(unit) <= wanted[name]]
        if fitting and not train_only.intersection(unit):
            found[fitting[0]] += len(unit)
            for number in unit:
                splits[number] = fitting[0]
    for name, number in wanted.items():
        if number and not found[name]:
            raise DataError(
                f"every {'artist' if rules.by == 'artist' else 'family of pictures'} is too large for a {name} split "
                f"of {number} pictures. Raise `split.{name}`, or set it to 0."
            )
    return [each._replace(split=name) for each, name in zip(chosen, splits, strict=True)]


def _number(share: float, pictures: int) -> int:
    if share >= 1:
        return int(share)
    return max(1, round(share * pictures)) if share > 0 else 0


def _units(chosen: Sequence[Chosen], rules: SplitRules) -> tuple[list[list[int]], set[int]]:
    """Returns the groups that must not be divided, and the pictures that must train as their artist is unknown."""
    first: dict[tuple[str, object], int] = {}
    pairs = []
    train_only = set()
    for number, each in enumerate(chosen):
        pairs.append((first.setdefault(("family", each.family), number), number))
        if rules.by == "artist":
            if artist := label_key(each.picture.labels["artist"]):
                pairs.append((first.setdefault(("artist", artist), number), number))
            else:
                train_only.add(number)
    return list(members(group(len(chosen), pairs)).values()), train_only


def _draw(seed: int, purpose: str, picture: Candidate) -> bytes:
    # With a hash instead of a generator, adding a picture does not change the draw of any other.
    return hashlib.sha256(f"{seed}\0{purpose}\0{picture.source}\0{picture.path}".encode()).digest()
