"""``iqmaps weights``: list, verify, show."""

import json

from napari_iqmaps.core import models


def test_list_is_the_default(iqmaps):
    for words in (["weights"], ["weights", "list"]):
        result = iqmaps(*words)
        assert result.exit_code == 0
        for name, record in models.registry().items():
            assert name in result.stdout
            assert record["sha256"][:12] in result.stdout


def test_list_as_json(iqmaps):
    for words in (["weights", "--json"], ["weights", "list", "--json"]):
        records = json.loads(iqmaps(*words).stdout)
        assert {record["name"] for record in records} == set(models.registry())
        assert all(record["bytes"] > 0 for record in records)


def test_verify(iqmaps, tmp_path, monkeypatch):
    result = iqmaps("weights", "verify")
    assert result.exit_code == 0
    assert "contrast: as registered" in result.stdout
    damaged = {"damaged": {**models.registry()["contrast"], "sha256": "0" * 64}, **models.registry()}
    monkeypatch.setattr("napari_iqmaps.core.models.registry", lambda: damaged)
    result = iqmaps("weights", "verify")
    assert result.exit_code == 1
    assert "have changed" in result.stderr
    assert "contrast: as registered" in result.stdout  # one damaged file does not hide the others
    found = json.loads(iqmaps("weights", "verify", "--json").stdout)
    assert [row["ok"] for row in found] == [False] + [True] * (len(found) - 1)
    assert "see verify" in iqmaps("weights").stdout


def test_show(iqmaps):
    result = iqmaps("weights", "show", "contrast")
    assert result.exit_code == 0
    assert models.registry()["contrast"]["sha256"] in result.stdout
    found = json.loads(iqmaps("weights", "show", "contrast", "--json").stdout)
    assert found["network"] == "contrast"
    assert "model_card" in found
