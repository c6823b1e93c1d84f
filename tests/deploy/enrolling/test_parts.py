from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.enrolling.parts import near_duplicates, split_faces
from ligera.deploy.enrolling.photos import Faces, Sighting, thumb
from ligera.errors import DataError

GENERATOR = np.random.default_rng(3)


def picture() -> np.ndarray:
    return GENERATOR.integers(0, 256, (32, 32, 3), np.uint8)


def faces_of(*entries: tuple[int, str, np.ndarray]) -> Faces:
    sightings = tuple(Sighting(Path(f"{i}.jpg"), label, who) for i, (label, who, _) in enumerate(entries))
    thumbs = np.stack([np.stack([thumb(pixels), thumb(pixels)]) for _, _, pixels in entries])
    return Faces(("ann",), np.stack([pixels for _, _, pixels in entries]), thumbs, sightings, ())


def many() -> list[tuple[int, str, np.ndarray]]:
    own = [(0, "ann", picture()) for _ in range(20)]
    return own + [(-1, f"other{i % 12}", picture()) for i in range(40)]


def parts_of(faces: Faces, seed: int = 0) -> list[np.ndarray]:
    parts = split_faces(faces, seed)
    return [parts.train, parts.validation, parts.test]


@pytest.mark.parametrize("seed", range(5))
def test_every_face_is_in_one_part_and_every_part_has_both_sides(seed: int) -> None:
    faces = faces_of(*many())
    parts = parts_of(faces, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    assert all(set(faces.labels[part]) == {0, -1} for part in parts)
    assert 30 <= len(parts[0]) <= 42


@pytest.mark.parametrize("seed", range(5))
def test_no_other_person_is_in_two_parts(seed: int) -> None:
    faces = faces_of(*many())
    people = [{faces.sightings[row].person for row in part if faces.labels[row] < 0} for part in parts_of(faces, seed)]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]


@pytest.mark.parametrize("seed", range(5))
def test_copies_brighter_noisy_or_mirrored_stay_with_their_original(seed: int) -> None:
    entries = many()
    first = entries[0][2]
    brighter = np.clip(first.astype(np.int16) // 2 + 60, 0, 255).astype(np.uint8)
    noisy = np.clip(first.astype(np.int16) + GENERATOR.integers(-3, 4, first.shape), 0, 255).astype(np.uint8)
    copies = [(0, "ann", pixels) for pixels in (first, brighter, noisy, first[:, ::-1])]
    faces = faces_of(*entries, *copies)
    homes = [number for number, part in enumerate(parts_of(faces, seed)) for row in (0, 60, 61, 62, 63) if row in part]
    assert len(homes) == 5 and len(set(homes)) == 1
    assert split_faces(faces, seed).duplicates == 4


def test_a_photo_that_is_said_to_show_two_people_is_in_no_part() -> None:
    entries = many()
    faces = faces_of(*entries, (-1, "thief", entries[3][2]))
    parts = split_faces(faces, 0)
    assert parts.contrary.tolist() == [3, 60]
    assert not set(np.concatenate(parts_of(faces)).tolist()) & {3, 60}


def test_different_pictures_are_no_duplicates_even_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligera.deploy.enrolling.parts.BLOCK", 4)
    thumbs = np.stack([np.stack([thumb(picture())] * 2) for _ in range(11)])
    thumbs[9] = thumbs[1]
    assert near_duplicates(thumbs).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 10]


def test_two_people_before_one_wall_are_no_duplicates_but_one_face_in_two_crops_is() -> None:
    wall, crop = thumb(picture()), thumb(picture())
    people = [np.stack([wall, thumb(picture())]) for _ in range(2)]
    crops = [np.stack([thumb(picture()), crop]) for _ in range(2)]
    assert near_duplicates(np.stack(people + crops)).tolist() == [0, 1, 2, 2]


def test_too_few_different_photos_are_said_with_the_person() -> None:
    one = picture()
    others = [(-1, f"o{i}", picture()) for i in range(9)]
    with pytest.raises(DataError, match=r"ann: 1 different photo with a face, expected 3 or more"):
        split_faces(faces_of(*[(0, "ann", one)] * 8, *others), 0)
    with pytest.raises(DataError, match="other people: 1 different photo"):
        split_faces(faces_of(*[(0, "ann", picture()) for _ in range(9)], *[(-1, "bob", picture())] * 6), 0)
