"""Everything public can be pickled and copied: it travels between processes, and comes out as it was."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import napari_iqmaps as iq

from .sweep import instances_of, picture

WAYS = {
    **{
        f"pickle {number}": lambda value, number=number: pickle.loads(pickle.dumps(value, number))
        for number in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    return instances_of(tmp_path_factory.mktemp("instances"))


def alike(one: Any, other: Any) -> bool:
    """Compare two things by what is in them; arrays by their values, NaN included."""
    if type(one) is not type(other):
        return False
    if hasattr(one, "dtype") and not isinstance(one, np.ndarray | np.generic):
        one, other = np.asarray(one), np.asarray(other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return all(alike(getattr(one, own.name), getattr(other, own.name)) for own in dataclasses.fields(one))
    if hasattr(one, "items"):
        return list(one) == list(other) and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other) or (one != one and other != other)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in iq.__all__ if inspect.isclass(getattr(iq, name))])
def test_an_instance_of_every_public_class(instances, name, way):
    instance = instances[name]
    again = WAYS[way](instance)
    if isinstance(instance, Exception):
        assert (type(again), again.args) == (type(instance), instance.args)
    else:
        assert alike(instance, again)
        assert repr(again) == repr(instance)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in iq.__all__ if not inspect.isclass(getattr(iq, name))])
def test_every_function_and_table(name, way):
    value = getattr(iq, name)
    assert WAYS[way](value) == value


@pytest.mark.parametrize("way", ["pickle 5", "deepcopy"])
@pytest.mark.parametrize("make", [iq.assess, iq.machine_assess, iq.threshold_map, iq.visibility_map])
def test_what_is_lazy_or_has_been_asked_for_its_cached_parts(make, way):
    array = pytest.importorskip("dask.array")
    lazy = array.from_array(picture(), chunks=20)
    made = make(lazy, lazy) if make is iq.visibility_map else make(lazy)
    again = WAYS[way](made)
    assert again.sentence() == made.sentence()
    now = again.compute()
    assert alike(now, made.compute())
    assert now.sentence() == WAYS[way](now).sentence()
