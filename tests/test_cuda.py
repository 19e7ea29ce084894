"""On a GPU the same as on a CPU, and captured in a graph the same as step by step."""

import gc
import weakref

import pytest
import small
import torch

from repinf_core.dynamics import jacobian, rollout
from repinf_core.kernels.cuda_graph import Captured
from repinf_core.models.mlp import VAE
from repinf_core.training import fit
from repinf_core.training.fast import ensemble
from repinf_core.training.fast.backprop import FlatParameters, flattened, negative_elbo_gradient
from repinf_core.training.run import TrainingRun

pytestmark = pytest.mark.cuda

SPECS = [small.spec(n_z=2), small.spec(n_z=5, seed=4, learning_rates=(3e-3, 1e-3))]
IMAGES = small.digits(600)  # minibatches of 250, 250 and 100: two shapes are captured


def test_a_captured_step_changes_what_the_step_changes_and_draws_what_it_draws():
    def made():
        generator = torch.Generator("cuda").manual_seed(0)
        total = torch.zeros((), device="cuda")

        def step(x):
            noise = torch.randn(len(x), generator=generator, device="cuda")
            total.add_((x + noise).sum())
            return 2 * x

        return step, total, generator

    (step, total, generator), (plain, plain_total, plain_generator) = made(), made()
    captured = Captured(step, [total], [generator])
    for n in (3, 5, 3, 3):
        x = torch.arange(float(n), device="cuda") + n
        assert captured(x).tolist() == plain(x).tolist()
        assert total.item() == plain_total.item()
        assert small.bits(generator.get_state()) == small.bits(plain_generator.get_state())


def test_what_a_step_overwrites_may_be_what_it_is_given():
    buffer = torch.zeros(4, device="cuda")
    captured = Captured(lambda x: torch.add(x, 1, out=buffer))
    found = [captured(buffer).tolist() for _ in range(3)]
    assert found == [[1.0] * 4, [2.0] * 4, [3.0] * 4]


@pytest.mark.parametrize("models", [(), (3,)])
def test_the_gradient_is_that_of_the_cpu(models):
    model = VAE(5, 64, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(*models, 40, 784, generator=generator)
    epsilon = torch.randn(*models, 2, 40, 5, generator=generator)
    parameters = list(model.parameters())
    vector = flattened([parameter.detach() for parameter in parameters])
    vector = vector.expand(*models, -1).clone()
    found = []
    for device in ("cpu", "cuda"):
        flat = FlatParameters(vector.to(device), parameters, torch.float32)
        objective = negative_elbo_gradient(flat, x.to(device), epsilon.to(device), 1.0)
        found.append((flat.vector.grad.cpu(), torch.stack(objective).cpu()))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("n_runs", [1, 2])
def test_captured_training_is_training_step_by_step(monkeypatch, precision, n_runs):
    specs = [small.spec(**{**vars(spec), "precision": precision}) for spec in SPECS[:n_runs]]
    captured = [TrainingRun(spec, "cuda") for spec in specs]
    list(fit.fit_together(captured, IMAGES, IMAGES))
    monkeypatch.setattr(ensemble, "Captured", lambda step, changes, generators: step)
    plain = [TrainingRun(spec, "cuda") for spec in specs]
    list(fit.fit_together(plain, IMAGES, IMAGES))
    for run, other in zip(captured, plain, strict=True):
        torch.testing.assert_close(small.vector(run), small.vector(other), rtol=0, atol=1e-5)
        assert small.bits(run.generator.get_state()) == small.bits(other.generator.get_state())


def test_training_comes_to_where_it_comes_on_the_cpu():
    """The device draws other numbers; on a CPU five other seeds of them came within 2%."""
    spec = small.spec(epochs=60)
    reached = []
    for device in ("cpu", "cuda"):
        run = TrainingRun(spec, device)
        list(fit.fit(run, IMAGES, IMAGES))
        reached.append(run.history[-1].test["negative_elbo"])
    assert reached[1] == pytest.approx(reached[0], rel=0.05)


@pytest.mark.parametrize("chunk", [None, 7])
def test_the_rollout_is_that_of_the_cpu(chunk):
    run = TrainingRun(small.spec(epochs=20))
    list(fit.fit(run, IMAGES, IMAGES))
    x0 = IMAGES.images[:30]
    observe = {"norm": lambda x, z, rows: z.norm(dim=1), "x": rollout.images}
    expected = rollout.rollout(run.model, x0, 20, observe, chunk=chunk)
    found = rollout.rollout(run.model.cuda(), x0.cuda(), 20, observe, chunk=chunk)
    # Rounding errors grow or shrink from step to step as the map does.
    tolerance = {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(found.observed["norm"].cpu(), expected.observed["norm"], **tolerance)
    torch.testing.assert_close(found.observed["x"].cpu(), expected.observed["x"], **tolerance)
    torch.testing.assert_close(found.z_last.cpu(), expected.z_last, **tolerance)


def test_a_model_that_has_changed_is_not_inferred_with_as_it_was():
    """Neither by weights changed in place, which a graph sees, nor by others in their place."""
    model, other = (VAE(5, 64, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    x0 = IMAGES.images[:30]
    expected = [rollout.rollout(of, x0, 5).z_last for of in (model, other, other)]
    model, weights = model.cuda(), {k: v.cuda() for k, v in other.state_dict().items()}
    found = [rollout.rollout(model, x0.cuda(), 5).z_last.cpu()]
    model.load_state_dict(weights)
    found.append(rollout.rollout(model, x0.cuda(), 5).z_last.cpu())
    model.load_state_dict(weights, assign=True)
    found.append(rollout.rollout(model, x0.cuda(), 5).z_last.cpu())
    for here, there in zip(found, expected, strict=True):
        torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-3)
    in_float64 = rollout.rollout(model.double(), x0.double().cuda(), 5).z_last
    assert in_float64.dtype == torch.float64
    torch.testing.assert_close(in_float64.cpu().float(), expected[1], rtol=1e-3, atol=1e-3)


def test_graphs_do_not_outlive_their_model():
    model = VAE(5, 64, torch.Generator().manual_seed(0)).cuda()
    gone = weakref.ref(model)
    rollout.rollout(model, IMAGES.images[:30].cuda(), 5)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_jacobian_is_that_of_the_cpu(dtype):
    model = VAE(5, 64, torch.Generator().manual_seed(0))
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    expected = jacobian.jacobian(model, z)
    found = jacobian.jacobian(model.cuda(), z.cuda()).cpu()
    torch.testing.assert_close(found, expected)
