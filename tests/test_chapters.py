"""The numbers that the chapters report are those of a plain numpy computation in float64.

The pages are executed once, by the build's own command; the reference computes from the stored
weights and the same random draws.
"""

import dataclasses
import itertools
import re
from collections import Counter

import numpy as np
import pytest
import references
from pages import (
    SMOKE,
    TEST,
    TRAIN,
    approach,
    closest_steps,
    distances,
    model_of,
    results,
    stored_history,
    trials,
)
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestCentroid

from repinf_core.models.mlp import VAESpec

CENTRES = ["memory", "concept", "abstract concept"]


def mahalanobis(z, target, precision):
    return np.sqrt(np.einsum("...i,ij,...j->...", z - target, precision, z - target))


def objective(weights):
    """-ELBO of the test images in nats per image, twenty samples of z each; and its two terms."""
    x = references.array(TEST.images)
    n_z = len(weights["encoder_out.bias"]) // 2
    epsilon = np.random.default_rng(0).standard_normal((20, len(x), n_z))
    return references.negative_elbo(weights, x, epsilon, SMOKE.beta)


def test_the_model_page_reports_the_objective_and_the_dimension(smoke_book, weights, memories):
    found = results(smoke_book.out, "01_model")["results"]
    assert found["epochs_trained"] == SMOKE.epochs
    x = references.array(TEST.images)
    total, kl, reconstruction = objective(weights)
    # The KL term is exact; the reconstruction is a mean over samples of z: two there, 20 here.
    assert found["test_kl"] == pytest.approx(kl, rel=1e-5)
    assert found["test_reconstruction"] == pytest.approx(reconstruction, rel=5e-3)
    assert found["test_negative_elbo"] == pytest.approx(total, rel=5e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x))
    floor = np.nan_to_num(entropy).sum(1).mean()
    assert found["reconstruction_floor"] == pytest.approx(floor, rel=1e-5)
    assert found["test_reconstruction"] > floor
    assert found["active_latents"] == (memories.var(0) > 0.01).sum()
    variances = np.sort(np.linalg.eigvalsh(np.cov(memories.T)))[::-1]
    enough = np.cumsum(variances) / variances.sum() >= 0.7
    assert found["components_for_70_percent"] == enough.argmax() + 1
    on_test = [
        record["test"]["active_latents"]
        for record in stored_history(VAESpec.of(SMOKE), smoke_book.models)
    ]
    assert (references.encode(weights, x)[0].var(0) > 0.01).sum() == on_test[-1]
    assert found["active_latents_on_test_images"] == on_test[-1]
    since = found["active_latents_on_test_images_since_epoch"]
    assert set(on_test[since - 1 :]) == {on_test[-1]}
    assert since == 1 or on_test[since - 2] != on_test[-1]


def test_the_inference_page_reports_the_distances_of_its_image(smoke_book, weights, memories):
    found = results(smoke_book.out, "02_repeated_inference")["results"]
    row, x0 = trials([SMOKE.label], 1, SMOKE, by_label=True)
    _, z = references.rollout(weights, x0, SMOKE.steps)
    concept = references.concepts(memories, TRAIN.labels.numpy())[SMOKE.label]
    np.testing.assert_allclose(found["concept_distances"], distances(z[:, 0], concept), rtol=2e-4)
    np.testing.assert_allclose(
        found["memory_distances"], distances(z[:, 0], memories[row[0]]), rtol=2e-4
    )
    permuted = found["readings"]["permute"]
    assert permuted["step_nearest_concept"] == np.argmin(found["concept_distances"])
    assert permuted["distance_nearest_memory"] == min(found["memory_distances"])
    # Inverted pixels move a mostly light image much farther than permuted ones.
    invert = found["readings"]["invert"]
    assert invert["initial_distance_to_memory"] > permuted["initial_distance_to_memory"]


def derivative(weights, z, size=1e-5):
    """d z(t+1) / d z(t) by central differences, [N_z, N_z]."""

    def step(at):
        return references.encode(weights, references.decode_mean(weights, at))[0]

    axes = size * np.eye(len(z))
    return np.array([(step(z + axis) - step(z - axis)) / (2 * size) for axis in axes]).T


def test_the_cluster_page_reports_each_label_as_a_plain_loop_does(smoke_book, weights, memories):
    found = results(smoke_book.out, "04_cluster_centers")["results"]
    assert found["epochs_trained"] == SMOKE.epochs
    rows, x0 = trials(range(10), SMOKE.trials, SMOKE)
    _, z = references.rollout(weights, x0, SMOKE.steps)
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    active = memories.var(0) > 0.01
    shares, counts, others = [], Counter(), Counter()
    assert list(found["labels"]) == [str(k) for k in range(10)]
    for k, said in enumerate(found["labels"].values()):
        of_label = slice(k * SMOKE.trials, (k + 1) * SMOKE.trials)
        assert (TRAIN.labels.numpy()[rows[of_label]] == k).all()
        curves = distances(z[:, of_label], concepts[k])
        mean = curves.mean(1)
        fractions = np.linspace(0, 1, SMOKE.steps + 1)[:, None, None]
        line = z[0, of_label] * (1 - fractions) + z[-1, of_label] * fractions
        of_line = distances(line, concepts[k]).mean(1)
        control = of_line.min()
        assert said["first"] == pytest.approx(mean[0], rel=2e-4)
        assert said["minimum"] == pytest.approx(mean.min(), rel=2e-4)
        assert mean[said["step"]] == pytest.approx(mean.min(), rel=2e-4)
        assert said["last"] == pytest.approx(mean[-1], rel=2e-4)
        assert said["line_minimum"] == pytest.approx(control, rel=2e-4)
        assert said["approaches_whole_chord"] == references.approaches(mean, control)
        at_that_time = of_line[said["step"]]
        assert said["line_at_step"] == pytest.approx(at_that_time, rel=2e-4)
        same_time = references.approaches(mean, at_that_time)
        assert said["approaches_same_time"] == same_time
        sem = curves[said["step"]].std(ddof=1) / SMOKE.trials**0.5
        assert said["minimum_sem"] == pytest.approx(sem, rel=1e-3)
        of_trials = [
            references.approaches(curve, references.segment_distance(start, end, concepts[k]))
            for curve, start, end in zip(curves.T, z[0, of_label], z[-1, of_label], strict=True)
        ]
        # A single trial may sit on the edge of the criterion, where float32 decides otherwise.
        assert said["share_of_trials"] == pytest.approx(np.mean(of_trials), abs=1.01 / SMOKE.trials)
        to_memory = distances(z[:, of_label], memories[rows[of_label]]).mean(1)
        assert said["memory_minimum"] == pytest.approx(to_memory.min(), rel=2e-4)
        assert to_memory[said["memory_step"]] == pytest.approx(to_memory.min(), rel=2e-4)
        shares.append(said["share_of_trials"])
        leaves = said["step"] > 0 and mean[-1] > mean.min() + 2 * sem
        counts["labels_approaching_whole_chord"] += said["approaches_whole_chord"]
        counts["labels_approaching_same_time"] += same_time
        counts["labels_leaving_again"] += leaves
        counts["labels_passing_the_concept"] += said["approaches_whole_chord"] and leaves
        counts["labels_whose_line_is_closest_at_its_start"] += of_line.argmin() == 0
        counts["labels_with_memory_no_later_than_concept"] += said["memory_step"] <= said["step"]
        counts["labels_with_memory_in_the_first_quarter"] += said["memory_step"] <= SMOKE.steps / 4
        wrong = concepts[(k + 1) % 10]
        shrunk = LedoitWolf().fit(memories[TRAIN.labels.numpy() == k][:, active])
        paths = z[:, of_label], line
        for name, (curve, control) in {
            "wrong_concept": [distances(path, wrong).mean(1) for path in paths],
            "Mahalanobis": [
                mahalanobis(path[..., active], concepts[k][active], shrunk.precision_).mean(1)
                for path in paths
            ],
        }.items():
            assert found[name]["minima"][k] == pytest.approx(curve.min(), rel=2e-4)
            assert curve[found[name]["steps"][k]] == pytest.approx(curve.min(), rel=2e-4)
            assert found[name]["line_minima"][k] == pytest.approx(control.min(), rel=2e-4)
            approaches = references.approaches(curve, control.min())
            others[name, "labels_approaching_whole_chord"] += approaches
            others[name, "labels_as_to_the_concept"] += approaches == said["approaches_whole_chord"]
            at_that_time = control[found[name]["steps"][k]]
            same_time = references.approaches(curve, at_that_time)
            others[name, "labels_approaching_same_time"] += same_time
        map_of_a_step = derivative(weights, concepts[k])
        moved = z[0, of_label] - memories[rows[of_label]]
        after = np.linalg.norm(moved @ map_of_a_step.T, axis=1)
        along = (after / np.linalg.norm(moved, axis=1)).mean()
        basis = np.linalg.svd(moved.mean(0)[None])[2][1:]
        grown = np.linalg.svd(map_of_a_step, compute_uv=False)
        assert said["growth_along_noise"] == pytest.approx(along, rel=2e-3)
        across = np.linalg.norm(map_of_a_step @ basis.T, 2)
        assert said["growth_across_noise"] == pytest.approx(across, rel=2e-3)
        assert said["directions_that_grow"] == (grown > 1).sum()
        counts["labels_with_a_saddle"] += along < 1 < across
    for name, count in counts.items():
        assert found[name] == count, name
    for (name, key), count in others.items():
        assert found[name][key] == count
    assert found["share_of_trials_approaching"] == pytest.approx(np.mean(shares))


def scan(weights, memories):
    """At each p the curves of the distance to each of the centres, [T+1, trials]."""
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    for p in SMOKE.p_grid:
        experiment = dataclasses.replace(SMOKE, p=p)
        rows, x0 = trials([SMOKE.label], SMOKE.trials_per_p, experiment)
        _, z = references.rollout(weights, x0, SMOKE.steps)
        targets = (memories[rows], concepts[SMOKE.label], concepts.mean(0))
        yield [distances(z, target) for target in targets]


def check_stages(stages, means):
    """That they cover the grid, hold the smallest of the means [3, P], and meet at crossings."""
    for stage in stages:
        inside = [stage["start"] <= p <= stage["stop"] for p in SMOKE.p_grid]
        winners = {CENTRES[k] for k in means[:, inside].argmin(0)}
        assert winners <= {stage["nearest"]}
    assert stages[0]["start"] == SMOKE.p_grid[0]
    assert stages[-1]["stop"] == SMOKE.p_grid[-1]
    for before, after in itertools.pairwise(stages):
        assert before["nearest"] != after["nearest"]
        assert before["stop"] == after["start"]
        lines = (means[CENTRES.index(stage["nearest"])] for stage in (before, after))
        one, other = (np.interp(after["start"], SMOKE.p_grid, line) for line in lines)
        assert one == pytest.approx(other, rel=1e-3)


def test_the_noise_page_reports_each_noise_fraction(smoke_book, weights, memories):
    found = results(smoke_book.out, "05_noise_and_hierarchy")["results"]
    assert found["epochs_trained"] == SMOKE.epochs
    assert found["p"] == list(SMOKE.p_grid)
    n = SMOKE.trials_per_p
    smallest, closest = [], []
    for curves in scan(weights, memories):
        smallest.append([of_class.min(0) for of_class in curves])
        closest.append([closest_steps(of_class) for of_class in curves])
    smallest = np.array(smallest).transpose(1, 0, 2)  # class, p, trial
    said, said_sem, said_time, said_time_sem = (
        np.array([found[name][of_class] for of_class in CENTRES])
        for name in (
            "mean_smallest_distance",
            "two_sem_of_distance",
            "mean_time",
            "two_sem_of_time",
        )
    )
    np.testing.assert_allclose(said, smallest.mean(2), rtol=5e-4, atol=1e-5)
    sem = 2 * smallest.std(2, ddof=1) / n**0.5
    np.testing.assert_allclose(said_sem, sem, rtol=2e-3, atol=1e-5)
    step, first, last = np.array(closest).transpose(2, 1, 0, 3)
    assert (said_time >= first.mean(2) - 1e-9).all()
    assert (said_time <= last.mean(2) + 1e-9).all()
    # Standard deviations differ by no more than the norm of the difference over sqrt(n - 1).
    doubt = 2 * np.linalg.norm(last - first, axis=2) / ((n - 1) * n) ** 0.5
    assert (np.abs(said_time_sem - 2 * step.std(2, ddof=1) / n**0.5) <= doubt + 1e-9).all()
    # Without noise a trajectory starts at its memory.
    assert said[0, 0] == 0
    assert found["mean_time"]["memory"][0] == 0
    check_stages(found["stages"], said)


def test_the_collective_page_reports_its_two_groups(smoke_book, weights, memories):
    found = results(smoke_book.out, "03_collective_dynamics")["results"]
    assert found["epochs_trained"] == SMOKE.epochs
    _, x0 = trials([1], SMOKE.trials, SMOKE, by_label=True)
    _, z = references.rollout(weights, x0, SMOKE.steps)
    state = z[found["branch_time"]]
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    own = distances(state[:, None], concepts).argmin(1) == 1
    assert found["share_of_all_nearest_own_concept"] == pytest.approx(own.mean())
    groups = KMeans(2, n_init=10, random_state=SMOKE.trial_seed).fit(state).labels_
    assert found["silhouette"] == pytest.approx(silhouette_score(state, groups), rel=1e-3)
    # The first group is the one with the larger share.
    expected = sorted(
        ((own[groups == g].mean(), (groups == g).sum()) for g in (0, 1)), reverse=True
    )
    shares, sizes = zip(*expected, strict=True)
    assert found["share_nearest_own_concept"] == pytest.approx(shares)
    assert found["group_sizes"] == list(sizes)


def test_the_dimension_page_reports_its_own_network(smoke_book, memories):
    found = results(smoke_book.out, "07_latent_dimension")["results"]
    ratios = PCA().fit(memories).explained_variance_ratio_
    np.testing.assert_allclose(found["contribution_ratios"], ratios, rtol=1e-4)
    for share, name in ((0.7, "70"), (0.99, "99"), (0.999, "99.9")):
        needed = np.searchsorted(ratios.cumsum(), share) + 1
        assert found[f"components_for_{name}_percent"] == needed
    active = (memories.var(0) > 0.01).sum()
    assert found["active_latents"] == active
    held = ratios[:active].sum()
    assert found["share_of_as_many_components_as_active_latents"] == pytest.approx(held)
    labels = TRAIN.labels.numpy()
    concepts = references.concepts(memories, labels)
    cosines = cosine_similarity(concepts)[~np.eye(10, dtype=bool)]
    assert found["mean_absolute_cosine"] == pytest.approx(np.abs(cosines).mean(), rel=1e-4)
    assert found["largest_absolute_cosine"] == pytest.approx(np.abs(cosines).max(), rel=1e-4)
    squares = references.orthogonality(concepts)
    assert found["orthogonality_sum_of_squares"] == pytest.approx(squares, rel=1e-4)
    assert found["orthogonality_root"] == pytest.approx(squares**0.5, rel=1e-4)
    own = NearestCentroid().fit(memories, labels).score(memories, labels)
    # A memory between two concepts may count for either.
    assert found["share_of_memories_nearest_own_concept"] == pytest.approx(own, abs=1 / len(labels))
    for chosen, said in zip(
        (labels < 10, labels < 3), found["share_nearest_own_mean_in_the_planes"], strict=True
    ):
        plane = PCA(2).fit_transform(memories[chosen])
        own = NearestCentroid().fit(plane, labels[chosen]).score(plane, labels[chosen])
        assert said == pytest.approx(own, abs=2 / chosen.sum())


def test_the_dimension_page_reports_every_network_of_its_grid(smoke_book):
    found = results(smoke_book.out, "07_latent_dimension")["results"]
    roots, approaching, closer_whole_chord, closer_same_time, error = [], [], [], [], []
    assert list(found["by_n_z"]) == [str(n_z) for n_z in SMOKE.n_z_grid]
    for n_z, said in found["by_n_z"].items():
        cell = dataclasses.replace(SMOKE, n_z=int(n_z), epochs=SMOKE.grid_epochs)
        weights = model_of(cell, smoke_book.models)
        memories = references.encode(weights, references.array(TRAIN.images))[0]
        concepts = references.concepts(memories, TRAIN.labels.numpy())
        assert said["epochs_trained"] == SMOKE.grid_epochs
        assert said["test_negative_elbo"] == pytest.approx(objective(weights)[0], rel=5e-3)
        assert said["active_latents"] == (memories.var(0) > 0.01).sum()
        ratios = PCA().fit(memories).explained_variance_ratio_
        assert said["components_for_70_percent"] == np.searchsorted(ratios.cumsum(), 0.7) + 1
        squares = references.orthogonality(concepts)
        assert said["orthogonality_sum_of_squares"] == pytest.approx(squares, rel=1e-4)
        assert said["orthogonality_root"] == pytest.approx(squares**0.5, rel=1e-4)
        cosines = cosine_similarity(concepts)[~np.eye(10, dtype=bool)]
        assert said["mean_absolute_cosine"] == pytest.approx(np.abs(cosines).mean(), rel=1e-4)
        mean, control, whole_chord, same_time = approach(weights, concepts, SMOKE)
        curve, line = mean[:, SMOKE.label], control[:, SMOKE.label]
        closer = 1 - curve.min() / line.min()
        assert said["closer_whole_chord"] == pytest.approx(closer, abs=5e-4)
        closer = 1 - curve.min() / line[curve.argmin()]
        assert said["closer_same_time"] == pytest.approx(closer, abs=5e-4)
        minima = [[curve.min(0).mean() for curve in at_p] for at_p in scan(weights, memories)]
        check_stages(said["stages"], np.array(minima).T)
        closer_whole_chord.append(said["closer_whole_chord"])
        closer_same_time.append(said["closer_same_time"])
        error.append(said["test_negative_elbo"])
        assert said["labels_approaching_whole_chord"] == sum(whole_chord)
        assert said["labels_approaching_same_time"] == sum(same_time)
        assert said["label_approaches_whole_chord"] == whole_chord[SMOKE.label]
        assert said["label_approaches_same_time"] == same_time[SMOKE.label]
        assert said["step_of_label"] == mean[:, SMOKE.label].argmin()
        roots.append(squares**0.5)
        approaching.append(whole_chord[SMOKE.label])
    for values, name in (
        (closer_whole_chord, "rank_correlation_whole_chord"),
        (closer_same_time, "rank_correlation_same_time"),
    ):
        ranks = rankdata(values), rankdata(error)
        assert found[name] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    # "From then on": the first N_z behind the last failure.
    failures = [i for i, it_does in enumerate(approaching) if not it_does]
    beyond = SMOKE.n_z_grid[max(failures, default=-1) + 1 :]
    assert found["label_approaches_whole_chord_from"] == (beyond[0] if beyond else None)
    tenth = (roots[0] - roots[-1]) / 10
    apart = [i for i, root in enumerate(roots) if not abs(root - roots[-1]) <= tenth]
    beyond = SMOKE.n_z_grid[max(apart, default=-1) + 1 : -1]
    assert found["orthogonality_levels_off_at"] == (beyond[0] if beyond else None)


def test_the_label_page_reports_the_votes_of_a_plain_network(smoke_book, weights, judge):
    found = results(smoke_book.out, "06_label_detection")["results"]
    named = references.classify(judge, references.array(TEST.images)).argmax(1)
    accuracy = (named == TEST.labels.numpy()).mean()
    assert found["classifier"]["test_accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.9
    n = SMOKE.classified_trials
    for label, column in ((SMOKE.label, 2), (1, 1)):
        _, x0 = trials(
            [label], n, dataclasses.replace(SMOKE, p=SMOKE.p_grid[column]), by_label=True
        )
        images, _ = references.rollout(weights, x0, SMOKE.steps + 1)
        said = found["labels"][str(label)]["modal_label"][column]
        assert len(said) == SMOKE.steps + 1
        for t, image in enumerate(images[1:]):
            counts = np.bincount(references.classify(judge, image).argmax(1), minlength=10)
            # One trial on the edge between two labels may be named otherwise in float32.
            assert counts[int(said[t])] >= counts.max() - 2
            if np.sort(counts)[-2] < counts.max() - 2:
                assert int(said[t]) == counts.argmax()


def right(own, row):
    """In which senses the votes over time are right."""
    longest = max(re.finditer(f"{own}*", row), key=lambda run: len(run[0]))
    return {
        "right_at_every_step": set(row) == {own},
        "right_in_some_window": own in row,
        "window_near_20_to_30": bool(set(range(*longest.span())) & set(range(20, 31))),
    }


def test_the_label_page_counts_from_the_smallest_noise_fraction(smoke_book):
    found = results(smoke_book.out, "06_label_detection")["results"]
    assert list(found["labels"]) == ["6", "1"]
    for own, said in found["labels"].items():
        passing = [right(own, row) for row in said["modal_label"]]
        for key in passing[0]:
            last, fails = None, None
            for p, passes in zip(SMOKE.p_grid, passing, strict=True):
                if not passes[key]:
                    fails = p
                    break
                last = p
            assert said[f"{key}_up_to_p"] == last
            assert said[f"{key}_fails_at_p"] == fails
        window = said["window"]
        if said["right_in_some_window_up_to_p"] is None:
            assert window is None
            continue
        row = said["modal_label"][SMOKE.p_grid.index(said["right_in_some_window_up_to_p"])]
        runs = re.findall(f"{own}+", row)
        start, stop = window
        assert row[start : stop + 1] == max(runs, key=len)


def test_the_label_page_reports_the_final_states(smoke_book, weights, memories, judge):
    found = results(smoke_book.out, "06_label_detection")["results"]["final"]
    _, x0 = trials([SMOKE.label], SMOKE.trials, SMOKE, by_label=True)
    images, z = references.rollout(weights, x0, SMOKE.final_step + 1)
    z = z[:-1]
    judged = references.classify(judge, images[-1]).argmax(1)
    assert list(found["judged"].values()) == np.bincount(judged, minlength=10).tolist()
    stays = judged == SMOKE.label
    assert found["judged_own"] == stays.sum()
    assert found["share_judged_own"] == pytest.approx(stays.mean())
    concept = references.concepts(memories, TRAIN.labels.numpy())[SMOKE.label]
    groups = {"all": stays | True, "staying": stays, "leaving": ~stays}
    for name, said in found["distance_to_concept"].items():
        chosen = groups[name]
        mean = distances(z[:, chosen], concept).mean(1)
        fractions = np.linspace(0, 1, SMOKE.final_step + 1)[:, None, None]
        line = z[0, chosen] * (1 - fractions) + z[-1, chosen] * fractions
        of_line = distances(line, concept).mean(1)
        control = of_line.min()
        same_time = references.approaches(mean, of_line[mean.argmin()])
        assert said["approaches_same_time"] == same_time
        assert said["trials"] == chosen.sum()
        assert said["minimum"] == pytest.approx(mean.min(), rel=2e-4)
        assert said["line_minimum"] == pytest.approx(control, rel=2e-4)
        assert said["last"] == pytest.approx(mean[-1], rel=2e-4)
        assert said["approaches_whole_chord"] == references.approaches(mean, control)
        if chosen.sum() > 1:
            sem = distances(z[said["step"], chosen], concept).std(ddof=1) / chosen.sum() ** 0.5
            assert said["minimum_sem"] == pytest.approx(sem, rel=1e-3)
            assert said["leaves_again"] == (mean[-1] > mean.min() + 2 * sem)


def test_the_fashion_page_measures_what_the_chapters_do(smoke_book):
    """Of the edition's own dataset; Fashion-MNIST itself needs its images."""
    found = results(smoke_book.out, "09_fashion_mnist")["results"]
    own = found["datasets"]["digits"]
    clusters = results(smoke_book.out, "04_cluster_centers")["results"]
    readings = ("labels_approaching_whole_chord", "labels_approaching_same_time")
    for key in (*readings, "share_of_trials_approaching"):
        assert own[key] == clusters[key]
    for control in ("wrong_concept", "Mahalanobis"):
        assert own[control] == {key: clusters[control][key] for key in readings}
    assert own["stages"] == results(smoke_book.out, "05_noise_and_hierarchy")["results"]["stages"]
    model = results(smoke_book.out, "01_model")["results"]
    for key in ("active_latents", "components_for_70_percent", "test_negative_elbo"):
        assert own[key] == model[key]
    assert found["lacks_data"] == ("fashion_mnist" not in found["datasets"])
    fewest = min(network["epochs_trained"] for network in found["datasets"].values())
    assert found["epochs_trained"] == fewest  # what the claims page reads
