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
        "03_collective_dynamics",
        "03-14",
        measures.branches,
    ),
    Claim(
        "approach",
        "repeated inference rapidly approaches the concept, for every label",
        "Results, Fig. 3a",
        "10 of 10 labels at p = 0.2",
        "the mean curve approaches in the strict sense for all labels; partly: for five or more, "
        "or by the weaker reading",
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
        "04_cluster_centers",
        "04-15",
        measures.memory_early,
    ),
    Claim(
        "leaves again",
        "after its minimum the distance to the concept rises again: no stable fixed point",
        "Results, Fig. 3a",
        "all labels",
        "the last distance exceeds the minimum by more than two standard errors for all labels; "
        "partly: for five or more",
        "04_cluster_centers",
        "04-11",
        measures.rises_again,
    ),
    Claim(
        "not the metric",
        "the approach is no artefact of the Euclidean distance",
        "Results, Suppl. C",
        "no number in the text",
        "in the Mahalanobis distance the mean curve approaches in the strict sense for all labels; "
        "partly: for five or more",
        "04_cluster_centers",
        "04-19",
        measures.mahalanobis,
    ),
    Claim(
        "Fashion-MNIST",
        "the results on Fashion-MNIST are qualitatively the same",
        "Results, Suppl. D",
        "as on MNIST",
        "the numbers of labels that approach differ by no more than two, and the stages come in "
        "the same order; partly: one of the two",
        "09_fashion_mnist",
        "09-08",
        measures.fashion,
    ),
    Claim(
        "stages",
        "with growing noise the centre that is approached closest is the memory (I), the concept "
        "(II), the abstract concept (III)",
        "Results, Fig. 4a",
        "I, II, III; III from p = 0.4",
        "this order, and III begins between p = 0.3 and 0.5; partly: this order",
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
        "05_noise_and_hierarchy",
        "05-08",
        measures.memory_time,
    ),
    Claim(
        "concept time",
        "the time of the closest approach to the concept depends less on the noise",
        "Results, Fig. 4b",
        "20 to 30 steps serve label detection",
        "the range of its mean time over p is smaller than the memory's, and it is 20 to 30 steps "
        "at more than half of the p; partly: one of the two",
        "05_noise_and_hierarchy",
        "05-08",
        measures.concept_time,
    ),
    Claim(
        "active latents",
        "only a few latent variables carry information",
        "Results, Fig. 7a",
        "14 of 100 active",
        "12 to 16 are active; partly: 8 to 20",
        "07_latent_dimension",
        "07-12",
        measures.active,
    ),
    Claim(
        "dimensions",
        "the memories vary in as many dimensions as latents are active, and mostly in fewer",
        "Results, Fig. 7b",
        "all in 14 components, 70% in nine",
        "99.9% in 12 to 16 components and 70% in eight to ten; partly: one of the two",
        "07_latent_dimension",
        "07-12",
        measures.components,
    ),
    Claim(
        "orthogonal concepts",
        "the concepts of different labels are nearly orthogonal",
        "Results, after Eq. 10",
        "cosines near zero at N_z = 100",
        "the mean absolute cosine of different labels is below 0.1; partly: at most 0.2",
        "07_latent_dimension",
        "07-19",
        measures.near_orthogonal,
    ),
    Claim(
        "orthogonality levels off",
        "orthogonality grows with the number of latent variables, then levels off",
        "Results, Fig. 8",
        "N_z about 10 to 20",
        "the smallest N_z of the grid from which on the root of the sum of squares stays within a "
        "tenth of its whole fall is 10 to 20; partly: 5 to 50",
        "07_latent_dimension",
        "07-26",
        measures.levels_off,
    ),
    Claim(
        "needs dimensions",
        "the approach needs enough latent variables",
        "Results, Fig. 8; preprint Fig. 6",
        "not at N_z = 2 and 5, but at 10, 20, 100",
        "from '6' the mean curve approaches at no N_z up to 5 and at all from 10 on; partly: one "
        "of the two, and some of the other",
        "07_latent_dimension",
        "07-31",
        measures.needs_dimension,
    ),
    Claim(
        "label detection",
        "images from '6' are classified correctly at every step up to stage II, and in some window "
        "of steps beyond it",
        "Results, Fig. 5a",
        "every step for p < 0.4, a window for p < 0.7",
        "the first p that fails is within 0.05 of 0.4 (every step) and of 0.7 (a window, which "
        "overlaps the steps 20 to 30); partly: one of the two",
        "06_label_detection",
        "06-11",
        measures.label_detection,
    ),
    Claim(
        "still the same class",
        "many trajectories from '6' end as another number",
        "Suppl. F; preprint App. B",
        "193 of 300 trials still '6' at T = 80",
        "the share differs from 193/300 by less than two standard errors of the difference; "
        "partly: by less than four",
        "06_label_detection",
        "06-15",
        measures.still_right,
    ),
    Claim(
        "no other label's pull",
        "trajectories that stay in their class approach the concept as well",
        "Suppl. F; preprint App. B",
        "both mean curves approach",
        "the mean curve of all trials and that of those that stay both approach in the strict "
        "sense; partly: one of them",
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
        "08_generalization",
        "08-11",
        measures.generalization,
    ),
)
