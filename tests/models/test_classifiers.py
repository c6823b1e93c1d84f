"""Classifiers by name: the paper's table to its printed sizes, timm's networks, and weights from files only."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ligera.errors import MissingExtra, ModelError, UsageError
from ligera.models import classifiers
from ligera.models.classifiers import build_classifier, summarize_classifier
from ligera.models.conv14 import Conv14

# Table 1 of paper D: channels and side after each convolution and pooling, for 32 px.
TABLE = [
    *[("Conv2d", 32, 32)] * 3,
    ("MaxPool2d", 32, 16),
    *[("Conv2d", 64, 16)] * 4,
    ("MaxPool2d", 64, 8),
    *[("Conv2d", 128, 4)] * 4,
    ("MaxPool2d", 128, 2),
    *[("Conv2d", 128, 2)] * 3,
    ("AdaptiveAvgPool2d", 128, 1),
]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_size_is_the_one_that_the_table_prints(batch_norm: bool) -> None:
    net, seen = Conv14(10, batch_norm=batch_norm).eval(), []

    def note(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        assert output.shape[2] == output.shape[3]
        seen.append((type(module).__name__, output.shape[1], output.shape[2]))

    for module in net.modules():
        if type(module).__name__ in {kind for kind, _, _ in TABLE}:
            module.register_forward_hook(note)
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert seen == TABLE


def test_parameters_and_multiply_adds_are_those_counted_by_hand() -> None:
    rows = [(3, 32, 32), *[(32, 32, 32)] * 2, (32, 64, 16), *[(64, 64, 16)] * 3, (64, 128, 4)]
    rows += [*[(128, 128, 4)] * 3, *[(128, 128, 2)] * 3]
    weights = sum(9 * enters * leaves for enters, leaves, _ in rows)
    biases = sum(leaves for _, leaves, _ in rows)
    head = 128 * 10
    plain = summarize_classifier("conv14-plain", 10, 32)
    assert plain.parameters == weights + biases + head + 10 == 1_109_322
    assert plain.macs == sum(9 * enters * leaves * side**2 for enters, leaves, side in rows) + head == 62_817_536
    normed = summarize_classifier("conv14", 10, 32)
    assert normed.parameters == weights + 2 * biases + head + 10
    assert normed.macs == plain.macs


@pytest.mark.parametrize(("height", "width"), [(12, 12), (16, 40), (33, 31), (64, 64)])
def test_other_sides_and_any_number_of_classes_work(height: int, width: int) -> None:
    assert Conv14(3).eval()(torch.zeros(2, 3, height, width)).shape == (2, 3)


def test_a_side_too_small_is_said_to_be_so() -> None:
    with pytest.raises(ValueError, match="sides of 12 px or more, got 11x32 px"):
        Conv14(3)(torch.zeros(1, 3, 11, 32))
    with pytest.raises(UsageError, match="conv14 cannot take pictures of 11 x 11 px"):
        summarize_classifier("conv14", 3, 11)


@pytest.mark.parametrize("name", classifiers.CLASSIFIERS)
def test_the_start_carries_the_signal_through_all_layers(name: str) -> None:
    torch.manual_seed(0)
    net = build_classifier(name, 10)
    logits = net(torch.randn(32, 3, 32, 32))
    # with torch's own start and no batch norm it is 1e-7: all pictures look the same
    assert 0.005 < logits.std(dim=0).mean() < 5
    logits.square().mean().backward()
    first = next(net.parameters()).grad
    assert torch.isfinite(first).all() and first.abs().max() > 1e-6


@pytest.mark.parametrize(("name", "rate"), [("conv14", 1e-3), ("conv14-plain", 3e-4)])
def test_ours_learn_two_pictures_by_heart(name: str, rate: float) -> None:
    torch.manual_seed(0)
    net, pictures, labels = build_classifier(name, 2), torch.randn(2, 3, 16, 16), torch.tensor([0, 1])
    optimiser = torch.optim.Adam(net.parameters(), rate)
    for _ in range(25):
        loss = nn.functional.cross_entropy(net(pictures), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1


def test_a_network_of_timm_is_built_by_its_name() -> None:
    net = build_classifier("resnet18", 7)
    assert net.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 7)
    # 11,176,512 without the last layer: He et al. 2016 at 1,000 classes have 11,689,512
    assert summarize_classifier("resnet18", 7, 32).parameters == 11_176_512 + 7 * 513


@pytest.mark.parametrize("name", ["conv14", "resnet18"])
def test_building_touches_no_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("reached for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert isinstance(build_classifier(name, 3), nn.Module)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conv41", "did you mean 'conv14'"),
        ("resnet81", "did you mean 'resnet18'"),
        ("hf-hub:timm/resnet18", "known: conv14"),
    ],
)
def test_an_unknown_name_gets_a_hint_and_no_download(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no classifier is called '{name}'.*{hint}"):
        build_classifier(name, 3)


@pytest.mark.parametrize("classes", [1, 0, -1, 2.0, True, "10"])
def test_classes_are_two_or_more(classes: object) -> None:
    with pytest.raises(UsageError, match="classes: expected a whole number of 2 or more"):
        build_classifier("conv14", classes)


def test_a_network_that_takes_one_size_only_says_so() -> None:
    with pytest.raises(UsageError, match=r"vit_tiny_patch16_224 cannot take pictures of 32 x 32 px \(Input height"):
        summarize_classifier("vit_tiny_patch16_224", 3, 32)


def test_without_timm_ours_still_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    build_classifier("conv14", 3)
    with pytest.raises(MissingExtra, match=r"'resnet18'.* needs timm.*ligera\[train\]"):
        build_classifier("resnet18", 3)


def write_weights(file: Path, state: dict) -> Path:
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


def same(ours: nn.Module, theirs: nn.Module, but: str = "-") -> bool:
    other = theirs.state_dict()
    return all(torch.equal(v, other[k]) for k, v in ours.state_dict().items() if not k.startswith(but))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", ["conv14", "mobilenetv3_small_050"])
def test_weights_come_from_a_file(tmp_path: Path, name: str, suffix: str) -> None:
    theirs = build_classifier(name, 5)
    file = write_weights(tmp_path / f"weights{suffix}", theirs.state_dict())
    assert not same(build_classifier(name, 5), theirs)
    assert same(build_classifier(name, 5, file), theirs)


@pytest.mark.parametrize(("name", "head"), [("conv14", "head"), ("mobilenetv3_small_050", "classifier")])
def test_the_last_layer_stays_random_for_other_classes_or_where_the_file_has_none(
    tmp_path: Path, name: str, head: str
) -> None:
    theirs = build_classifier(name, 5)
    file = write_weights(tmp_path / "weights.safetensors", theirs.state_dict())
    ours = build_classifier(name, 3, file)
    assert same(ours, theirs, but=head) and getattr(ours, head).weight.shape[0] == 3
    headless = {key: value for key, value in theirs.state_dict().items() if not key.startswith(head)}
    ours = build_classifier(name, 5, write_weights(tmp_path / "headless.safetensors", headless))
    assert same(ours, theirs, but=head) and not same(ours, theirs)


def test_wrappings_of_other_trainers_are_undone(tmp_path: Path) -> None:
    theirs = build_classifier("conv14", 3)
    state = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    file = write_weights(tmp_path / "checkpoint.pth", {"state_dict": state, "epoch": 3})
    assert same(build_classifier("conv14", 3, file), theirs)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = write_weights(tmp_path / "w.pth", build_classifier("conv14-plain", 3).state_dict())
    with pytest.raises(ModelError, match=r"w\.pth: its weights are not those of conv14: \d+ of \d+ tensors differ"):
        build_classifier("conv14", 3, file)


class Trap:
    def __reduce__(self) -> tuple:
        return print, ("ran",)


@pytest.mark.parametrize(
    ("name", "content"), [("w.pth", None), ("w.pth", b"hello"), ("w.pth", b""), ("w.safetensors", b"\xff" * 40)]
)
def test_a_file_that_is_no_weights_runs_nothing_and_is_one_line(
    tmp_path: Path, name: str, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    if content is None:
        torch.save({"a": Trap()}, file)
    else:
        file.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as weights alone") as caught:
        build_classifier("conv14", 3, file)
    assert "\n" not in str(caught.value) and capsys.readouterr().out == ""


@pytest.mark.parametrize("path", ["none.safetensors", "https://example.org/resnet18.pth", "imagenet", "a\0b"])
def test_weights_that_are_not_here_are_not_fetched(path: str) -> None:
    with pytest.raises(ModelError, match="no such weights file; Ligera downloads none"):
        build_classifier("conv14", 3, path)
