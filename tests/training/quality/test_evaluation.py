"""Scores are the product's, what is judged was not learnt from, and what is done is not done again."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps import InputError
from napari_iqmaps.training.databases.manifest import pooled, read_manifest
from napari_iqmaps.training.evaluation import agreement, quality
from napari_iqmaps.training.evaluation.figures import agreements, as_markdown, for_screen
from napari_iqmaps.training.evaluation.measures import BESIDE_BLIND, blur_effect, shannon_entropy
from napari_iqmaps.training.evaluation.protocols import PROTOCOLS, Shares, folds_of
from napari_iqmaps.training.evaluation.published import with_published


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 40)  # of the intervals, which test_agreement is about


@pytest.fixture(scope="module")
def manifests(scored):
    return [read_manifest(path) for path in scored]


@pytest.fixture(scope="module")
def given(manifests, first_stage):
    return quality.fixed_scores(manifests, [("diqa", first_stage["diqa"]), ("deepbqa", first_stage["deepbqa"])])


def test_scores_are_those_a_user_gets(given, first_stage):
    row = given.iloc[20]
    image = np.asarray(Image.open(row["file"]))
    axis = None if image.ndim == 2 else -1
    for network, path in first_stage.items():
        found = iq.quality(image, channel_axis=axis, model=network, weights=path).value
        assert row[f"{network} ({network})"] == pytest.approx(found, abs=1e-4)
    assert list(given.columns[9:11]) == ["PSNR", "SSIM"]
    assert {"blur_effect", "estimate_sigma", "shannon_entropy"} <= set(given)


def test_measures_without_a_reference_do_not_see_it():
    rng = np.random.default_rng(0)
    test = rng.uniform(0, 255, (40, 48)).astype(np.float32)
    others = [rng.uniform(0, 255, test.shape).astype(np.float32) for _ in range(2)]
    for name, measure in BESIDE_BLIND.items():
        values = [measure(test, other) for other in others]
        assert (values[0] == values[1]) == (name not in ("PSNR", "SSIM"))
    smooth = (test + np.roll(test, 1, 0) + np.roll(test, 1, 1)) / 3
    assert blur_effect(smooth) > blur_effect(test)
    assert shannon_entropy(np.where(test > np.median(test), 200, 50).astype(np.float32)) == pytest.approx(1)


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "splits"])
def test_nothing_that_is_judged_was_learnt_from(protocol, manifests):
    table = pooled(manifests)
    shared = table.assign(scene=table["scene"].replace({"second0": "first0", "second1": "first1"}))
    for each in (table, shared):
        for fold in folds_of(protocol, each, Shares(3, 0.4)):
            train, test = each.iloc[fold.train], each.iloc[fold.test]
            assert len(train)
            assert set(train["scene"]).isdisjoint(test["scene"])
            if fold.types:
                assert set(test["type"]) == set(fold.types)
                assert set(train["type"]).isdisjoint(fold.types)
            if fold.learnt:
                assert set(train["database"]) == {fold.learnt}
                assert fold.learnt not in set(test["database"])


@pytest.mark.parametrize("shares_scenes", [False, True])
def test_across_databases_every_image_is_judged_once(shares_scenes, manifests):
    table = pooled(manifests)
    if shares_scenes:
        # Two of three scenes are in both.
        table = table.assign(scene=table["scene"].replace({"second0": "first0", "second1": "first1"}))
    folds = folds_of("cross-database", table)
    for name in set(table["database"]):
        tested = np.concatenate([fold.test for fold in folds if fold.learnt == name])
        assert sorted(tested) == np.flatnonzero(table["database"] != name).tolist()
    assert len(folds) == (6 if shares_scenes else 2)
    names = [fold.name for fold in folds]
    assert len(set(names)) == len(names)
    with pytest.raises(InputError, match="at least two"):
        folds_of("cross-database", table[table["database"] == "first"])
    with pytest.raises(InputError, match="no protocol 'guess'"):
        folds_of("guess", table)


def test_folds_are_trained_once_and_their_scores_kept(manifests, first_stage, score_recipe, tmp_path):
    told = []
    recipe = score_recipe(stage2_steps=3)

    def judged(config=recipe):
        told.clear()
        return quality.held_out_scores(
            manifests[:1], [config], "leave-one-scene-out", tmp_path, starts=[first_stage["diqa"]],
            report=lambda what, done, total: told.append(what),
        )  # fmt: skip

    first = judged()
    assert first["diqa"].between(0, 100).all()
    assert len(first) == 18
    assert any(what.startswith("training diqa, scene-first0 (1 of 3)") for what in told)
    run = next((tmp_path / "diqa").iterdir())
    kept = pd.read_csv(run / "held_out.csv")
    assert kept["scene"].nunique() == 1
    row = kept.iloc[2]
    luminance = np.asarray(Image.open(manifests[0].path.parent / row["file"].rpartition("/")[2]))
    axis = None if luminance.ndim == 2 else -1
    user = iq.quality(luminance, channel_axis=axis, model="diqa", weights=run / "diqa.safetensors")
    assert row["quality"] == pytest.approx(user.value, abs=1e-4)
    assert not (run / "last.ckpt").exists()

    residuals = pd.read_csv(tmp_path / "residuals_diqa.csv")
    assert residuals["fold"].nunique() == 3
    both = residuals.set_index("file").loc[[f"first/{name.rpartition('/')[2]}" for name in first["file"]]]
    np.testing.assert_allclose(both["score"], first["diqa"])
    np.testing.assert_allclose(both["target"], 100 * first["impairment"])
    assert not both["enough_evidence"].any()  # images of fewer pixels than the networks learn from

    pd.testing.assert_frame_equal(judged(), first)
    assert told == []
    with pytest.raises(InputError, match="another recipe"):
        judged(score_recipe(stage2_steps=4))


@pytest.mark.parametrize("network", ["diqa", "deepbqa"])
def test_what_the_training_has_seen_gives_the_same_scores(network, manifests, first_stage, score_recipe, tmp_path):
    given = (manifests[:1], [score_recipe(network, stage2_steps=2)], "splits")
    options = {"starts": [first_stage[network]], "shares": Shares(1, 0.3)}
    found = [
        quality.held_out_scores(*given, tmp_path / scoring, scoring=scoring, **options) for scoring in ("image", "seen")
    ]
    assert found[0]["split"].tolist() == [1] * 6
    np.testing.assert_allclose(found[0][network], found[1][network], atol=0.02)


def test_across_databases_each_has_a_column(manifests, first_stage, score_recipe, tmp_path):
    scores = quality.held_out_scores(
        manifests, [score_recipe(stage2_steps=1)], "cross-database", tmp_path, starts=[first_stage["diqa"]],
        scoring="seen",
    )  # fmt: skip
    own = scores["database"] == "first"
    assert scores["diqa from first"].isna().tolist() == own.tolist()
    assert scores["diqa from second"].notna().tolist() == own.tolist()
    judged, silent = quality.answered(scores)
    assert (len(judged), silent) == (36, {})
    figures = quality.judged_only(agreements(judged), judged)
    kept = figures[figures["method"].str.startswith("diqa") & (figures["type"] == "all")]
    assert dict(zip(kept["database"], kept["method"], strict=True)) == {
        "first": "diqa from second", "second": "diqa from first",
    }  # fmt: skip
    assert kept["srcc"].map(lambda figure: math.isfinite(figure.value)).all()


def test_images_without_an_answer_are_left_out_for_all_methods(given):
    silent = given.copy()
    silent.loc[[3, 20, 21], "diqa (diqa)"] = np.nan
    kept, counts = quality.answered(silent)
    assert counts == {"first": 1, "second": 2}
    assert sorted(set(given.index) - set(kept.index)) == [3, 20, 21]


def test_published_figures_stand_beside_databases_of_that_name(given, manifests):
    once = agreements(given)
    figures = once.assign(splits=3, **{f"{name}_median": once[name] for name in ("srcc", "plcc_logistic", "rmse")})
    assert with_published(figures, manifests) is figures
    live = copy.copy(manifests[0])
    object.__setattr__(live, "name", "LIVE_part")
    renamed = figures.assign(database=figures["database"].replace("first", "LIVE_part"))
    found = with_published(renamed, [live, manifests[1]])
    more = found[found["method"] == "DeepBQA (published)"]
    assert len(more) == 1
    row = more.iloc[0]
    assert (row["database"], row["type"], row["splits"]) == ("LIVE_part", "all", 3)
    assert (row["srcc"].value, row["plcc"].value, row["srcc_median"].value) == (0.970, 0.971, 0.970)
    assert "of all 779 images and 5 types; here are 18 images of 2 types" in row["note"]
    assert as_markdown(found).count("here are 18 images") == 1
    captions = [str(table.caption) for table in for_screen(found)]
    assert ["779" in caption for caption in captions] == [True, True, False, False]
