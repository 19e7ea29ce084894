"""The playground: its data are those of the models, and in a browser it does what the core does."""

import base64
import copy
import dataclasses
import json
import re
import shlex
import shutil
import zlib

import contrast
import numpy as np
import playground_data
import pytest
import small
import torch
from chromium import CHROMIUM
from playground_data import COMMITTED, Played

from repinf_core import data, geometry, models, noise, profiles
from repinf_core.dynamics.rollout import trajectory
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import one_trial
from repinf_core.training import shipped, store

SHIPPED = playground_data.shipped_models()
SOURCES = COMMITTED.parent
NAMES = [played.name for played in SHIPPED]


def value(text):
    """What a script leaves for the page."""
    return json.loads(text.partition(" = ")[2].rstrip().removesuffix(";"))


def array(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


# The data.


def test_the_playground_begins_with_the_papers_own_model():
    paper = profiles.PROFILES["paper"]
    first = SHIPPED[0].spec
    assert (first.dataset, first.n_z, first.beta) == (paper.dataset, paper.n_z, paper.beta)
    assert len(set(NAMES)) == len(NAMES)


def test_the_playground_leaves_out_networks_of_another_seed(monkeypatch):
    paper = VAESpec.of(profiles.PROFILES["paper"])
    specs = [paper, dataclasses.replace(paper, seed=1), dataclasses.replace(paper, n_z=2)]
    manifest = {spec.name: {"spec": json.loads(spec.as_json())} for spec in specs}
    monkeypatch.setattr(shipped, "manifest", lambda: manifest)
    played = playground_data.shipped_models()
    assert [one.spec for one in played] == [paper, specs[2]]
    assert [one.name for one in played] == ["mnist-nz100", "mnist-nz2"]


def test_a_network_of_another_seed_gets_no_script_of_the_committed_one(tmp_path, monkeypatch):
    """It has the same name in the playground, and may ship."""
    paper = VAESpec.of(profiles.PROFILES["paper"])
    again = dataclasses.replace(paper, seed=1)
    assert again.name in shipped.manifest()
    monkeypatch.setattr(playground_data, "model_script", lambda played: "of its own")
    for spec, own in ((again, True), (paper, False)):
        folder = tmp_path / str(spec.seed)
        playground_data.write_data(folder, [Played(spec, "paper")])
        assert ((folder / "model-mnist-nz100.js").read_text() == "of its own") == own


def test_the_committed_data_are_small_and_of_the_models_that_ship():
    committed = {path.name for path in COMMITTED.iterdir()}
    datasets = {played.spec.dataset for played in SHIPPED}
    assert committed == {f"model-{name}.js" for name in NAMES} | {
        f"images-{dataset}.js" for dataset in datasets
    }
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 1e6


@pytest.mark.parametrize("played", SHIPPED, ids=NAMES)
def test_committed_data_belong_to_the_shipped_weights(played):
    found = value((COMMITTED / f"model-{played.name}.js").read_text())
    weights = played.run.model.state_dict()
    order = ("encoder_hidden", "encoder_out", "decoder_hidden", "decoder_out")
    rows = {"encoder_out": played.spec.n_z}
    content = b"".join(
        weights[f"{layer}.{kind}"][: rows.get(layer)].half().numpy().tobytes()
        for layer in order
        for kind in ("weight", "bias")
    )
    assert found["crc32"] == zlib.crc32(content)
    concepts = array(found["concepts"], np.float32).reshape(10, played.spec.n_z)
    seen = played.model.decode_mean(torch.from_numpy(concepts.copy())).detach().numpy()
    shown = array(found["conceptImages"], np.uint8).reshape(10, 784) / 255
    assert np.abs(shown - seen).max() < 0.5 / 255 + 1e-5


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_committed_images_name_their_makers(dataset):
    found = value((COMMITTED / f"images-{dataset}.js").read_text())
    assert ("CC BY-SA 3.0" if dataset == "mnist" else "MIT") in found["attribution"]
    assert array(found["pixels"], np.uint8).shape == (10 * 10 * 784,)
    assert len({row for rows in found["rows"] for row in rows}) == 100


@pytest.fixture
def own(model_store):
    """A small model of the digits, trained now."""
    spec = small.spec(n_z=3, n_hidden=16)
    store.load_or_train(spec)
    return Played(spec, "smoke")


def test_an_edition_without_its_model_has_no_playground(model_store):
    assert playground_data.of_edition("smoke", {}) == []


def test_an_edition_plays_with_its_own_model(model_store):
    given = {"n_z": 3, "n_hidden": 16, "epochs": 1}
    experiment = profiles.experiment("smoke", given)
    store.load_or_train(playground_data.VAESpec.of(experiment))
    (played,) = playground_data.of_edition("smoke", given | {"recompute": True})
    assert played.name == "digits-nz3"


def test_what_a_model_makes_of_its_training_set(own):
    found = value(playground_data.model_script(own))
    train = data.load("digits", "train")
    memories = models.memories(own.model, train.images)
    concepts = array(found["concepts"], np.float32).reshape(10, 3)
    np.testing.assert_allclose(concepts, geometry.concepts(memories, train.labels), atol=1e-6)
    axes, mean = array(found["axes"], np.float32).reshape(2, 3), array(found["mean"], np.float32)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-5)
    places = (memories.numpy() - mean) @ axes.T
    # The plane of largest variance: no other holds more of it.
    largest = np.linalg.eigvalsh(np.cov(memories.numpy().T))[-2:].sum()
    assert np.cov(places.T).trace() == pytest.approx(largest, rel=1e-4)
    assert found["share"] == pytest.approx(largest / np.cov(memories.numpy().T).trace(), rel=1e-4)
    low, high = np.array(found["low"]), np.array(found["high"])
    levels = array(found["memories"], np.uint16).reshape(10, found["memoriesPerLabel"], 2)
    for k in range(10):
        shown = low + levels[k] / 65535 * (high - low)
        of_label = places[train.labels.numpy() == k]
        nearest = np.linalg.norm(shown[:, None] - of_label[None], axis=-1).min(1)
        assert nearest.max() < 1e-3


def test_images_are_those_of_the_training_set_to_the_last_bit(own):
    found = value(playground_data.images_script(own))
    train = data.load("digits", "train")
    rows = np.array(found["rows"])
    assert (train.labels.numpy()[rows] == np.arange(10)[:, None]).all()
    pixels = array(found["pixels"], found["format"]).reshape(100, 784)
    assert (pixels == train.images.numpy()[rows.flatten()]).all()


def test_the_playgrounds_own_colours_can_be_read_without_the_book():
    style = (SOURCES / "playground.css").read_text()
    assert contrast.problems(style, (SOURCES / "alone.css").read_text()) == []


# In a browser.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playground")
    playground_data.write(folder, SHIPPED)
    return folder


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: the playground is not tried in a browser")
    reason = "no playwright: the playground is not tried in a browser"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Visit:
    """A reader's visit to the playground, with what the page asks for and complains of."""

    def __init__(self, browser, folder, fragment="", **context):
        self.context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}} | context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints, self.requests = [], []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(f"file://{folder / 'index.html'}{fragment}")
        self.page.evaluate("window.repeatedInference.ready")

    def __getattr__(self, name):
        return getattr(self.page, name)

    def said(self, name):
        return self.page.inner_text(f'[data-say="{name}"]')

    def at(self, t):
        self.page.wait_for_function(
            "t => document.querySelector('[data-say=\"t\"]').textContent === t", arg=str(t)
        )

    def image(self, view):
        """Pixels of a canvas, as drawn."""
        return self.page.evaluate(
            "view => document.querySelector(`[data-view='${view}']`).toDataURL()", view
        )

    def scrub(self, name, number):
        self.page.evaluate(
            """([name, number]) => {
              const slider = document.querySelector(`[data-set="${name}"]`);
              slider.value = number;
              slider.dispatchEvent(new Event("input", { bubbles: true }));
            }""",
            [name, number],
        )


@pytest.fixture
def visit(browser, folder):
    visits = []

    def visit(fragment="", at=folder, **context):
        visits.append(Visit(browser, at, fragment, **context))
        return visits[-1]

    yield visit
    for one in visits:
        one.context.close()


@pytest.fixture(scope="module")
def samples():
    """Ten noisy images of each data set, one of each label, ``[10, 784]``."""
    found = {}
    for dataset in ("mnist", "fashion_mnist"):
        script = value((COMMITTED / f"images-{dataset}.js").read_text())
        pixels = array(script["pixels"], np.uint8).reshape(10, 10, 784)[:, 0]
        images = torch.from_numpy(pixels.astype(np.float32)).div_(255)
        generator = torch.Generator().manual_seed(3)
        found[dataset] = noise.corrupt(images, 0.2, generator)
    return found


def _rounding(model, x0, exact):
    """How far trajectories move if each z(t) is off by 1e-6, as in float32: ``[trials]``.

    In float64, so that the answer does not depend on the order in which a processor sums.
    """
    generator = torch.Generator().manual_seed(0)
    largest = np.zeros(len(x0))
    for _ in range(5):
        z = model.encode_mean(x0)
        for expected in exact.swapaxes(0, 1):
            z = z + 1e-6 * torch.randn(z.shape, generator=generator, dtype=z.dtype)
            largest = np.maximum(largest, np.abs(z.numpy() - expected).max(1))
            z = model.encode_mean(model.decode_mean(z))
    return largest


@pytest.mark.parametrize("played", SHIPPED, ids=NAMES)
@torch.no_grad()
def test_trajectories_are_those_of_the_core(visit, samples, played):
    """z(t) for t <= 50, from an image of each label.

    Where a trajectory turns, rounding grows, up to 0.3.  There the page is to be no farther from
    the core in float64 than twice as far as rounding takes it in five trials; elsewhere no farther
    than 1e-3.  So is the core in float32.
    """
    x0 = samples[played.spec.dataset]
    single = torch.stack([z for _, z in trajectory(played.model, x0, 50)], 1).numpy()
    exact = copy.deepcopy(played.model).double()
    double = torch.stack([z for _, z in trajectory(exact, x0.double(), 50)], 1).numpy()
    rounding = _rounding(exact, x0.double(), double)
    page = visit()
    asked = [{"model": played.name, "image": x.tolist(), "steps": 50} for x in x0]
    run = "async (asked) => (await window.repeatedInference.run(asked)).z"
    found = np.array([page.evaluate(run, one) for one in asked])
    assert found.shape == (10, 51, played.spec.n_z)
    for computed in (found, single):
        away = np.abs(computed - double).max((1, 2))
        assert (away < np.maximum(1e-3, 2 * rounding)).all()
    turning = {"mnist-nz2": 3, "mnist-nz6": 2, "mnist-nz10": 5}.get(played.name, 1)
    assert (rounding > 1e-3).sum() <= turning
    assert page.complaints == []


def test_images_on_the_way_are_those_of_the_core(visit, samples):
    x0 = samples["mnist"][3]
    with torch.no_grad():
        expected = [x[0].numpy() for x, _ in trajectory(SHIPPED[0].model, x0[None], 20)]
    asked = {"model": SHIPPED[0].name, "image": x0.tolist(), "steps": 20}
    found = visit().evaluate("async (asked) => (await repeatedInference.run(asked)).x", asked)
    assert np.abs(np.array(found) - np.array(expected)).max() < 1e-3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "nobody"}, "model: got nobody; allowed: mnist-nz100, "),
        ({"image": [0, 1, 0]}, "image: got 3 numbers; allowed: 784 intensities from 0 to 1."),
        ({"image": [2] * 784}, "allowed: 784 intensities"),
        ({"steps": -1}, "steps: got -1; allowed: whole numbers from 0."),
        ({"steps": None}, "steps: got null; allowed"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(visit, asked, said):
    usual = {"model": "mnist-nz100", "image": [0] * 784, "steps": 1}
    run = "(asked) => repeatedInference.run(asked).catch((error) => error.message)"
    assert said in visit().evaluate(run, usual | asked)


def test_prompts_begin_from_the_same_one_whatever_was_before(visit):
    page = visit()
    page.click('[data-try="letter"]')
    page.at(1)
    page.click('[data-many="100"]')
    page.wait_for_function(
        "document.querySelector('[data-say=many]').textContent.includes('since p = 0')"
    )
    page.click('[data-try="nz"][data-nz="2"]')
    page.at(1)
    for given in ("model=mnist-nz2&", "image=14&", "p=0.2&"):
        page.wait_for_function("given => location.hash.includes(given)", arg=given)
    page.click('[data-try="p"][data-p="0.4"]')
    page.wait_for_function("location.hash.includes('image=14&p=0.4&')")
    assert page.complaints == []


def test_products_with_and_without_vectors_are_those_of_numpy(visit):
    """In rows that are no multiple of four, and of layers whose inputs are none either."""
    random = np.random.default_rng(0)
    x, weight, bias = random.normal(size=(6, 7)), random.normal(size=(5, 7)), random.normal(size=5)
    found = visit().evaluate(
        """([x, weight, bias]) => {
          const floats = (values) => Float32Array.from(values.flat());
          const layer = { inputs: 7, outputs: 5, weight: floats(weight), bias: floats(bias) };
          const { plainProducts, vectorProducts } = repinf.network;
          return [plainProducts, vectorProducts([layer])].map((products) => {
            const found = new Float32Array(30);
            products(layer, floats(x), 4, 0, found);
            products(layer, floats(x), 2, 4, found);
            return [...found];
          });
        }""",
        [x.tolist(), weight.tolist(), bias.tolist()],
    )
    for products in found:
        np.testing.assert_allclose(np.reshape(products, (6, 5)), x @ weight.T + bias, atol=1e-5)


@pytest.mark.parametrize("reading", noise.NOISES)
@pytest.mark.parametrize(("p", "seed"), [(0.2, 0), (0.3, 7), (1.0, 2**31 - 1), (0.0, 1)])
def test_noise_is_that_of_the_core_to_the_last_bit(visit, samples, reading, p, seed):
    """Of 300 images in one call, as of a label released at once."""
    images = samples["mnist"].repeat(30, 1)
    expected = noise.corrupt(images, p, torch.Generator().manual_seed(seed), reading)
    found = visit().evaluate(
        """([images, p, seed, reading]) => {
          const generator = new repinf.Generator(seed);
          const clean = images.map((image) => Float32Array.from(image));
          const noisy = Array.from({ length: 300 }, (_, k) =>
            repinf.noise.corrupt(clean[k % 10], p, generator, reading));
          const text = (image) => String.fromCharCode(...new Uint8Array(image.buffer));
          return btoa(noisy.map(text).join(""));
        }""",
        [samples["mnist"].tolist(), p, seed, reading],
    )
    assert (array(found, np.float32).reshape(300, 784) == expected.numpy()).all()


def test_a_reader_plays_steps_and_scrubs(visit):
    page = visit()
    page.click(".pg-play")
    page.at(3)
    page.click(".pg-play")  # pause
    assert page.inner_text(".pg-play") == "Play"
    page.scrub("t", 40)
    page.at(40)
    assert "nearest concept" in page.inner_text(".pg-live")
    assert page.locator(".pg-strip button").count() == 7  # t = 0, 1, 2, 3, 5, 10, 20
    page.click('[data-do="step"]')
    page.at(41)
    page.click('[data-do="rewind"]')
    page.at(0)
    page.select_option('[data-set="steps"]', "1000")
    page.scrub("t", 300)
    page.at(300)
    assert page.complaints == []


def test_the_time_goes_as_far_as_the_steps_before_a_frame_is_drawn(visit):
    page = visit()
    page.evaluate(
        """() => {
          for (const [name, number] of [["steps", "1000"], ["t", "300"]]) {
            const control = document.querySelector(`[data-set="${name}"]`);
            control.value = number;
            control.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }"""
    )
    page.at(300)


def test_nothing_is_asked_of_a_network(visit, folder):
    page = visit()
    page.click(".pg-play")
    page.at(1)
    page.click('[data-many="100"]')
    page.wait_for_function(
        "document.querySelector('[data-say=rate]').textContent.includes('t = 2')"
    )
    ours = (f"file://{folder}/", "blob:", "data:")
    assert all(url.startswith(ours) for url in page.requests)
    assert page.complaints == []


def test_weights_are_loaded_when_first_asked_for(visit):
    page = visit()
    assert not [url for url in page.requests if "/weights-" in url]
    page.click(".pg-play")
    page.at(1)
    assert {
        re.search(r"weights-(.+)-\d+\.js", url)[1] for url in page.requests if "weights" in url
    } == {"mnist-nz100"}


def test_what_gathers_in_the_plane_is_not_painted_over(visit):
    """A trial that creeps, and many trials at one place, with a concept on top of them."""
    found = visit().evaluate(
        """() => {
          const canvas = document.createElement("canvas");
          canvas.style.cssText = "width: 328px; height: 328px";
          document.getElementById("pg").append(canvas);
          const plane = new repinf.Plane(canvas);
          const axes = [[1, 0], [0, 1]];
          const flat = { axes, mean: [0, 0], low: [-1, -1], high: [1, 1] };
          const memories = new Float32Array(0);
          plane.open({ ...flat, concepts: [[-0.5, 0.5]], memories, memoriesPerLabel: 0 }, ["a"]);
          const z = Array.from({ length: 101 }, (_, t) => [0.5 - 0.002 * t, -0.5]);
          const trial = { z, computed: 100, memory: [0.9, 0.9] };
          const place = (k) => [0.5 + 0.0004 * k, 0.5, -0.5, 0.5]; // one of them at the concept
          const places = Array.from({ length: 300 }, (_, k) => place(k));
          const points = [Float32Array.from(places.flat())];
          plane.draw({ t: 100, trial, crowd: { computed: 0, points }, label: 0, far: 100 });
          const density = canvas.width / 328;
          const shade = (x, y) => {
            const at = [14 + 150 * (x + 1), 14 + 150 * (1 - y)].map((v) => Math.round(v * density));
            return canvas.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3);
          };
          const { ink, many, paper } = repinf.drawing.palette();
          return {
            line: [0.45, 0.42, 0.38, 0.36].map((x) => [...shade(x, -0.5)]),
            crowd: [0.5, 0.55, 0.6].map((x) => [...shade(x, 0.5)]),
            concept: [[...shade(-0.5 + 7 / 150, 0.5)]],
            colours: { line: ink, crowd: many, concept: paper },
          };
        }"""
    )
    for name, colour in found["colours"].items():
        expected = list(bytes.fromhex(colour[1:]))
        np.testing.assert_allclose(found[name], [expected] * len(found[name]), atol=24)


def test_the_keyboard_does_what_the_mouse_does(visit):
    page = visit()
    page.focus(".pg-play")
    page.keyboard.press("Space")
    page.at(2)
    page.keyboard.press("Space")
    before = int(re.search(r"&t=(\d+)", page.evaluate("location.hash"))[1])
    page.keyboard.press("ArrowRight")
    page.at(before + 1)
    page.keyboard.press("ArrowLeft")
    page.at(before)
    page.focus('[data-set="t"]')
    page.keyboard.press("ArrowRight")
    page.at(before + 1)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.at(before + 2)
    page.locator(".pg-strip button").last.focus()
    page.keyboard.press("Home")
    page.at(0)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Go to t = 0"
    page.locator('[data-list="labels"] button', has_text="Draw").press("Enter")
    page.focus('[data-view="pad"]')
    blank = page.image("pad")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    assert page.image("pad") != blank
    page.wait_for_function("location.hash.includes('drawn=')")


def test_a_drawing_is_followed_and_can_be_opened_again(visit):
    page = visit()
    page.click(".pg-play")
    page.at(1)
    page.locator('[data-list="labels"] button', has_text="Draw").click()
    box = page.locator('[data-view="pad"]').bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    page.scrub("p", 0)
    page.wait_for_function("location.hash.includes('p=0&')")
    drawn = page.image("clean")
    page.scrub("t", 5)
    page.at(5)
    assert page.is_disabled('[data-do="copy"]')
    again = visit(page.evaluate("location.hash"))
    again.at(5)
    assert again.image("clean") == drawn
    assert again.image("now") == page.image("now")
    assert again.complaints == []


def test_an_address_gives_the_same_view_again(visit):
    page = visit("#model=fashion_mnist-nz20&image=6&p=0.35&noise=invert&seed=12&steps=1000&t=17")
    page.at(17)
    address = page.evaluate("location.hash")
    again = visit(address)
    again.at(17)
    assert again.evaluate("location.hash") == address
    for name in ("memory", "concept", "p", "model", "command"):
        assert again.said(name) == page.said(name)
    assert again.image("now") == page.image("now")
    assert "image=6" in address
    assert "noise=invert" in address
    assert page.complaints == again.complaints == []


def test_the_address_is_copied_before_anything_is_played_and_after_a_release(visit):
    page = visit()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.scrub("p", 0.37)
    page.click('[data-do="link"]')
    page.wait_for_function("window.copied")
    first = page.evaluate("window.copied")
    assert "p=0.37" in first
    again = visit(first[first.index("#") :])
    assert again.said("p") == "0.37"
    page.click('[data-many="100"]')
    page.wait_for_function("location.hash.includes('many=100')")
    page.select_option('[data-set="steps"]', "1000")
    page.wait_for_function("location.hash.includes('steps=1000')")
    assert "-p steps 1000" in page.said("command")


def test_a_senseless_address_gives_the_usual_view(visit):
    page = visit("#model=nobody&image=-3&p=7&noise=loud&seed=x&steps=5&t=1e9&drawn=*")
    page.at(0)
    assert page.said("p") == "0.20"
    wrong = "model, steps, image, drawn, p, noise, seed, t"
    assert page.said("replaced").startswith(f"The address gives {wrong} wrongly: ")
    page.scrub("p", 0.3)
    page.wait_for_function("!document.querySelector('[data-say=replaced]').textContent")
    assert page.complaints == []


def test_its_command_makes_the_same_trial(visit, own, tmp_path):
    """The command's parameters, given to the study of its page."""
    playground_data.write(tmp_path / "own", [own])
    page = visit("#model=digits-nz3&p=0.3&seed=5&noise=invert&t=7", at=tmp_path / "own")
    page.at(7)
    words = shlex.split(page.said("command"))
    assert words[:2] == ["papermill", "notebooks/40_one_trial.ipynb"]
    given = {
        name: profiles.value(text)
        for flag, name, text in zip(words[3::3], words[4::3], words[5::3], strict=True)
        if flag == "-p"
    }
    image, profile, _ = given.pop("image"), given.pop("profile"), given.pop("page")
    study = one_trial.run(profiles.experiment(profile, given), image)
    assert study.experiment == dataclasses.replace(
        study.experiment,
        **dataclasses.asdict(own.spec) | {"p": 0.3, "noise": "invert", "trial_seed": 5},
    )
    at = study.curves[study.curves.t == 7].set_index("target").distance
    assert page.said("memory") == f"{at['memory']:.2f}"
    (concept,) = study.curves[study.curves.own & (study.curves.t == 7)].distance
    assert page.said("concept") == f"‘{study.name}’ {concept:.2f}"


def harm(path, damage):
    """Damage the text of a file; without a damage the file goes."""
    if damage:
        path.write_text(damage(path.read_text()))
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace(text[5000:5040], "A" * 40), "are damaged: the checksum"),
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: text[:5000] + "***" + text[5003:], "are damaged"),
        (None, "could not be loaded"),
    ],
)
def test_damaged_weights_are_told(visit, own, tmp_path, damage, said):
    playground_data.write(tmp_path / "own", [own])
    path = tmp_path / "own" / "data" / "weights-digits-nz3-0.js"
    harm(path, damage)
    page = visit(at=tmp_path / "own")
    page.click(".pg-play")
    alert = page.locator(".pg-alert[role=alert]")
    alert.wait_for(state="visible")
    assert said in alert.inner_text()
    assert page.said("t") == "0"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace(text[2000:2040], "A" * 40), "is damaged: its checksum"),
        (lambda text: re.sub(r'"crc32":\d+', '"crc32":1', text), "is of other weights"),
        (lambda text: "", "is damaged"),
        (None, "could not be loaded"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_and_the_one_before_stays(
    visit, folder, tmp_path, damage, said
):
    shutil.copytree(folder, tmp_path / "own")
    path = tmp_path / "own" / "data" / "model-mnist-nz2.js"
    harm(path, damage)
    page = visit(at=tmp_path / "own")
    page.scrub("t", 3)
    page.at(3)
    before = page.said("memory")
    page.select_option('[data-set="model"]', "mnist-nz2")
    alert = page.locator(".pg-alert[role=alert]")
    alert.wait_for(state="visible")
    assert said in alert.inner_text()
    page.wait_for_function("document.querySelector('[data-set=model]').value === 'mnist-nz100'")
    assert "100 dimensions" in " ".join(page.inner_text(".pg-plane figcaption").split())
    page.scrub("t", 3)
    page.at(3)
    assert page.said("memory") == before
    page.evaluate("location.hash = 'model=mnist-nz2&t=1'")
    page.evaluate("location.hash = 'model=mnist-nz20&t=2'")
    page.at(2)
    assert page.input_value('[data-set="model"]') == "mnist-nz20"


def test_choosing_one_model_after_another_does_not_end_the_play(visit):
    page = visit()
    page.click(".pg-play")
    page.at(1)
    for name in ("mnist-nz20", "mnist-nz10", "mnist-nz2"):
        page.select_option('[data-set="model"]', name)
    page.wait_for_function("document.querySelector('[data-say=model]').textContent.includes('–2–')")
    page.at(2)
    assert page.inner_text(".pg-play") == "Pause"


def test_three_hundred_are_released_and_counted(visit):
    page = visit("#model=mnist-nz2&t=0")
    page.click('[data-many="300"]')
    page.wait_for_function(
        "/300 trials.* t = [1-9]/.test(document.querySelector('[data-say=rate]').textContent)"
    )
    page.at(2)
    assert re.search(r"[\d.]+ steps/s computed", page.said("rate"))
    page.click(".pg-play")
    assert re.search(
        r" 300 trials, mean distance to the concept '1' \d", page.inner_text(".pg-live")
    )
    assert "30 of each of the label’s ten" in page.inner_text(".pg-plane figcaption")
    page.focus('[data-do="recall"]')
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('[data-say=rate]').textContent === ''")
    assert page.evaluate("document.activeElement.textContent") == "Release 300"
    assert page.complaints == []


def test_a_phone_shows_all_of_it_and_a_finger_plays(visit):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.tap(".pg-begin")
    page.at(2)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_image_plane_and_distances_are_seen_together(visit):
    """At a desk all three fit into one window; on a phone the images and the plane do."""
    height = """(last) => document.querySelector(`[data-view="${last}"]`)
      .getBoundingClientRect().bottom - document.querySelector(".pg-pictures")
      .getBoundingClientRect().top"""
    assert visit().evaluate(height, "distances") < 840
    phone = visit(viewport={"width": 390, "height": 844})
    assert phone.evaluate(height, "plane") < 780


def test_its_part_of_the_book_leads_where_the_page_alone_does():
    links = re.findall(r'(?:href|src)="([^"#]*)', playground_data.part("playground"))
    assert "playground/../about/glossary.html" in links
    assert all(link.startswith("playground/") for link in links if link)


def test_every_control_has_a_name(visit):
    unnamed = visit().evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas")]
          .filter((e) => !e.closest("[aria-hidden=true]") && !e.closest("[hidden]"))
          .filter((e) => !e.getAttribute("aria-label") && !e.textContent.trim())
          .filter((e) => !e.labels?.length)
          .map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_where_motion_is_unwelcome_only_whole_steps_are_shown(visit):
    page = visit(reduced_motion="reduce")
    page.click(".pg-play")
    page.at(1)
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.pg-begin span')).animationName")
        == "none"
    )
    page.click(".pg-play")
    t = int(re.search(r"&t=(\d+)", page.evaluate("location.hash"))[1])
    page.at(t)
    shown = page.image("now")
    page.scrub("t", t)
    assert page.image("now") == shown


def test_the_dark_scheme_is_followed(visit):
    light, dark = (
        visit(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    )
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(18, 18, 18)")
