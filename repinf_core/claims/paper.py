"""The claims of Nagano, Karakida and Okada, in the order of the paper, and their criteria."""

from repinf_core.claims import measures
from repinf_core.claims.judging import Claim

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "two branches",
        "the trajectories from '1' have branched into two groups; the one is '1', the other tends "
        "to be other numbers",
        "Results, Fig. 2, Suppl. B",
        "two groups at t = 10",
        "the shares nearest to their own concept differ by 50 points or more between the groups, "
        "and the silhouette is 0.5 or more; partly: they differ by 25 points",
        "Fig. 2",
        "03_collective_dynamics",
        "03-12",
        measures.branches,
    ),
    Claim(
        "approach",
        "repeated inference rapidly approaches the concept, for every label",
        "Results, Fig. 3a; p: preprint Fig. 2",
        "10 of 10 labels at p = 0.2",
        "the mean curve approaches in the strict sense for all labels; partly: for five or more, "
        "or by the weaker reading for five or more",
        "Fig. 3",
        "04_cluster_centers",
        "04-11",
        measures.approach,
    ),
    Claim(
        "memory early",
        "the distance to the memory is smallest early in the inference",
        "Results, Fig. 3b",
        "early, for all labels",
        "in the first quarter of the steps for all labels; partly: for five or more",
        "Fig. 3",
        "04_cluster_centers",
        "04-15",
        measures.memory_early,
    ),
    Claim(
        "leaves again",
        "after its minimum the distance to the concept rises again: no stable fixed point",
        "Results, Fig. 3a; preprint Fig. 2",
        "all labels",
        "the minimum is not at the start, and the last distance exceeds it by more than two "
        "standard errors, for all labels; partly: for five or more",
        "Fig. 3",
        "04_cluster_centers",
        "04-11",
        measures.rises_again,
    ),
    Claim(
        "saddle",
        "near the concept the latent space attracts in the direction of the noise and diverges in "
        "the orthogonal direction, as near a saddle point",
        "Results, text on Fig. 3",
        "no number in the text",
        "at the concept a step shrinks displacements along the noise, on average, and lengthens "
        "some that are orthogonal to its mean, for all labels; partly: for five or more",
        "Fig. 3",
        "04_cluster_centers",
        "04-24",
        measures.saddle,
    ),
    Claim(
        "not the metric",
        "the approach is found in a metric that allows for the cluster's shape as well (the text "
        "asks whether the Euclidean distance misleads, and leaves the answer to its supplement)",
        "Results, text on Suppl. C",
        "none in the text",
        "in the Mahalanobis distance the mean curve approaches in the strict sense for all labels; "
        "partly: for five or more, or by the weaker reading for five or more",
        "Fig. 3",
        "04_cluster_centers",
        "04-19",
        measures.mahalanobis,
    ),
    Claim(
        "Fashion-MNIST",
        "the same experiment on Fashion-MNIST is qualitatively consistent",
        "Results, text on Fig. 3 and Suppl. D",
        "as on MNIST",
        "the numbers of labels that approach differ by no more than two, in the strict sense and "
        "by the weaker reading; partly: one of the two",
        "Suppl. D",
        "09_fashion_mnist",
        "09-08",
        measures.fashion,
    ),
    Claim(
        "stages",
        "with growing noise the centre that is approached closest is the memory (I), the concept "
        "(II), the abstract concept (III)",
        "Results, Fig. 4a; p: text on Fig. 5",
        "I, II, III; III from p = 0.4",
        "this order, and III begins between p = 0.3 and 0.5; partly: this order",
        "Fig. 4",
        "05_noise_and_hierarchy",
        "05-08",
        measures.stages,
    ),
    Claim(
        "memory time",
        "the memory is approached earliest, and the later the more noise",
        "Results, Fig. 4b",
        "earliest in all stages",
        "its mean time is the smallest of the three at 90% of the p or more, and its rank "
        "correlation with p is 0.8 or more; partly: one of the two",
        "Fig. 4",
        "05_noise_and_hierarchy",
        "05-08",
        measures.memory_time,
    ),
    Claim(
        "concept time",
        "the time of the closest approach to the concept depends less on the noise; as we read it, "
        "it is the 20 to 30 steps that serve label detection",
        "Results, Fig. 4b",
        "20 to 30 steps for detection",
        "the ranges of its mean time and of the abstract concept's over p are smaller than the "
        "memory's, and it is 20 to 30 steps at more than half of the p; partly: one of the two",
        "Fig. 4",
        "05_noise_and_hierarchy",
        "05-08",
        measures.concept_time,
    ),
    Claim(
        "label detection",
        "images from '6' are classified correctly at every step up to stage II, and beyond it in a "
        "region of steps close to 20 to 30",
        "Results, Fig. 5a",
        "every step for p < 0.4, a region for p < 0.7",
        "right at every step at every p below 0.4, and at every p below 0.7 the longest run of "
        "right steps overlaps 20 to 30; partly: one of the two",
        "Fig. 5",
        "06_label_detection",
        "06-11",
        measures.label_detection,
    ),
    Claim(
        "beyond stage II",
        "in stage III images from '6' are classified as '3' or '4' at the beginning and as '0' at "
        "the end",
        "Results, Fig. 5a",
        "'3' or '4', then '0'",
        "over the p at which '6' is wrong at some step, the most frequent vote is '3' or '4' at "
        "the first step and '0' at the last; partly: one of the two",
        "Fig. 5",
        "06_label_detection",
        "06-11",
        measures.beyond_stage_two,
    ),
    Claim(
        "less room for '1'",
        "from '1' the range of steps that serves is small or vanishes for medium noise",
        "Results, Fig. 5b",
        "0.4 < p < 0.7",
        "at every p between, the longest run of right steps is at most a quarter of all steps, and "
        "longer at some other p; partly: at half of those between or more",
        "Fig. 5",
        "06_label_detection",
        "06-11",
        measures.less_room,
    ),
    Claim(
        "active latents",
        "only a few latent variables, 14 of 100, carry information",
        "Results, Fig. 7a",
        "14 of 100 active",
        "12 to 16 are active; partly: 8 to 20",
        "Fig. 7",
        "07_latent_dimension",
        "07-08",
        measures.active,
    ),
    Claim(
        "dimensions",
        "the variance of the memories is entirely that of 14 dimensions, 70% of it that of nine",
        "Results, Fig. 7b",
        "70% in nine components, all in 14; 14 active",
        "99.9% in 12 to 16 components and 70% in eight to ten; partly: one of the two",
        "Fig. 7",
        "07_latent_dimension",
        "07-08",
        measures.components,
    ),
    Claim(
        "orthogonal concepts",
        "the concepts of different labels are nearly orthogonal",
        "Results, after Eq. 10",
        "cosines near zero at N_z = 100",
        "the mean absolute cosine of different labels is below 0.1; partly: at most 0.2",
        "Fig. 7",
        "07_latent_dimension",
        "07-19",
        measures.near_orthogonal,
    ),
    Claim(
        "orthogonality levels off",
        "orthogonality grows with the number of latent variables, then levels off close to zero",
        "Results, Fig. 8",
        "close to zero from N_z about 10 to 20",
        "the smallest N_z of the grid from which on the root of the sum of squares stays within a "
        "tenth of its whole fall is 10 to 20, and there the mean absolute cosine is below 0.1; "
        "partly: it is 5 to 50",
        "Fig. 8",
        "07_latent_dimension",
        "07-22",
        measures.levels_off,
    ),
    Claim(
        "needs dimensions",
        "the approach needs enough latent variables",
        "Results, Fig. 8; preprint Fig. 6",
        "not at N_z = 2 and 5, but at 10, 20, 100",
        "from '6' the mean curve approaches at no N_z up to 5 and at all from 10 on, in the strict "
        "sense; partly: one of the two, and some of the other, or both by the weaker reading",
        "Fig. 8",
        "07_latent_dimension",
        "07-22",
        measures.needs_dimension,
    ),
    Claim(
        "still the same class",
        "about two thirds of the trajectories from '6' are still '6' at the end, the others "
        "another number",
        "Preprint App. B",
        "193 of 300 trials still '6' at T = 80",
        "the share differs from 193/300 by less than two standard errors of the difference; "
        "partly: by less than four",
        "Fig. 5",
        "06_label_detection",
        "06-15",
        measures.still_right,
    ),
    Claim(
        "no other label's pull",
        "trajectories that stay in their class approach the concept as well",
        "Preprint App. B; question: text on Suppl. F",
        "both mean curves approach",
        "the mean curve of all trials and that of those that stay both approach in the strict "
        "sense; partly: one of them, or both by the weaker reading",
        "Fig. 5",
        "06_label_detection",
        "06-17",
        measures.stayers,
    ),
    Claim(
        "the judge",
        "the convolutional classifier is accurate",
        "Preprint App. B",
        "99.25% of the test images",
        "at least 99.0%; partly: at least 98%",
        "Preprint App. B",
        "06_label_detection",
        "06-08",
        measures.judge_accuracy,
    ),
    Claim(
        "generalization",
        "the best test objective is near 14 latent variables and does not change much afterwards",
        "Results, Fig. 9",
        "N_z = 14",
        "the best N_z of the grid is 10 to 20, and beyond it the objective rises by at most a "
        "tenth of what it fell before; partly: one of the two",
        "Fig. 9",
        "08_generalization",
        "08-08",
        measures.generalization,
    ),
    Claim(
        "dynamics tell",
        "the more the centre attracts the trajectories, the better the generalization, so that the "
        "dynamics alone can tell it",
        "Abstract; Results, after Fig. 9",
        "no number in the text",
        "over the N_z of the grid, the rank correlation of the test objective with how much closer "
        "to the concept the mean curve from '6' comes than its straight line is -0.8 or less; "
        "partly: -0.5 or less, or -0.8 or less with its line at the same t (the weaker reading)",
        "Fig. 8",
        "07_latent_dimension",
        "07-22",
        measures.dynamics_tell,
    ),
    Claim(
        "stage II needs dimensions",
        "stage II appears only if there are enough latent variables",
        "Discussion",
        "no number in the text",
        "for '6' the concept is the centre approached closest over some range of p at no N_z up to "
        "5 and at all from 10 on; partly: one of the two, and some of the other",
        "Fig. 4, other N_z",
        "07_latent_dimension",
        "07-22",
        measures.stage_two_needs_dimension,
    ),
)
