"""The doctor tells what is here without guessing."""

import json

from ligera.deploy.doctor import diagnose, read_requirements


def test_requirements_are_grouped_by_the_extra_that_brings_them() -> None:
    lines = [
        "numpy>=1.26",
        "torch>=2.11; extra == 'train'",
        'ray[tune]>=2 ; extra == "cluster"',
        "scipy; extra=='train'",
    ]
    assert read_requirements(lines) == {"": ("numpy",), "train": ("torch", "scipy"), "cluster": ("ray",)}


def test_a_diagnosis_is_plain_json_and_knows_this_installation() -> None:
    found = diagnose()
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["packages"]["numpy"] and plain["packages"]["onnxruntime"]
    assert "CPUExecutionProvider" in plain["providers"]
    extras = {extra.name: extra for extra in found.extras}
    assert "torch" in (*extras["train"].present, *extras["train"].missing)
    assert all(extra.purpose for extra in found.extras)
    assert any(source["works"] for source in plain["power"]) and all(source["detail"] for source in plain["power"])
