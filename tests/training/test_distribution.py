"""One device, two logical CPUs and two processes make the same steps; what a user does wrong ends with a sentence."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import types

import cv2
import keras
import numpy as np
import pytest

from helpers import free_ports, photo
from sodkeras.errors import SodkerasError
from sodkeras.training import distribution
from sodkeras.training.mirrored import Mirrored

HERE = pathlib.Path(__file__).resolve().parent
SEVERAL = ["mirrored", "multiworker"]


def run(job, strategy, folder, arguments=((),)):
    """Starts worker.py, with multiworker as many as there are lists of arguments; returns their processes when done."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(len(arguments))]
    processes = []
    for index, own in enumerate(arguments):
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if strategy == "multiworker":
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment["TF_CONFIG"] = json.dumps(task)
        command = [sys.executable, str(HERE / "worker.py"), job, strategy, str(folder), *own]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    try:
        for process in processes:
            process.stdout, process.stderr = process.communicate(timeout=600)
    finally:
        for process in processes:
            process.kill()
    return processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ten pictures and masks in data/."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for number in range(10):
        picture = photo(40, 48, seed=number % 5)
        cv2.imwrite(str(folder / "data/images" / f"{number}.png"), picture)
        cv2.imwrite(str(folder / "data/masks" / f"{number}.png"), 255 * np.uint8(picture[..., 0] > 120))
    return folder


def results(job, strategy, folder):
    """What every process of a job reports."""
    processes = run(job, strategy, folder, [()] * (2 if strategy == "multiworker" else 1))
    for process in processes:
        assert process.returncode == 0, process.stdout + process.stderr[-3000:]
    return [dict(np.load(folder / f"{strategy}{index}.npz")) for index in range(len(processes))]


@pytest.fixture(scope="module")
def trained(folder):
    return {strategy: results("train", strategy, folder) for strategy in ("one", *SEVERAL)}


@pytest.mark.train
@pytest.mark.parametrize("strategy", SEVERAL)
def test_several_devices_train_as_one(trained, strategy):
    """Plain and dynamic weight decay, Adam, a metric, and a validation set that is odd."""
    (one,) = trained["one"]
    logs = [key for key in one if key.startswith("log|")]
    assert {"log|loss", "log|mae", "log|val_loss", "log|val_mae", "log|gamma_sparsity"} == set(logs)
    assert (one["log|loss"][1] != one["log|loss"][0]) and len(one) == 5 + 2 + 12
    for process in trained[strategy]:
        for key, expected in one.items():
            if not key.startswith("statistics|"):
                tolerance = 1e-6 if key.startswith("log|") else 1e-5
                np.testing.assert_allclose(process[key], expected, rtol=tolerance, atol=tolerance, err_msg=key)


@pytest.mark.train
@pytest.mark.parametrize("strategy", ["one", *SEVERAL])
def test_statistics_are_the_global_batch_s_only_if_in_step(trained, strategy):
    """Otherwise a process has those of the part of the batch that its first device saw."""
    pictures = np.random.default_rng(0).normal(size=(4, 4, 4, 3)).astype("float32")
    pictures[2:] += 3

    def moments(batch):
        return np.stack([batch.mean((0, 1, 2)), batch.var((0, 1, 2))])

    for number, process in enumerate(trained[strategy]):
        part = pictures if strategy == "one" else pictures[2 * number : 2 * number + 2]
        np.testing.assert_allclose(process["statistics|True"], moments(pictures), rtol=1e-5)
        np.testing.assert_allclose(process["statistics|False"], moments(part), rtol=1e-5, atol=1e-6)


@pytest.mark.train
def test_a_model_trained_on_several_devices_loads_without_them(folder, trained):
    (one,) = trained["one"]
    model = keras.models.load_model(folder / "model.keras")  # the chief's of two workers
    for weight in model.weights:
        np.testing.assert_allclose(weight, one[f"weight|{weight.path}"], rtol=1e-5, atol=1e-5)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms and not any(norm.synchronized for norm in norms)


@pytest.mark.train
def test_two_workers_read_disjoint_halves_of_the_same_batches(folder):
    (one,), two = results("parts", "one", folder), results("parts", "multiworker", folder)
    for key, batch in one.items():
        np.testing.assert_array_equal(np.concatenate([process[key] for process in two]), batch, err_msg=key)
        assert len(two[0][key]) == len(batch) // 2


@pytest.mark.train
def test_workers_that_disagree_all_end_with_the_difference(folder):
    processes = run("agree", "multiworker", folder, [('{"batch": 8}',), ('{"batch": 16}',)])
    for process in processes:
        assert process.returncode == 1
        assert 'the chief has …{"batch": 8}…' in process.stdout, process.stdout + process.stderr[-3000:]
        assert 'Received: …{"batch": 16}… of worker 1' in process.stdout


@pytest.mark.train
def test_workers_that_agree_know_what_any_of_them_wishes(folder):
    processes = run("agree", "multiworker", folder, [("the same",)] * 2)
    assert [json.loads(process.stdout.splitlines()[-1])["chief"] for process in processes] == [True, False]
    assert all(np.load(folder / f"multiworker{index}.npz")["anyone"] for index in range(2))


@pytest.mark.train
@pytest.mark.parametrize("number", [0, 1])
def test_a_worker_that_is_killed_ends_the_others(folder, number):
    processes = run("die", "multiworker", folder, [(str(number),)] * 2)
    assert processes[number].returncode == -9
    other = processes[1 - number]
    assert other.returncode == 1, other.stdout + other.stderr[-3000:]
    assert "the run goes on from its last checkpoint. Received: worker" in other.stdout


def test_wrong_names_are_refused():
    with pytest.raises(SodkerasError, match=r"one of one, mirrored, multiworker\. Received: 'many'"):
        distribution.devices("many")
    with pytest.raises(SodkerasError, match="Received: 'pigeons'"):
        distribution.devices("multiworker", communication="pigeons")


def test_one_device_agrees_with_itself():
    machines = distribution.devices("one")
    with machines.scope():
        assert machines.replicas == 1
    assert machines.is_chief
    machines.check_agreement("anything")
    assert machines.anyone(True) and not machines.anyone(False)


def test_a_batch_that_does_not_divide_is_refused():
    machines, data = Mirrored(types.SimpleNamespace(num_replicas_in_sync=4)), types.SimpleNamespace(batch=6)
    with pytest.raises(SodkerasError, match=r"a multiple of 4, their number\. Received: 6"):
        machines.own_part(data)


TWO = '"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Set TF_CONFIG .* Received: ''"),
        ("{", "Set TF_CONFIG .* Received: '{'"),
        ("[]", "Set TF_CONFIG"),
        ("{" + TWO + "}", "Set TF_CONFIG"),
        ("{" + TWO + ', "task": {"type": "worker", "index": 2}}', "one of its cluster's. Received: worker 2"),
        ('{"cluster": {"worker": ["host"]}, "task": {"type": "worker", "index": 0}}', "HOST:PORT .*Received: .'host'"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "of its own"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "has workers, .* Received: .'ps'"),
    ],
)
def test_tf_config_that_names_no_worker_is_refused(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SodkerasError, match=message):
        distribution.devices("multiworker")


def test_a_worker_that_does_not_come_is_named(monkeypatch, capsys):
    own, other = free_ports(2)
    cluster = {"worker": [f"127.0.0.1:{own}", f"127.0.0.1:{other}"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(SodkerasError, match=f"Received: nothing from worker 1 at 127.0.0.1:{other}"):
        distribution.devices("multiworker", wait=0.5)
    assert capsys.readouterr().err == f"waiting for worker 1 at 127.0.0.1:{other}\n"


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = {"worker": [f"127.0.0.1:{port}", "127.0.0.1:1"]}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
        with pytest.raises(SodkerasError, match=f"another port in TF_CONFIG. Received: {port}"):
            distribution.devices("multiworker", wait=0.1)
