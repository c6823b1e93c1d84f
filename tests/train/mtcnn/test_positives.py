"""Paper A's protocol: what it trains on, and that it ends where it must."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ligera.errors import LigeraError
from ligera.train.mtcnn.positives import PositivesTask
from ligera.train.reading import parse_recipe
from ligera.train.run import resume, start
from ligera.train.sampling import SampleKey


@pytest.fixture(scope="module")
def largest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six noisy pictures of 80x40 px with a small and a large face, three without any."""
    folder = tmp_path_factory.mktemp("largest")
    generator = np.random.default_rng(0)
    (folder / "background").mkdir()
    lines = []
    for number in range(6):
        pixels = generator.integers(0, 255, (40, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
        lines += [f"# {number}.png", "2 2 8 8", "20 10 40 20"]
    for number in range(3):
        cv2.imwrite(str(folder / "background" / f"{number}.png"), np.full((40, 40, 3), 90, np.uint8))
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def values(largest_folder: Path) -> dict:
    plain = {"name": "yes", "task": "mtcnn-positives", "data": str(largest_folder), "batch": 2, "epochs": 2}
    return plain | {"side_px": 64, "warmup_steps": 0, "weight_decay": 0.0, "ema_decay": 0.0, "threads": 1}


def test_a_sample_is_the_whole_picture_and_its_largest_face_in_shares_of_it(values: dict) -> None:
    task = PositivesTask(parse_recipe(values, "test"))
    planes, box, row, weight = task.dataset[SampleKey(0, 0, 0, 4)]
    assert planes.shape == (3, 64, 64) and planes.dtype == torch.uint8
    np.testing.assert_allclose(box, [20 / 80, 10 / 40, 60 / 80, 30 / 40])
    assert (int(row), float(weight)) == (4, 1.0)
    assert len(task.dataset) == 6


def test_the_network_is_the_papers_and_its_map_has_59_by_59_cells() -> None:
    network = PositivesTask.network(None)  # type: ignore[arg-type]
    assert sum(weights.numel() for weights in network.parameters()) == 6599
    assert network(torch.zeros(1, 3, 128, 128)).scores.shape == (1, 59 * 59, 1)


def test_the_loss_is_binary_cross_entropy_and_half_of_huber_over_all_cells(values: dict) -> None:
    task = PositivesTask(parse_recipe(values, "test"))
    torch.manual_seed(0)
    network = task.network()
    batch = next(iter(task.batches(None, [[SampleKey(0, 0, 0, 1), SampleKey(0, 0, 1, 2)]], torch.device("cpu"))))
    raw = network(batch.pixels / 255)
    found = task.loss(network, batch, task.count(batch)).parts
    assert found["classification"].item() == pytest.approx(-raw.scores.sigmoid().log().mean().item(), rel=1e-4)
    far = (raw.boxes - batch.boxes[:, None]).abs()
    huber = torch.where(far < 1, far.square() / 2, far - 0.5).mean()
    assert found["boxes"].item() == pytest.approx(0.5 * huber.item(), rel=1e-4)


def test_it_learns_to_say_yes_to_everything(values: dict, tmp_path: Path) -> None:
    changes = {"epochs": 20, "learning_rate": 0.01, "evaluate_every": 20}
    metrics = start(parse_recipe(values | changes, "test"), tmp_path).metrics
    assert metrics["accuracy"] == 1
    assert metrics["said_face_without"] == 1
    assert metrics["loss_classification"] < 0.05


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_change_nothing_and_a_stopped_run_goes_on(values: dict, tmp_path: Path, workers: int) -> None:
    whole = start(parse_recipe(values, "test"), tmp_path / "whole").folder
    recipe = parse_recipe(values | {"workers": workers, "checkpoint_every_steps": 1}, "test")

    class Stopped(Exception):
        pass

    def stop(row: dict) -> None:
        if row.get("epoch") == 1 and row.get("step") == 2:
            raise Stopped

    with pytest.raises(Stopped):
        start(recipe, tmp_path, stop)
    again = resume(tmp_path / "train" / "yes").folder
    one, other = load_file(whole / "weights.safetensors"), load_file(again / "weights.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pictures": 7}, "pictures: 7 are more than the 6"),
        ({"data": "nowhere"}, "nowhere"),
        ({"batch": 7}, "batch: 7"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict, change: dict, words: str) -> None:
    with pytest.raises(LigeraError, match=words) as caught:
        PositivesTask(parse_recipe(values | change, "test"))
    assert "\n" not in str(caught.value)
