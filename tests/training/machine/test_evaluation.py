"""Scores are the product's, figures are those of drawn rows, and what is done is not done again."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from skimage import data, metrics
from skimage.color import rgb2gray

import napari_iqmaps as iq
from napari_iqmaps import InputError
from napari_iqmaps.core.networks.metrifier import Metrifier
from napari_iqmaps.training.evaluation import agreement, machine
from napari_iqmaps.training.evaluation import machine_figures as tables
from napari_iqmaps.training.evaluation.agreement import Draws, agreements_with, fit_logistic
from napari_iqmaps.training.evaluation.machine import Distorted, measured, metrifier_scores
from napari_iqmaps.training.weights import write_weights

PHOTOGRAPH = data.astronaut()
KINDS = ("gaussian_blur", "gaussian_noise", "jpeg")


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 40)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random metrifiers; the first was told to have left a distortion out and to have learnt consistency."""
    folder, paths = tmp_path_factory.mktemp("weights"), []
    for seed, header in ((0, {"left_out": "jpeg", "target": "consistency"}), (1, {"left_out": ""})):
        (folder / f"run{seed}").mkdir()
        paths.append(folder / f"run{seed}" / "metrifier.safetensors")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            write_weights(paths[-1], "metrifier", Metrifier(), header)
    return paths


def undistorted(name, side=32):
    """A part of a photograph."""
    row, column = divmod(int(name[1:]), 10)
    return PHOTOGRAPH[20 + 37 * row :, 150 + 11 * column :][:side, :side]


class Remaking:
    """Makes pictures of rows as `iqmaps label` does, and counts them."""

    def __init__(self, side=32):
        self.side = side
        self.made = 0

    def __call__(self, rows):
        self.made += len(rows)
        return np.stack([self.one(row) for row in rows.itertuples()])

    def one(self, row):
        picture = undistorted(row.image, self.side)
        if row.distortion == "flat":
            return np.full_like(picture, 90)
        if row.distortion == "none":
            return picture
        return iq.distort(picture, row.distortion, row.severity, seed=row.seed, channel_axis=-1)


@pytest.fixture
def labels():
    """Eight pictures, three severities of three distortions; labels fall with the picture's number and the severity."""
    rng = np.random.default_rng(0)
    rows = []
    for image in range(8):
        for kind, severity in [("none", 0), *((kind, level) for kind in KINDS for level in (1, 3, 5))]:
            mean = 0.95 - 0.05 * image - 0.09 * severity - 0.1 * (kind == "jpeg") + rng.uniform(0, 0.05)
            rows.append((f"i{image}", "cat", kind, severity, 100 * image + severity, mean, mean**2, mean))
    return pd.DataFrame(rows, columns=["image", "class", "distortion", "severity", "seed", "p_one", "c_one", "mean"])


def test_figures_and_intervals_are_those_of_drawn_rows():
    rng = np.random.default_rng(1)
    images = np.array([f"i{number}" for number in rng.integers(0, 12, 150)], dtype=object)
    label = rng.uniform(size=150) ** 2
    methods = {"fine": label + rng.normal(0, 0.3, 150), "stepped": np.round(4 * label + rng.normal(0, 1, 150))}
    found = agreements_with(label, methods, Draws(images, 3))
    rng, names = np.random.default_rng(3), np.unique(images.astype(str))
    members = [np.flatnonzero(images == name) for name in names]
    drawn = [
        np.concatenate([members[code] for code in rng.integers(len(names), size=len(names))])
        for _ in range(agreement.DRAWS)
    ]
    for name, scores in methods.items():
        bent = fit_logistic(scores, label)[0](scores)
        for figure, one, measure in (
            ("srcc", scores, lambda *pair: stats.spearmanr(*pair).statistic),
            ("plcc", scores, lambda *pair: stats.pearsonr(*pair).statistic),
            ("plcc_logistic", bent, lambda *pair: stats.pearsonr(*pair).statistic),
            ("rmse", bent, lambda first, second: np.sqrt(np.mean((first - second) ** 2))),
        ):
            low, high = np.percentile([measure(one[rows], label[rows]) for rows in drawn], [2.5, 97.5])
            ours = getattr(found[name], figure)
            assert (ours.value, ours.low, ours.high) == pytest.approx((measure(one, label), low, high), abs=1e-9)


def test_figures_that_there_are_not_have_a_reason():
    rng = np.random.default_rng(0)
    label, images = rng.uniform(size=8), np.array(list("aaaabbbb"), dtype=object)
    found = agreements_with(label, {"flat": np.ones(8), "one": label**2}, Draws(images))
    assert math.isnan(found["flat"].srcc.value)
    assert found["flat"].srcc.reason == "all scores are equal"
    assert (found["one"].srcc.value, found["one"].srcc.reason) == (1, "fewer than 3 scenes, so no interval")
    few = agreements_with(label[:4], {"one": label[:4]}, Draws(images[:4]))["one"]
    assert "4 images, fewer than 5" in few.plcc.reason


@pytest.mark.parametrize("side", [32, 45, 64, 18])
def test_scores_in_batches_are_those_a_user_gets(side, weights):
    rows = pd.DataFrame({"image": ["i0", "i7", "i3", "i1"], "distortion": ["none", "jpeg", "gaussian_noise", "flat"],
                         "severity": [0, 4, 3, 5], "seed": [0, 1, 2, 3]})  # fmt: skip
    remake = Remaking(side)
    found = metrifier_scores(Distorted(rows, remake), np.arange(4), weights[0], device="cpu")
    users = [iq.machine_quality(picture, channel_axis=-1, weights=weights[0], device="cpu") for picture in remake(rows)]
    np.testing.assert_allclose(found, [user.value for user in users], atol=1e-6)
    assert np.isnan(found).tolist() == [False, False, False, True]
    assert np.ptp(found[:3]) > 1e-4


def test_measures_see_the_undistorted_picture(labels):
    rows = labels.iloc[[12, 10, 35, 1]].reset_index(drop=True)
    remake = Remaking()
    found = measured(Distorted(rows, remake), np.arange(4))
    for row, (psnr, ssim, blur) in zip(rows.itertuples(), found, strict=True):
        test, reference = (255 * rgb2gray(each) for each in (remake.one(row), undistorted(row.image)))
        if row.distortion == "none":
            assert (psnr, ssim) == (math.inf, 1)
            continue
        assert psnr == pytest.approx(metrics.peak_signal_noise_ratio(reference, test, data_range=255), abs=0.02)
        assert 0.1 < ssim < 1
        assert 0 < blur < 1


def test_what_is_scored_is_kept(labels, weights, tmp_path):
    labels, remake = labels[labels["image"] < "i4"].reset_index(drop=True), Remaking()

    def scored(**options):
        remake.made = 0
        return machine.scored(labels, remake, weights, data="d", folder=tmp_path, device="cpu", **options)

    told = []

    def stop(what, done, total):
        told.append((what, done, total))
        if "run0" in what and done == 32:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        scored(report=stop)
    assert told[1] == ("scores of PSNR, SSIM, blur_effect", 40, 40)
    made = remake.made
    first, names = scored()
    assert remake.made == len(labels) < made  # the measures were kept
    assert names == ["machine quality (run0/metrifier)", "machine quality (run1/metrifier)"]
    again, _ = scored()
    assert remake.made == 0
    pd.testing.assert_frame_equal(first, again)
    changed, _ = machine.scored(labels, remake, weights[:1], data="other", folder=tmp_path, device="cpu")
    assert remake.made > len(labels)
    assert list(changed.columns[-1:]) == ["machine quality (metrifier)"]
    clean, psnr = first["distortion"] == "none", first["PSNR"]
    assert np.ptp(psnr[clean]) == 0  # above the others by their range
    assert psnr[clean].iloc[0] - psnr[~clean].max() == pytest.approx(np.ptp(psnr[~clean]))

    # The other metrifier tells consistency, which the table has not.
    (path,) = tmp_path.glob("residuals_*.csv")
    residuals = pd.read_csv(path)
    assert list(residuals) == ["score", "label", "distortion", "severity", "image"]
    np.testing.assert_allclose(residuals["score"], first[names[1]])
    np.testing.assert_allclose(residuals["label"], labels["mean"])


def other_of(labels, worker="four"):
    """What another worker says, in another order, with other seeds of what has no distortion, and less of it."""
    other = labels.rename(columns={"p_one": f"p_{worker}", "c_one": f"c_{worker}"}).sample(frac=1, random_state=0)
    other["seed"] += 7 * (other["distortion"] == "none")
    return other[other["image"] != "i7"].assign(**{f"p_{worker}": lambda table: table[f"p_{worker}"] / 2})


def test_other_workers_are_joined_picture_by_picture(labels):
    rows, joined = machine.with_other_labels(labels, {"later": other_of(labels)})
    assert joined == ["p_four", "c_four"]
    there = rows["image"] != "i7"
    np.testing.assert_array_equal(rows.loc[there, "p_four"], labels.loc[there, "p_one"] / 2)
    assert rows.loc[~there, "p_four"].isna().all()
    several = other_of(labels).assign(p_five=0.5)
    assert machine.with_other_labels(labels, {"t": several})[1] == ["p_four", "c_four", "p_five", "mean (t)"]
    with pytest.raises(InputError, match="worker 'one' is in two tables"):
        machine.with_other_labels(labels, {"later": other_of(labels, "one")})
    with pytest.raises(InputError, match="none of the 80 pictures"):
        machine.with_other_labels(labels, {"later": other_of(labels).assign(severity=2)})


def rows_with(labels, **scores):
    measures = {"PSNR": labels["mean"], "SSIM": labels["mean"], "blur_effect": -labels["mean"]}
    return labels.assign(**measures, **scores)


def test_figures_by_distortion_and_for_what_was_left_out(labels):
    rows, joined = machine.with_other_labels(labels, {"later": other_of(labels)})
    rows = rows_with(rows, good=rows["mean"] ** 3, bad=-rows["mean"])
    table = tables.figures(rows, ["good", "bad"], ["mean", *joined], others=joined, left_out=["jpeg"])
    found = table.set_index(["target", "type", "method"])
    assert found.loc[("mean", "all", "good"), "srcc"].value == 1
    assert found.loc[("mean", "all", "bad"), "srcc"].value == -1
    assert found.loc[("mean", "jpeg", "blur_effect"), "srcc"].value == 1
    assert found.loc[("mean", "jpeg", "severity"), "srcc"].value > 0.8
    assert "all scores are equal" in found.loc[("mean", "none", "severity"), "srcc"].reason
    unfitted = found.loc[("mean", "jpeg", "good"), "rmse_unfitted"]
    jpeg = rows[rows["distortion"] == "jpeg"]
    assert unfitted.value == pytest.approx(math.sqrt(((jpeg["good"] - jpeg["mean"]) ** 2).mean()))
    assert unfitted.low < unfitted.value < unfitted.high
    assert math.isnan(found.loc[("mean", "jpeg", "PSNR"), "rmse_unfitted"].value)
    counts = found.xs("good", level="method")[["images", "scenes"]]
    for target, scenes in (("mean", 8), ("p_four", 7)):
        assert counts.loc[target].T.to_dict("list") == {
            "all": [10 * scenes, scenes], "distorted": [9 * scenes, scenes],
            "left out of training": [3 * scenes, scenes], "not left out": [6 * scenes, scenes],
            **{kind: [3 * scenes, scenes] for kind in KINDS}, "none": [scenes, scenes],
        }  # fmt: skip
    assert found.loc[("p_four", "all", tables.WORKERS), "srcc"].value == 1
    assert ("mean", "all", tables.WORKERS) not in found.index
    words = tables.by_type(table, "mean").set_index("type")
    assert words.loc["jpeg", ["images", "good", "bad", "PSNR"]].tolist() == [24, "1.00", "-1.00", "1.00"]


def test_falls_with_severity(labels):
    rows = rows_with(labels, rising=labels["severity"] + 0.0, still=0.5)
    found = tables.falls(rows, ["mean", "rising", "still"]).set_index("type")
    assert found["ladders"].tolist() == [8, 8, 8]
    assert found.loc["jpeg", ["mean within", "rising within", "still within"]].tolist() == [-1, 1, 0]
    assert -1 < found.loc["gaussian_blur", "mean across"] < -0.7
    assert math.isnan(found.loc["jpeg", "still across"])
    means = labels[labels["distortion"] == "jpeg"].groupby("severity")["mean"].mean()
    assert found.loc["jpeg", ["mean at 1", "mean at 3", "mean at 5"]].tolist() == pytest.approx(means.tolist())
    assert found.loc["jpeg", "mean at 0"] == pytest.approx(labels.loc[labels["severity"] == 0, "mean"].mean())
    single = tables.falls(rows[rows["severity"].isin([0, 3])], ["mean"])
    assert single["ladders"].tolist() == [0, 0, 0]
    assert single["mean within"].isna().all()
    assert (single["mean across"] < -0.5).all()
    words = tables.fall_words(found.reset_index(), ["mean"])
    assert words.iloc[2, :3].tolist() == ["jpeg", "8", "-1.00"]
    assert words.iloc[2]["mean, means"].count(".") == 4


def test_pictures_without_an_answer_count_for_no_method(labels):
    rows = rows_with(labels, one=labels["mean"].where(labels.index != 3), two=labels["mean"].where(labels.index > 1))
    kept, silent = machine.answered(rows, ["one", "two"])
    assert (len(kept), silent) == (77, 3)


def test_markdown_says_what_the_labels_are(labels, tmp_path):
    rows = rows_with(labels, good=labels["mean"] ** 3)
    table = tables.figures(rows, ["good"], ["mean", "p_one"])
    tables.write_markdown(tmp_path / "o.md", table, {"By distortion": tables.by_type(table, "mean")})
    text = (tmp_path / "o.md").read_text()
    assert text.count("mean: the mean over workers of the probability of the true class.") == 1
    assert "| mean | all | good | 1.000 (1.000, 1.000) |" in text
    assert "| jpeg | 24 | 1.00 |" in text.split("By distortion")[1]
    assert "| mean | jpeg |" not in text
