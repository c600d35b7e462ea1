"""Field values to a matrix and back."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.scoring.features import LEVEL_NUMBERS, TRANSFORMS, make_matrix, to_original_units
from millrace.workloads import load_workloads

AMOUNTS = st.lists(st.floats(0, 1e12), min_size=1, max_size=20)


def column(transform: str, values) -> list[float]:
    return make_matrix([{"field": "x", "transform": transform}], {"x": values})[:, 0].tolist()


@given(AMOUNTS)
def test_identity_keeps_values_and_log1p_takes_log_of_one_plus_value(values):
    assert column("identity", values) == values
    assert column("log1p", values) == pytest.approx([math.log(1 + value) for value in values], abs=1e-9)


@pytest.mark.parametrize("transform", ["identity", "log1p"])
@given(values=AMOUNTS)
def test_to_original_units_inverts_transform(transform, values):
    assert to_original_units(transform, np.array(column(transform, values))) == pytest.approx(values, rel=1e-9)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_unknown_value_is_nan(transform):
    assert math.isnan(column(transform, [None])[0])
    assert math.isnan(column(transform, [float("nan")])[0])


def test_levels_rise_with_difficulty_in_any_spelling():
    assert column("level", [" beginner LEVEL ", "All Levels", "Intermediate Level", "Expert Level"]) == [0, 1, 2, 3]


def test_unknown_level_is_nan():
    assert np.isnan(column("level", ["", "master", None])).all()


def test_to_original_units_keeps_levels_and_days():
    values = np.array(list(LEVEL_NUMBERS.values()))
    assert to_original_units("level", values) is to_original_units("days", values) is values


@given(st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1)))
def test_days_count_from_1970_in_utc(moment):
    moment = moment.replace(tzinfo=UTC)
    days = (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)
    assert column("days", [moment]) == pytest.approx([days])
    assert column("days", [days * 86_400]) == pytest.approx([days])


def test_arrays_and_lists_give_same_matrix():
    specs = [{"field": "a", "transform": "log1p"}, {"field": "b", "transform": "identity"}]
    lists = {"a": [1, 2], "b": [3, None]}
    arrays = {"a": np.array([1, 2]), "b": np.array([3, np.nan])}
    assert make_matrix(specs, lists).shape == (2, 2)
    assert np.array_equal(make_matrix(specs, lists), make_matrix(specs, arrays), equal_nan=True)


@pytest.mark.parametrize("spec", [{"field": "x", "transform": "cube"}, {"field": "y", "transform": "identity"}])
def test_unknown_transform_or_column_raises_key_error(spec):
    with pytest.raises(KeyError):
        make_matrix([spec], {"x": [1]})


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_every_declared_feature_has_its_field_and_transform(result):
    for model in result.clusterings:
        assert set(model.axis) <= {feature.field for feature in model.features} <= set(result.fields)
        assert {feature.transform for feature in model.features} <= set(TRANSFORMS)
