import json
import random
import zipfile

import keras
import numpy as np
import pytest

from sodkeras.errors import SodkerasError
from sodkeras.training.checkpoints import Checkpoints


def model(filters=2, seed=0):
    """A compiled network with batch norm, dropout's random state, moments, averages and gathered gradients."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(filters, 1)(inputs))
    outputs = keras.layers.Conv2D(1, 1)(keras.layers.Dropout(0.5, seed=0)(x))
    result = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.Adam(0.1, use_ema=True, gradient_accumulation_steps=2)
    optimizer.build(result.trainable_variables)
    result.compile(optimizer, "mse", jit_compile=False)
    return result


def step(model, number):
    rng = np.random.default_rng(number)
    model.train_on_batch(rng.normal(size=(2, 4, 4, 3)), rng.normal(size=(2, 4, 4, 1)))


def state(model):
    return [keras.ops.convert_to_numpy(v).tobytes() for v in [*model.variables, *model.optimizer.variables]]


def test_training_goes_on_to_the_same_bits(tmp_path):
    first = model()
    for number in range(3):
        step(first, number)
    Checkpoints(tmp_path, first).save(3, {"best": 0.25})
    second = model(seed=1)
    assert Checkpoints(tmp_path, second).restore() == (3, {"best": 0.25})
    assert state(second) == state(first)
    for number in (3, 4):
        step(first, number)
        step(second, number)
    assert state(second) == state(first)


def test_the_last_two_are_kept_and_the_last_is_taken(tmp_path):
    a_model = model()
    checkpoints = Checkpoints(tmp_path, a_model)
    for number in (9, 10, 100):
        checkpoints.save(number, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010.npz", "step-00000100.npz"]
    assert checkpoints.restore() == (100, {})


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    with np.load(path) as file:
        values = file["00000"].tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(values) + 5] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def header(path, **values):
    """Another header, as somebody else's program writes it."""
    with np.load(path) as file:
        arrays = {**file}
    values = json.loads(str(arrays["header"])) | values
    arrays["header"] = np.array(json.dumps({name: value for name, value in values.items() if value is not None}))
    np.savez(path, **arrays)


def no_dict(path):
    np.savez(path, header=np.array("[1]"))


def texts(path):
    with np.load(path) as file:
        np.savez(path, **{name: values if name == "header" else values.astype(str) for name, values in file.items()})


def no_notes(path):
    header(path, notes=None)


def step_of_text(path):
    header(path, step="two")


def endless(path):
    header(path, arrays=10**30)


def packed(path):
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(10**7))


DAMAGES = [halve, flip_a_bit, empty, no_dict, texts, no_notes, step_of_text, endless, packed]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_leaves_the_one_before(tmp_path, damage, capsys):
    a_model = model()
    checkpoints = Checkpoints(tmp_path, a_model)
    checkpoints.save(1, {})
    before = state(a_model)
    step(a_model, 0)
    checkpoints.save(2, {})
    damage(tmp_path / "step-00000002.npz")
    assert checkpoints.restore() == (1, {})
    assert state(a_model) == before
    assert "step-00000002.npz is damaged; training goes on from step-00000001.npz" in capsys.readouterr().err


def test_nothing_but_damaged_checkpoints_is_an_error_and_none_a_beginning(tmp_path):
    checkpoints = Checkpoints(tmp_path, model())
    assert checkpoints.restore() == (0, {})
    checkpoints.save(1, {})
    halve(tmp_path / "step-00000001.npz")
    with pytest.raises(SodkerasError, match="Every checkpoint of this run is damaged"):
        checkpoints.restore()


def test_a_checkpoint_of_another_network_is_refused_and_changes_nothing(tmp_path):
    Checkpoints(tmp_path, model(3)).save(1, {})
    other = model(2)
    before = state(other)
    with pytest.raises(SodkerasError, match="of another network or optimizer"):
        Checkpoints(tmp_path, other).restore()
    assert state(other) == before


def test_weights_that_are_no_numbers_do_not_replace_those_that_are(tmp_path):
    a_model = model()
    checkpoints = Checkpoints(tmp_path, a_model)
    checkpoints.save(1, {})
    a_model.weights[0].assign(np.nan * keras.ops.convert_to_numpy(a_model.weights[0]))
    with pytest.raises(SodkerasError, match=r"no finite numbers any more .* weights of step 2"):
        checkpoints.save(2, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.npz"]


def test_what_a_killed_process_had_begun_to_write_goes(tmp_path):
    checkpoints = Checkpoints(tmp_path, model())
    checkpoints.save(1, {})
    (tmp_path / ".half.npz").write_bytes(b"PK")
    assert checkpoints.restore() == (1, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.npz"]


def test_a_worker_that_is_not_the_chief_writes_nothing(tmp_path):
    Checkpoints(tmp_path, model(), write=False).save(1, {})
    assert not list(tmp_path.iterdir())


def test_damaged_bytes_leave_the_one_before(tmp_path, capsys):
    a_model = model()
    checkpoints = Checkpoints(tmp_path, a_model)
    checkpoints.save(1, {})
    content = (tmp_path / "step-00000001.npz").read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        damaged = bytearray(content)
        start = len(content) - rng.randrange(1, 3000)
        damaged[start : start + rng.choice([1, 4])] = rng.randbytes(rng.choice([0, 1, 4]))
        (tmp_path / "step-00000002.npz").write_bytes(damaged)
        assert checkpoints.restore() == (1, {})  # of either file
    assert "step-00000002.npz is damaged" in capsys.readouterr().err


def test_one_beyond_memory_is_not_called_damaged(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, model())
    for step_number in (1, 2):
        checkpoints.save(step_number, {})

    def load(*_, **__):
        raise MemoryError

    monkeypatch.setattr("numpy.load", load)
    with pytest.raises(SodkerasError, match=r"fit into memory.*step-00000002\.npz"):
        checkpoints.restore()
    assert len(list(tmp_path.iterdir())) == 2
