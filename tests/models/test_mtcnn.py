"""P-, R- and O-Net: shapes, the paper's own P-Net, others' weights in them, and the form they are exported in."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from ligera.errors import ModelError
from ligera.models.cascade import cells_along
from ligera.models.mtcnn import ChannelSlopes, ONet, PNet, RNet
from ligera.models.mtcnn_folded import Folded
from ligera.models.mtcnn_weights import FILES, mtcnn_from_facenet
from ligera.models.retinaface import RawOutputs
from ligera.records import Preprocess

INSTALLED = importlib.util.find_spec("facenet_pytorch")
needs_facenet = pytest.mark.skipif(INSTALLED is None, reason="facenet-pytorch, whose weights are compared, is missing")
NETS = {"P": (PNet, (2, 3, 30, 33), 10 * 12, 0), "R": (RNet, (2, 3, 24, 24), 1, 0), "O": (ONet, (2, 3, 48, 48), 1, 10)}


def facenet_folder() -> Path:
    assert INSTALLED is not None
    assert INSTALLED.origin is not None
    return Path(INSTALLED.origin).parent / "data"


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    torch.manual_seed(0)


def with_all_kinds_of_slopes(net: torch.nn.Module) -> torch.nn.Module:
    """Slopes below 0 and above 1, as trained networks have them."""
    for module in net.modules():
        if isinstance(module, ChannelSlopes):
            torch.nn.init.uniform_(module.weight, -1.5, 1.5)
    return net


def test_the_papers_proposal_network_has_6599_parameters_and_maps_128_pixels_to_59_cells() -> None:
    net = PNet(score_channels=1)
    assert sum(parameter.numel() for parameter in net.parameters()) == 6599
    raw = net(torch.zeros(1, 3, 128, 128))
    assert raw.scores.shape == (1, 59 * 59, 1)
    assert raw.boxes.shape == (1, 59 * 59, 4)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("training", [True, False])
def test_every_network_returns_the_same_record_with_the_stated_shapes(name: str, training: bool) -> None:
    net, shape, rows, points = NETS[name]
    raw = net().train(training)(torch.zeros(shape))
    assert isinstance(raw, RawOutputs)
    assert (raw.boxes.shape, raw.scores.shape) == ((2, rows, 4), (2, rows, 2))
    assert raw.landmarks.shape == (2, rows, points)


@pytest.mark.parametrize("side", range(12, 31))
def test_cells_are_counted_as_the_proposal_network_makes_them(side: int) -> None:
    assert PNet()(torch.zeros(1, 3, side, 12)).boxes.shape[1] == cells_along(side) * cells_along(12)


def test_cells_come_row_by_row() -> None:
    net = PNet()
    tall = net(torch.rand(1, 3, 30, 12))
    assert tall.boxes.shape[1] == cells_along(30)
    picture = torch.rand(1, 3, 30, 30)
    row = cells_along(30)
    # the second row of cells looks at the picture from its third pixel on
    torch.testing.assert_close(net(picture[:, :, 2:]).boxes[0, :row], net(picture).boxes[0, row : 2 * row])


@pytest.mark.parametrize(("net", "side"), [(RNet, 24), (ONet, 48)])
def test_crops_of_another_size_are_refused(net: type, side: int) -> None:
    with pytest.raises(ValueError, match=rf"expected {side}x{side} px, got 24x30"):
        net()(torch.zeros(1, 3, 24, 30))


@pytest.mark.parametrize("name", NETS)
def test_a_network_learns_two_pictures_by_heart(name: str) -> None:
    net, shape, rows, _ = NETS[name]
    net, pictures = net(), torch.rand(shape) - 0.5
    optimizer = torch.optim.Adam(net.parameters(), 0.003)
    truth = torch.tensor([0, 1]).repeat_interleave(rows)
    losses = []
    while len(losses) < 200 and (not losses or losses[-1] > 0.1):
        loss = torch.nn.functional.cross_entropy(net(pictures).scores.flatten(0, 1), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert losses[-1] <= 0.1


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_folded_for_export_a_network_answers_the_same_from_plain_pixels(name: str, channels: str) -> None:
    net, shape, _, _ = NETS[name]
    net = with_all_kinds_of_slopes(net())
    rule = Preprocess(mean=(104.0, 117.0, 123.0), scale=(0.01, 0.02, 0.03), channels=channels)
    pixels = torch.rand(shape) * 255
    ordered = pixels.flip(1) if channels == "bgr" else pixels
    prepared = (ordered - torch.tensor(rule.mean).view(3, 1, 1)) * torch.tensor(rule.scale).view(3, 1, 1)
    with torch.no_grad():
        plain, folded = net(prepared), Folded(net, rule)(pixels)
    torch.testing.assert_close(folded.scores, plain.scores[..., 1:] - plain.scores[..., :1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(folded.boxes, plain.boxes, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(folded.landmarks, plain.landmarks, atol=1e-5, rtol=1e-5)


def test_folding_leaves_the_network_itself_as_it_was() -> None:
    net = PNet()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    Folded(net, Preprocess(mean=(1.0, 2.0, 3.0)))
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize("slopes", [[0.1, 0.5, 2.0], [-1.0, -0.5, -0.1]])
def test_folding_takes_slopes_that_all_rise_or_all_fall(slopes: list[float]) -> None:
    net = PNet()
    with torch.no_grad():
        net.layers[1].weight.copy_(torch.tensor(slopes).repeat(4)[:10])
        picture = torch.rand(1, 3, 21, 22) - 0.5
        torch.testing.assert_close(Folded(net, Preprocess())(picture).boxes, net(picture).boxes, atol=1e-6, rtol=1e-5)


@needs_facenet
@pytest.mark.parametrize("place", [0, 1, 2])
def test_with_the_weights_of_facenet_pytorch_each_network_is_the_original(place: int) -> None:
    from facenet_pytorch.models import mtcnn as originals

    ours = mtcnn_from_facenet(facenet_folder())[place]
    theirs = (originals.PNet, originals.RNet, originals.ONet)[place]().eval()
    batch = torch.randn((2, 3, 31, 44) if place == 0 else (4, 3, 24 * place, 24 * place))
    with torch.no_grad():
        raw, (boxes, *points, scores) = ours(batch), theirs(batch)
    boxes, scores = (values.flatten(2).transpose(1, 2) if place == 0 else values[:, None] for values in (boxes, scores))
    torch.testing.assert_close(raw.boxes, boxes, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(raw.scores.softmax(2), scores, atol=1e-6, rtol=1e-5)
    if points:
        interleaved = points[0].view(-1, 2, 5).transpose(1, 2).flatten(1)
        torch.testing.assert_close(raw.landmarks[:, 0], interleaved, atol=1e-5, rtol=1e-5)


def write_weights(folder: Path, **replaced: object) -> Path:
    """Files of the right names with nothing in them, or what ``replaced`` says."""
    for name in FILES:
        torch.save(replaced.get(name.partition(".")[0], {}), folder / name)
    return folder


def test_a_missing_file_of_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pnet.pt: no such file; give the folder with facenet-pytorch's"):
        mtcnn_from_facenet(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x03\x04 broken", b"not weights at all"])
def test_a_damaged_file_of_weights_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pnet.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"pnet.pt: not a file of weights") as caught:
        mtcnn_from_facenet(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused_with_the_shape_that_differs(tmp_path: Path) -> None:
    folder = write_weights(tmp_path, pnet={"conv1.weight": torch.zeros(10, 3, 5, 5)})
    with pytest.raises(ModelError, match=r"pnet.pt: is no PNet of MTCNN .*expected") as caught:
        mtcnn_from_facenet(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"conv1.weight": "text"}, {1: torch.zeros(1)}])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ModelError, match=r"pnet.pt: not a file of weights \(expected names and tensors\)"):
        mtcnn_from_facenet(write_weights(tmp_path, pnet=content))


def test_scores_are_the_face_over_the_background() -> None:
    net = PNet()
    with torch.no_grad():
        net.scores.bias.copy_(torch.tensor([-4.0, 4.0]))
        margins = Folded(net, Preprocess())(torch.zeros(1, 3, 12, 12)).scores
    assert margins.shape == (1, 1, 1)
    np.testing.assert_allclose(margins.item(), 8, atol=0.5)
