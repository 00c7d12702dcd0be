"""Labels are what the workers say, of pictures that anyone can make again, whatever way the table came about."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import napari_iqmaps as iq
from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.training.machine import labels
from napari_iqmaps.training.machine.labels import distorted_batch, make_labels, pictures_of, read_labels
from napari_iqmaps.training.machine.pictures import read_pictures
from napari_iqmaps.training.machine.variants import LabelRequest
from napari_iqmaps.training.machine.workers import Preprocessing, Recogniser

TWO = ("blue", "red")


def means(name, *channels, scale=8.0, classes=TWO):
    """A worker that compares the means of channels."""
    return Recogniser(lambda colours: scale * colours.mean((2, 3))[:, list(channels)], name, classes)


WORKERS = [means("sharp", 2, 0, scale=20.0), means("more", 0, 1, 2, classes=("red", "green", "blue"))]


@pytest.fixture
def request_of():
    def make(**changes):
        return LabelRequest(**({"distortions": ("gaussian_noise", "saturation_loss", "jpeg"), "variants": 3} | changes))

    return make


@pytest.fixture
def small_chunks(monkeypatch):
    """Eight chunks, of two pictures each."""
    monkeypatch.setattr(labels, "_ROWS", 8)


def test_labels_are_what_the_workers_say(tmp_path, two_colours, request_of):
    table = make_labels(two_colours, WORKERS, request_of(), tmp_path / "t.csv")
    frame = table.frame
    assert table.workers == ("sharp", "more")
    assert len(frame) == table.record["rows"] == 16 * 4
    for position, row in frame.iterrows():
        picture = two_colours.pixels[two_colours.places[row["image"]]]
        first = frame.iloc[position - position % 4]
        assert (first["distortion"], first["severity"], first["image"]) == ("none", 0, row["image"])
        changed = picture
        if row["distortion"] != "none":
            changed = iq.distort(picture, row["distortion"], row["severity"], seed=row["seed"], channel_axis=-1)
        true, answers = [], dict.fromkeys(two_colours.classes, 0.0)
        for worker in WORKERS:
            clean, said = (
                worker(torch.from_numpy(each)[None].permute(0, 3, 1, 2) / 255)[0].numpy() for each in (picture, changed)
            )
            number = worker.classes.index(row["class"])
            true.append((said[number], said.argmax() == number, np.minimum(clean, said).sum()))
            for name in answers:
                answers[name] += said[worker.classes.index(name)] / len(WORKERS)
            assert row[f"p_{worker.name}"] == pytest.approx(said[number], abs=1e-5)
            assert row[f"c_{worker.name}"] == pytest.approx(true[-1][2], abs=1e-5)
        p, right, same = np.array(true, dtype=float).T
        assert row["mean"] == pytest.approx(p.mean(), abs=1e-5)
        assert row["spread"] == pytest.approx(abs(p[0] - p[1]) / 2, abs=1e-5)
        assert row["consistency"] == pytest.approx(same.mean(), abs=1e-5)
        assert row["top1"] == right.mean()
        assert {name: row[f"a_{name}"] for name in answers} == pytest.approx(answers, abs=1e-5)
    assert (frame.loc[frame["distortion"] == "none", "consistency"] == 1).all()
    remade = distorted_batch(two_colours, frame.iloc[[5, 0, 62]])
    np.testing.assert_array_equal(remade[1], two_colours.pixels[0])
    row = frame.iloc[62]
    wanted = iq.distort(two_colours.pixels[15], row["distortion"], row["severity"], seed=row["seed"], channel_axis=-1)
    np.testing.assert_array_equal(remade[2], wanted)


def test_rows_are_drawn_evenly_and_from_their_names_alone():
    request = LabelRequest(variants=400, severities=(1.0, 2.5, 5.0), left_out=("jpeg",))
    drawn = list(request.variants_of("cat/1.png"))
    assert drawn[0] == ("none", 0.0, zlib.crc32(b"0/cat/1.png/0"))
    assert drawn[:9] == list(replace(request, variants=8).variants_of("cat/1.png"))
    assert drawn[1:] != list(request.variants_of("cat/2.png"))[1:]
    assert drawn[1:] != list(replace(request, seed=1).variants_of("cat/1.png"))[1:]
    assert {variant.distortion for variant in drawn[1:]} == set(iq.distortions()) - {"jpeg"}
    counts = np.unique([variant.severity for variant in drawn[1:]], return_counts=True)
    assert counts[0].tolist() == [1, 2.5, 5]
    assert counts[1].min() > 100
    assert len({variant.seed for variant in drawn}) == 401


def test_a_grid_has_every_distortion_at_every_severity():
    request = LabelRequest(distortions=("jpeg", "gaussian_noise"), grid=True, severities=(1.0, 4.0))
    drawn = list(request.variants_of("a"))
    assert len(drawn) == request.rows == 5
    assert {variant[:2] for variant in drawn[1:]} == {
        (name, severity) for name in ("jpeg", "gaussian_noise") for severity in (1.0, 4.0)
    }


def test_requests_that_make_no_sense_are_refused():
    for changes, message in (
        ({"distortions": ("jpg",)}, "no distortion 'jpg'. Did you mean"),
        ({"distortions": ("jpeg",), "left_out": ("jpeg",)}, "no distortion remains"),
        ({"severities": ()}, "no severities"),
        ({"severities": (0.0,)}, "0 is among the severities"),
        ({"severities": (7.0,)}, "severity is 7.0"),
        ({"variants": -1}, "variants is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
    ):
        with pytest.raises(InputError, match=message):
            LabelRequest(**changes)


@pytest.mark.usefixtures("small_chunks")
def test_a_table_that_was_stopped_goes_on(tmp_path, two_colours, request_of):
    at_once = make_labels(two_colours, WORKERS, request_of(), tmp_path / "a.csv")
    shown = []

    def counted(colours):
        shown.append(len(colours))
        return WORKERS[0](colours)

    watched = [Recogniser(counted, "sharp", TWO, Preprocessing(gives="probabilities")), WORKERS[1]]

    def stop(done, total):
        assert total == 64
        if done >= 24:
            raise Cancelled

    path = tmp_path / "b.csv"
    with pytest.raises(Cancelled):
        make_labels(two_colours, watched, request_of(), path, progress=stop)
    assert not path.exists()
    with pytest.raises(InputError, match="are not finished. Give 'iqmaps label' once more"):
        read_labels(path)
    # A run that was killed while it wrote leaves half a chunk.
    part = path.with_name("b.csv.part")
    part.write_bytes(part.read_bytes() + part.read_bytes().splitlines(keepends=True)[1] + b"red/07.png,re")
    shown.clear()
    told = []
    make_labels(two_colours, watched, request_of(), path, progress=lambda done, _: told.append(done))
    assert sum(shown) == 40
    assert (told[0], told[-1]) == (24, 64)
    assert told == sorted(told)
    assert path.read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert not part.exists()
    shown.clear()
    again = make_labels(two_colours, watched, request_of(), path)
    assert not shown
    pd.testing.assert_frame_equal(again.frame, at_once.frame)


@pytest.mark.usefixtures("small_chunks")
def test_other_requests_are_not_mixed_into_a_table(tmp_path, two_colours, request_of):
    path = tmp_path / "t.csv"
    make_labels(two_colours, WORKERS, request_of(), path)
    changes = (
        (two_colours, WORKERS, request_of(seed=3), "request seed was 0 and is 3"),
        (two_colours, WORKERS[:1], request_of(), "workers was .* and is"),
        (replace(two_colours, pixels=two_colours.pixels // 2), WORKERS, request_of(), "pictures sha256 was"),
    )
    for pictures, workers, request, message in changes:
        with pytest.raises(InputError, match=message):
            make_labels(pictures, workers, request, path)
    path.with_name("t.csv.json").unlink()
    with pytest.raises(InputError, match="is there without its record t.csv.json"):
        make_labels(two_colours, WORKERS, request_of(), path)
    with pytest.raises(InputError, match="There is no file .*t.csv.json"):
        read_labels(path)


def test_stopping_takes_no_longer_than_a_few_pictures(two_colours, tmp_path, request_of):
    calls = []

    def stop(done, total):
        calls.append(done)
        if len(calls) == 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_labels(two_colours, WORKERS, request_of(), tmp_path / "t.csv", progress=stop)
    assert calls == [0] * 10  # within the first chunk


def test_several_processes_make_the_same_table(tmp_path, two_colours, monkeypatch):
    folder = tmp_path / "data"
    write_pictures(two_colours, folder)
    small = read_pictures(folder, part=(0, 0.6))
    monkeypatch.setattr(labels, "_ROWS", 12)
    request = LabelRequest(("gaussian_noise", "jpeg"), variants=3)
    for jobs in (1, 2):
        make_labels(small, WORKERS[:1], request, tmp_path / f"{jobs}.csv", jobs=jobs)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    with pytest.raises(InputError, match="jobs is 0"):
        make_labels(small, WORKERS, request, tmp_path / "0.csv", jobs=0)


def write_pictures(pictures, folder):
    from PIL import Image

    for name, pixels in zip(pictures.names, pictures.pixels, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)


def test_the_pictures_of_a_table_are_found_again(tmp_path, two_colours, request_of):
    folder = tmp_path / "data"
    write_pictures(two_colours, folder)
    made_of = read_pictures(folder, part=(0, 0.6), size=32)
    table = make_labels(made_of, WORKERS, request_of(), tmp_path / "t.csv")
    found = pictures_of(read_labels(table.path), folder)
    assert found.names == made_of.names
    np.testing.assert_array_equal(found.pixels, made_of.pixels)
    (folder / found.names[0]).unlink()
    with pytest.raises(
        InputError, match=rf"was made of {len(found)} pictures of data; .* gives {len(found) - 1} there"
    ):
        pictures_of(table, folder)
    with pytest.raises(InputError, match=rf"has no picture {found.names[0]} \(and 3 others\)"):
        distorted_batch(read_pictures(folder), table.frame.iloc[:5])


def test_classes_are_read_as_they_are_called(tmp_path, two_colours, request_of):
    classes = ("NA", "nan")
    names = tuple(name.replace("blue", "NA").replace("red", "nan") for name in two_colours.names)
    pictures = replace(two_colours, names=names, classes=classes)
    table = make_labels(pictures, [means("w", 2, 0, classes=classes)], request_of(), tmp_path / "t.csv")
    assert set(table.frame["class"]) == set(classes)
    assert table.frame["severity"].dtype == float


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="There are no labels .*Make them with 'iqmaps label'"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_text("image,class\na,b\n")
    (tmp_path / "x.csv.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="has no column distortion and no severity"):
        read_labels(tmp_path / "x.csv")


def test_parquet_holds_the_same_or_says_what_it_needs(tmp_path, two_colours, request_of):
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match="needs pyarrow, which is not installed: pip install pyarrow"):
            make_labels(two_colours, WORKERS, request_of(), tmp_path / "t.parquet")
        assert not list(tmp_path.iterdir())
        return
    binary = make_labels(two_colours, WORKERS, request_of(), tmp_path / "t.parquet")
    text = make_labels(two_colours, WORKERS, request_of(), tmp_path / "t.csv")
    pd.testing.assert_frame_equal(binary.frame, text.frame, check_dtype=False)
