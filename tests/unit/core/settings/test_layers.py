"""Settings in layers: the last one counts, and each says where it came from."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.settings.config import PRESETS, TrainingConfig
from stocklstm.core.settings.layers import SETTINGS, Layer, check_name, merge
from stocklstm.errors import ConfigError


def layer(origin: str, **values: object) -> Layer:
    return Layer(values, dict.fromkeys(values, origin))


def test_every_setting_is_known_with_its_kind():
    assert list(SETTINGS) == [f.name for f in fields(TrainingConfig) if f.name != "preset"]
    kinds = {name: (setting.kind, setting.optional) for name, setting in SETTINGS.items()}
    assert kinds["learning_rate"] == (float, False)
    assert kinds["patience"] == (int, True)
    assert kinds["clip_norm"] == (float, True)
    assert kinds["restore_best"] == (bool, False)
    assert kinds["loss"] == (str, False)


def test_three_spellings():
    setting = SETTINGS["learning_rate"]
    assert (setting.option, setting.variable) == ("--learning-rate", "STOCKLSTM_LEARNING_RATE")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("learning_rate", " 1e-3 ", 1e-3),
        ("epochs", "7", 7),
        ("patience", "None", None),
        ("clip_norm", "none", None),
        ("restore_best", "True", True),
        ("restore_best", "0", False),
        ("loss", "huber", "huber"),
    ],
)
def test_words_become_values(name, text, value):
    assert SETTINGS[name].parse(text, "somewhere") == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("epochs", "7.5"), ("epochs", "none"), ("dropout", "a lot"), ("restore_best", "yes")],
)
def test_words_that_are_no_values(name, text):
    with pytest.raises(ConfigError, match=rf"{name} must be .* \(somewhere\)"):
        SETTINGS[name].parse(text, "somewhere")


def test_words_that_look_like_numbers():
    assert SETTINGS["precision"].check(32, "run.toml") == "32"
    with pytest.raises(ConfigError, match="precision must be a word, not True"):
        SETTINGS["precision"].check(value=True, origin="run.toml")


@pytest.mark.parametrize(
    "typed", ["return,volume", " Return , VOLUME ,", ["return", "volume"], "return,,volume"]
)
def test_several_words(typed):
    assert SETTINGS["features"].check(typed, "run.toml") == ("return", "volume")


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 7.0), ("epochs", True), ("epochs", "7"), ("loss", 1.5), ("restore_best", 1)],
)
def test_values_of_another_type(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be"):
        SETTINGS[name].check(value, "run.toml")


def test_a_whole_number_will_do_for_a_number():
    checked = SETTINGS["dropout"].check(0, "run.toml")
    assert checked == 0.0
    assert type(checked) is float
    assert SETTINGS["patience"].check("none", "run.toml") is None


def test_a_slip_of_the_pen_is_recognised():
    with pytest.raises(ConfigError, match="no setting 'learning-rate'") as caught:
        check_name("learning-rate", "run.toml")
    assert caught.value.hint == "did you mean learning_rate?"
    with pytest.raises(ConfigError) as caught:
        check_name("zzz", "run.toml")
    assert "config show" in str(caught.value.hint)


def test_without_layers_the_default_holds():
    found = merge([])
    assert found.config == PRESETS["calibrated"]
    assert found.origins["preset"] == "default"
    assert found.origins["epochs"] == "preset calibrated"


def test_a_layer_may_choose_the_preset():
    found = merge([layer("run.toml", preset="paper"), layer("--epochs", epochs=3)])
    assert (found.config.preset, found.config.epochs) == ("paper", 3)
    assert found.origins["preset"] == "run.toml"
    assert found.origins["hidden_size"] == "preset paper"
    with pytest.raises(ConfigError, match="no preset 'papers'"):
        merge([layer("run.toml", preset="papers")])


def test_a_version_may_stand_below_all_layers():
    base = PRESETS["paper"]
    found = merge([layer("--epochs", epochs=3)], base, "PETR4.SA@v3")
    assert (found.config.preset, found.config.epochs) == ("paper", 3)
    assert found.origins["hidden_size"] == found.origins["preset"] == "PETR4.SA@v3"


@given(
    st.lists(st.dictionaries(st.sampled_from(["epochs", "seed"]), st.integers(1, 99)), max_size=4)
)
def test_the_last_layer_counts(values):
    layers = [layer(f"layer {number}", **each) for number, each in enumerate(values)]
    found = merge(layers)
    for name in ("epochs", "seed"):
        holding = [number for number, each in enumerate(values) if name in each]
        if holding:
            assert getattr(found.config, name) == values[holding[-1]][name]
            assert found.origins[name] == f"layer {holding[-1]}"
        else:
            assert found.origins[name] == "preset calibrated"
