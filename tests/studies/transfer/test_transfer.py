import json
from pathlib import Path

import numpy as np
import pytest

from ligera import cli
from ligera.deploy.enrolling.photos import Faces, Sighting, thumb
from ligera.errors import DataError
from ligera.studies.transfer import study as module
from ligera.studies.transfer.study import Settings, study
from ligera.studies.transfer.trial import cross_entropy


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> Faces:
    """Sixty squares instead of found ones: the person's have upright stripes, those of others lying ones."""
    generator = np.random.default_rng(0)
    squares, sightings = [], []
    for number in range(60):
        square = generator.integers(0, 120, (64, 64, 3), np.uint8)
        place = int(generator.integers(8, 50))
        part = np.s_[:, place : place + 4] if number < 30 else np.s_[place : place + 4]
        square[part] = 250
        squares.append(square)
        person = "ann" if number < 30 else f"other{number}"
        sightings.append(Sighting(Path(f"{number}.jpg"), 0 if number < 30 else -1, person))
    thumbs = np.stack([np.stack([thumb(square)] * 2) for square in squares])
    found = Faces(("ann",), np.stack(squares), thumbs, tuple(sightings), ())
    monkeypatch.setattr(module, "_faces", lambda *_: found)
    return found


def test_each_base_at_hand_gets_a_row_and_the_others_a_command(faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    settings = Settings(data=tmp_path, weights=tmp_path / "weights", side_px=64, seeds=2, threads=1)
    settings = settings.model_copy(update={"bases": ("gradients", "mobilenetv2-coral")})
    report = study(settings, tmp_path)
    (table,) = report.tables
    rows = {(row[0], row[2]): row for row in table.rows}
    assert {("gradients", "pooled"), ("gradients", "places"), ("mobilenetv2-coral", "")} == set(rows)
    missing = rows["mobilenetv2-coral", ""]
    assert "not measured" in missing[3] and "ligera study transfer" in missing[3]
    assert float(rows["gradients", "places"][3].partition(" ")[0]) > 0.8
    assert "38 train, 16 validation, 6 test" in table.note and "n 2" in " ".join(report.said)
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("transfer.png", "roc.png"))


def test_no_base_at_all_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    settings = Settings(data=tmp_path, weights=tmp_path / "weights", bases=("mobilenetv2-coral",))
    with pytest.raises(DataError, match=r"no base has weights here: .*convert_coral_mobilenet"):
        study(settings, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["bases=[resnet]"], "bases: expected some of"),
        (["heads=[wide]"], "heads: expected some of pooled, places"),
        (["bases=[gradients]"], "no such folder"),
        (["bases=[gradients]", "weights=nowhere"], "expected one with BASE.safetensors"),
        (["seeds=0"], "seeds"),
    ],
)
def test_wrong_settings_are_one_line(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["study", "transfer", f"data={tmp_path}", *arguments, "--runs", str(tmp_path / "runs")]
    assert cli.run(asked) == 2
    told = capsys.readouterr().err.splitlines()
    assert reason in told[-1]


def test_the_loss_of_sure_answers_neither_overflows_nor_is_lost() -> None:
    logits = np.array([800.0, -800.0, 0.0])
    assert cross_entropy(logits, np.array([True, False, True])) == pytest.approx(np.log(2) / 3)
    assert cross_entropy(logits[:1], np.array([False])) == pytest.approx(800)
    assert json.dumps(cross_entropy(logits, np.array([True, False, True])))
