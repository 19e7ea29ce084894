"""The study of one trial in plain Python, against numpy in float64."""

import numpy as np
import pages
import pytest
import references

from repinf_core import profiles
from repinf_core.profiles import ParameterError
from repinf_core.studies import one_trial

SMALL = profiles.experiment(
    "smoke",
    {"n_z": 3, "n_hidden": 32, "epochs": 4, "steps": 12, "p": 0.3, "trial_seed": 5},
)
IMAGE = 42


def noisy():
    """x(0): the mt19937 of numpy, whose low 24 bits are torch's uniform numbers in float32."""
    image = references.array(pages.TRAIN.images[IMAGE])
    bits = np.random.RandomState(SMALL.trial_seed)._bit_generator.random_raw(784)
    uniform = (bits & 0xFFFFFF) / 2**24
    selected = np.flatnonzero(uniform < SMALL.p)
    image[selected] = image[selected[np.argsort(uniform[selected], kind="stable")]]
    return image


@pytest.fixture
def study(model_store):
    return one_trial.run(SMALL, IMAGE, "cpu")


def test_the_trial_is_that_of_plain_numpy(study, model_store):
    weights = pages.model_of(SMALL, model_store)
    x, z = references.rollout(weights, noisy()[None], SMALL.steps)
    x, z = x[:, 0], z[:, 0]
    found = study.latents.drop(columns="t").to_numpy()
    np.testing.assert_allclose(found, z, atol=1e-4)
    np.testing.assert_allclose(study.images, x[list(study.times)], atol=1e-4)
    np.testing.assert_allclose(
        study.lengths.length, np.linalg.norm(np.diff(z, axis=0), axis=1), atol=1e-4
    )
    memories = references.encode(weights, references.array(pages.TRAIN.images))[0]
    labels = pages.TRAIN.labels.numpy()
    concepts = references.concepts(memories, labels)
    own = concepts[labels[IMAGE]]
    along = np.linspace(0, 1, SMALL.steps + 1)[:, None]
    expected = {f"concept {k}": concepts[k] for k in range(10)} | {
        "memory": memories[IMAGE],
        "abstract concept": concepts.mean(0),
    }
    curves = study.curves.set_index("target").distance
    for target, point in expected.items():
        np.testing.assert_allclose(curves[target], pages.distances(z, point), atol=1e-4)
    chord = pages.distances(z[0] + along * (z[-1] - z[0]), own)
    np.testing.assert_allclose(curves["chord"], chord, atol=1e-4)
    assert set(study.curves[study.curves.own].target) == {f"concept {labels[IMAGE]}"}
    to_own = pages.distances(z, own)
    nearest = to_own[study.numbers["step_nearest_concept"]]
    assert nearest == pytest.approx(to_own.min(), abs=1e-4)  # there may be ties, up to rounding


@pytest.mark.parametrize("image", [-1, 1500, 2.0, "7", True])
def test_an_image_that_is_not_there_is_refused(image):
    expected = f"Parameter image is {image!r}; allowed is an integer from 0 to 1499."
    with pytest.raises(ParameterError, match=f"^{expected}$"):
        one_trial.run(SMALL, image, "cpu")
