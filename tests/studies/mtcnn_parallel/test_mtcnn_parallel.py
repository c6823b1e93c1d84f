"""Paper A's training of P-Net as a study: its trainings, its proposals, its tables, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ligera.data.faces import read_retinaface
from ligera.deploy.bundle import BundleCard
from ligera.errors import LigeraError, RecipeError
from ligera.meter import Meter
from ligera.models.cascade import CascadeRule
from ligera.models.mtcnn import PNet
from ligera.records import Decoding, Preprocess
from ligera.studies.mtcnn_parallel import plan, proposals, study, tables
from ligera.studies.mtcnn_parallel.plan import PAPER_EPOCHS_S, PAPER_TOTALS_S, Condition, Settings
from ligera.studies.mtcnn_parallel.proposals import Proposed
from ligera.studies.running import read_settings, run_study
from ligera.studies.trials import Outcome
from ligera.train.reading import parse_recipe

SETTINGS = Settings(data="x", epochs=3, workers=(0, 1))
YES = Proposed(9000, 1, 9, 8990, 0.0, 0.6, 0.01, 1.0, 0.999, 0.1, 5, 4)
TRAINED = Proposed(50, 20, 20, 10, 0.0, 0.9, 0.5, 0.01, 0.002, 0.9, 5, 4)


@pytest.fixture(scope="module")
def face_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of 60x80 px with one face of 30 px each, two without."""
    folder = tmp_path_factory.mktemp("squares")
    generator = np.random.default_rng(0)
    lines = []
    for number in range(4):
        pixels = generator.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
        lines += [f"# {number}.png", "20 15 30 30"]
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    (folder / "background").mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / "background" / f"{number}.png"), np.full((50, 50, 3), 40 * number, np.uint8))
    return folder


@pytest.fixture(scope="module")
def cost():
    with Meter() as meter, meter.phase("train"):
        sum(range(300_000))
    return meter.cost()


def outcome(cost, *seconds: float) -> Outcome:
    row = {"pictures": 100, "loss_classification": 1e-4, "loss_boxes": 0.006, "accuracy": 1.0, "said_face_without": 1.0}
    return Outcome("made-up", Path(), [row | {"train_s": s} for s in seconds], {}, cost)


@pytest.fixture
def runs(cost) -> dict[Condition, Outcome]:
    times = {(1, 0): (9, 4, 4), (1, 1): (9, 2, 2), (16, 0): (3, 2, 2), (16, 1): (3, 1, 1)}
    return {Condition(*key): outcome(cost, *seconds) for key, seconds in times.items()}


def bundle_of(net: PNet, path: Path, rule: CascadeRule | None = None) -> Path:
    from ligera.deploy.export.cascade import export_cascade

    card = BundleCard("p", Preprocess(scale=(1 / 255,) * 3, multiple=1), Decoding())
    export_cascade([net], card, rule or CascadeRule(), path)
    return path


def always(logit: float) -> PNet:
    """A P-Net that gives every cell the same score and leaves every window where it is."""
    net = PNet(score_channels=1)
    with torch.no_grad():
        for head in (net.scores, net.boxes):
            head.weight.zero_()
            head.bias.zero_()
        net.scores.bias.fill_(logit)
    return net


def test_every_batch_meets_every_number_of_workers_under_a_name_of_its_own() -> None:
    conditions = plan.conditions(SETTINGS)
    assert [(one.batch, one.workers) for one in conditions] == [(1, 0), (1, 1), (16, 0), (16, 1)]
    assert len({one.name for one in conditions}) == 4


def test_the_recipe_is_the_papers_protocol() -> None:
    recipe = parse_recipe(plan.recipe(SETTINGS, Condition(16, 1)) | {"name": "a"}, "test")
    assert (recipe.batch, recipe.workers, recipe.side_px, recipe.box_weight) == (16, 1, 128, 0.5)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.schedule) == (1e-4, 0, "constant")


def test_the_papers_totals_are_its_epochs_but_for_what_lies_between_them() -> None:
    for batch, total in PAPER_TOTALS_S.items():
        assert len(PAPER_EPOCHS_S[batch]) == 15
        assert 0 < total - sum(PAPER_EPOCHS_S[batch]) < 0.2


def test_epochs_stand_beside_the_papers(runs: dict[Condition, Outcome]) -> None:
    table = tables.epochs_table(runs, "somewhere")
    assert table.rows[0] == ("1", "222.06", "31.71", "9.00", "9.00", "3.00", "3.00")
    assert table.rows[-1][0] == "total" and table.rows[-1][3] == "17.00"


def test_batch_and_workers_are_told_apart(runs: dict[Condition, Outcome]) -> None:
    speed = {row[0]: row for row in tables.speed_table(runs).rows}
    assert (speed["batch 16, 1 workers"][1], speed["batch 16, 1 workers"][-1]) == ("1.00", "4.00x")
    assert speed["paper, batch 16"][-1] == "1.30x"
    said = tables.verdict(runs, {"batch 1": YES}, None)
    assert said[0].startswith("batch 16 instead of 1, all else equal: 2.00x")
    assert said[1].startswith("input workers 1 instead of 0, all else equal: 2.00x")


def test_what_is_proposed_stands_beside_the_paper_and_a_network_with_negatives(runs) -> None:
    judged = {"batch 1": YES, "with negatives": TRAINED}
    table = tables.proposals_table(SETTINGS, judged)
    assert table.rows[0] == ("boxes left", "111,082", "9,000", "50")
    said = tables.verdict(runs, judged, "with negatives")
    assert any(
        "batch 1: 100.0% of all cells pass" in sentence and "99.9% in pictures without" in sentence for sentence in said
    )
    assert "90.0% of the faces" in said[-1]
    assert tables.learnt_table(SETTINGS, runs).rows[0][1:4] == ("1.00e-04", "0.0120", "1.0000")


def test_a_network_that_always_says_yes_lets_every_cell_through(face_folder: Path, tmp_path: Path) -> None:
    samples = proposals.judged_samples(face_folder, 10)
    assert [len(group) for group in samples] == [4, 2]
    found = proposals.judge(bundle_of(always(5), tmp_path / "yes.onnx"), samples, 0.7, 0.7)
    assert (found.passed, found.passed_without) == (1.0, 1.0)
    assert found.boxes == found.positive + found.part + found.negative > 100
    assert found.covered == 1.0 and found.least_iou == 0 < found.mean_iou < 0.2 < found.largest_iou


def test_one_that_always_says_no_proposes_nothing(face_folder: Path, tmp_path: Path) -> None:
    samples = proposals.judged_samples(face_folder, 1)
    found = proposals.judge(bundle_of(always(-5), tmp_path / "no.onnx"), samples, 0.7, 0.7)
    assert (found.boxes, found.passed, found.passed_without, found.covered) == (0, 0, 0, 0)
    assert np.isnan(found.mean_iou)
    assert tables.proposals_table(SETTINGS, {"no": found}).rows[6][-1] == "-"


def test_overlaps_are_those_of_the_nearest_face(face_folder: Path) -> None:
    sample = read_retinaface(face_folder).samples[0]
    boxes = np.array([[20, 15, 50, 45], [0, 0, 5, 5], [20, 15, 50, 30]], np.float32)
    own, met = proposals._overlaps(boxes, sample, 20)
    np.testing.assert_allclose(own, [1, 0, 0.5])
    assert met.tolist() == [1]
    assert len(proposals._overlaps(boxes, sample, 31)[1]) == 0


def test_a_bundle_that_is_no_cascade_and_a_folder_without_faces_are_named(face_folder: Path, tmp_path: Path) -> None:
    samples = proposals.judged_samples(face_folder, 1)
    with pytest.raises(LigeraError, match=r"face-small: is no cascade"):
        proposals.judge(Path("face-small"), samples, 0.7, 0.7)
    with pytest.raises(LigeraError, match="nowhere"):
        proposals.judged_samples(tmp_path / "nowhere", 1)


@pytest.mark.parametrize(
    ("change", "words"), [("batches=[16,16]", "each once"), ("worker=1", "did you mean 'workers'")]
)
def test_a_wrong_setting_is_named(change: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_settings("mtcnn-parallel", study, ("data=x", change), quick=True)


def test_the_whole_study_runs_on_a_few_pictures_and_is_not_trained_twice(face_folder: Path, tmp_path: Path) -> None:
    p_net = bundle_of(always(-5), tmp_path / "p.onnx")
    small = ("pictures=4", "epochs=1", "batches=[1,2]", "workers=[0]", "side_px=32", "judged_pictures=1", "threads=1")
    overrides = (f"data={face_folder}", f"p_net={p_net}", *small)
    told: list[dict] = []
    report = run_study("mtcnn-parallel", overrides, True, tmp_path / "study", told.append)
    assert [len(table.rows) for table in report.tables] == [2, 4, 4, 10]
    assert any("P-Net with negatives" in sentence for sentence in report.said)
    assert len(json.loads((tmp_path / "study" / "report.json").read_text())["tables"]) == 4
    weights = tmp_path / "study" / "train" / "batch1-workers0" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    run_study("mtcnn-parallel", overrides, True, tmp_path / "study", None)
    assert weights.stat().st_mtime_ns == before
