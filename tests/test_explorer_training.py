"""The training that the explorer page shows, against torch and the claims."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from conftest import optional, program_of
from explorer_engine import CLAIMS, answers, close, number, run

import fastinit as fi


def test_one_step_of_training_is_that_of_the_claims() -> None:
    optional("sklearn")
    network = program_of("examples/network.py")

    x, labels = network.digits()
    for activation, scheme in (
        ("tanh", "xavier_normal"),
        ("sigmoid", "he_normal"),
        ("relu", "lecun_uniform"),
    ):
        networks = network.Networks([64, 16, 16, 10], activation, [(network.Init(scheme), 3)], "float32")
        networks.weights = [w.astype(np.float64) for w in networks.weights]
        networks.biases = [b.astype(np.float64) for b in networks.biases]
        losses = networks.train(x, labels, 0.1, 20)[0]
        [page] = answers(
            (
                "train",
                {
                    "widths": [64, 16, 16, 10],
                    "run": run(activation, scheme),
                    "seed": 3,
                    "optimiser": "sgd",
                    "rate": 0.1,
                    "steps": 20,
                },
            )
        )
        np.testing.assert_allclose(page["losses"], losses, rtol=1e-9)
        for ours, theirs in zip(page["weights"], networks.weights, strict=True):
            np.testing.assert_allclose(ours, theirs[0].ravel(), rtol=0, atol=1e-9)


def test_adam_is_that_of_torch() -> None:
    torch = optional("torch")
    optional("sklearn")
    widths = [64, 8, 10]
    batches, digits, page = answers(
        ("batches", {"count": 1797, "size": 32, "times": 12}),
        ("digits", {}),
        (
            "train",
            {
                "widths": widths,
                "run": run("tanh", "he_normal"),
                "seed": 1,
                "optimiser": "adam",
                "rate": 0.01,
                "steps": 12,
            },
        ),
    )
    x, labels = torch.tensor(digits["x"], dtype=torch.float64).reshape(-1, 64), torch.tensor(digits["labels"])
    layers = [torch.nn.Linear(a, b).double() for a, b in pairwise(widths)]
    for i, layer in enumerate(layers, 1):
        weight = np.empty(layer.weight.shape, np.float32)
        fi.fill(weight, "he_normal", seed=1, name=f"layer{i}.weight")
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.zero_()
    network = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1])
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for rows, loss in zip(batches, page["losses"], strict=True):
        optimiser.zero_grad()
        ours = torch.nn.functional.cross_entropy(network(x[rows]), labels[rows])
        close(loss, float(ours.detach()), 1e-7, "loss")
        ours.backward()
        optimiser.step()


def test_runs_arrive_in_as_many_steps_as_the_claims_say() -> None:
    cases = [("ReLU, He", "relu", "he_normal", 0.0), ("tanh, Xavier", "tanh", "xavier_normal", 0.0),
             ("sigmoid, Xavier", "sigmoid", "xavier_normal", 0.0), ("ReLU, He, bias 0.1", "relu", "he_normal", 0.1)]  # fmt: skip
    calls, known = [], []
    for name, activation, scheme, bias in cases:
        row = CLAIMS["convergence"][name][0]
        for seed, steps in enumerate(row["steps"][:2]):
            widths = [64] * (row["depth"] + 1) + [10]
            given = {
                "widths": widths,
                "run": run(activation, scheme, None, bias),
                "seed": seed,
                "optimiser": "sgd",
            }
            calls.append(("train", {**given, "rate": row["rate"], "steps": steps}))
            known.append(steps)
    for page, steps in zip(answers(*calls), known, strict=True):
        below = [i + 1 for i, loss in enumerate(page["smooth"]) if number(loss) < 0.5]
        assert below == [steps]


def test_equal_starts_stay_equal_as_the_claims_say() -> None:
    given = {"widths": [64, 32, 32, 10], "seed": 0, "optimiser": "sgd", "steps": 300}
    rows = [row for row in CLAIMS["symmetry"] if row["scheme"] in ("zeros", "constant")]
    calls = [
        (
            "train",
            {
                **given,
                "run": run(row["activation"], row["scheme"]),
                "rate": 1.0 if row["activation"] == "sigmoid" else 0.1,
            },
        )
        for row in rows
    ]
    for page, row in zip(answers(*calls), rows, strict=True):
        close(page["smooth"][-1], row["losses"][-1], 2e-4, f"{row['activation']}, {row['scheme']}")
        assert page["units"] == row["units"] == [1, 1]
