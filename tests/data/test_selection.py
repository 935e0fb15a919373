from pathlib import Path

import numpy as np
import pytest

from artcolor.data.clean import Color
from artcolor.data.duplicates import fingerprint, similar_pairs
from artcolor.data.journal import Candidate
from artcolor.data.selection import Chosen, balance, drop_duplicates, split
from artcolor.data.spec import Balance, DuplicateRules, SplitRules
from artcolor.errors import DataError
from tests.data.paintings import cropped, make_artwork


def candidate(number: int, artist: str = "", pixels: int = 1000, show: int | None = None) -> Candidate:
    hashes, detail = fingerprint(make_artwork(number if show is None else show, 64, 48))
    return Candidate(
        source="s",
        path=f"{number}.jpg",
        labels={"artist": artist, "style": "", "genre": ""},
        file=Path(f"{number}.webp"),
        gray=None,
        sha256="",
        width=64,
        height=48,
        pixels=pixels,
        original=(64, 48),
        box=None,
        color=Color(10, 5, 5, (), ()),
        hashes=hashes,
        detail=detail,
    )


def test_families_stay_in_one_split() -> None:
    chosen = [Chosen(candidate(number), family=number // 3) for number in range(30)]
    done = split(chosen, SplitRules(val=6, test=6), seed=0)
    homes = {each.family: {other.split for other in done if other.family == each.family} for each in done}
    assert all(len(splits) == 1 for splits in homes.values())
    assert [sum(each.split == name for each in done) for name in ("train", "val", "test")] == [18, 6, 6]


def test_pictures_keep_their_split_when_others_are_added() -> None:
    chosen = [Chosen(candidate(number), family=number) for number in range(40)]
    before = split(chosen[:38], SplitRules(val=8, test=8), seed=1)
    after = split(chosen, SplitRules(val=8, test=8), seed=1)
    assert sum(a.split != b.split for a, b in zip(before, after, strict=False)) <= 4


def test_an_artist_too_large_for_a_split_is_an_error() -> None:
    chosen = [Chosen(candidate(number, artist="ab"[number % 2]), family=number) for number in range(20)]
    with pytest.raises(DataError, match="every artist is too large for a val split of 2"):
        split(chosen, SplitRules(val=2, test=0, by="artist"), seed=0)


def test_the_largest_of_a_group_is_kept_and_takes_missing_labels() -> None:
    pictures = [candidate(0, "Ann"), candidate(1, pixels=5000, show=0), candidate(2), candidate(3, "Bo", show=0)]
    kept, dropped = drop_duplicates(pictures, DuplicateRules())
    assert [(each.picture.path, each.picture.labels["artist"]) for each in kept] == [("1.jpg", "Ann"), ("2.jpg", "")]
    assert [(each.path, each.twin and each.twin.path) for each in dropped] == [("0.jpg", "1.jpg"), ("3.jpg", "1.jpg")]


def test_of_equal_copies_the_first_is_kept() -> None:
    kept, _ = drop_duplicates([candidate(5, show=1), candidate(4, show=1)], DuplicateRules())
    assert [each.picture.path for each in kept] == ["5.jpg"]


def test_a_near_duplicate_is_kept_in_the_same_family() -> None:
    pictures = [candidate(0), candidate(1, show=0), candidate(2)]
    hashes = pictures[1].hashes ^ np.uint64(0b11111111)
    pictures[1] = Candidate(**{**vars(pictures[1]), "hashes": hashes})
    kept, dropped = drop_duplicates(pictures, DuplicateRules(distance=6, related=10))
    assert not dropped and kept[0].family == kept[1].family != kept[2].family
    kept, dropped = drop_duplicates(pictures, DuplicateRules(distance=8, related=10))
    assert len(dropped) == 1


def test_a_cap_keeps_smaller_groups_and_does_not_reshuffle() -> None:
    chosen = [Chosen(candidate(number, artist="abb"[number % 3]), family=number) for number in range(30)]
    kept, dropped = balance(chosen, Balance(by="artist", cap=10), seed=0)
    assert sum(each.picture.labels["artist"] == "a" for each in kept) == 10
    assert sum(each.picture.labels["artist"] == "b" for each in kept) == 10 == len(dropped)
    fewer, _ = balance(chosen[:-1], Balance(by="artist", cap=10), seed=0)
    lost = {each.picture.path for each in kept} - {each.picture.path for each in fewer}
    assert len(lost) <= 1
    assert "20 pictures of b; the cap is 10" in dropped[0].detail


@pytest.mark.parametrize(
    "cut", [(0.02, 0.02, 0.02, 0.02), (0.02, 0, 0, 0), (0, 0.02, 0, 0.01), (0.02, 0.02, 0, 0), (0, 0, 0, 0)]
)
def test_copies_are_within_six_bits_and_others_are_not(cut: tuple[float, float, float, float]) -> None:
    originals = [make_artwork(number) for number in range(12)]
    copies = [cropped(image, *cut).resize((150, 110)) for image in originals]
    prints = [fingerprint(image) for image in [*originals, *copies]]
    pairs = list(similar_pairs(np.stack([p[0] for p in prints]), np.stack([p[1] for p in prints]), distance=6))
    assert [(pair.first, pair.second) for pair in pairs] == [(number, number + 12) for number in range(12)]
    assert min(pair.detail for pair in pairs) > 0.5
