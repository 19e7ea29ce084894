"""The claim on generalization: Fig. 9."""

from repinf_core.claims.judging import NOT_RUN, SINGLE_N_Z, Claim, Measured, Numbers, graded

NEAR_14 = (10, 20)
"""The N_z that count as "in the vicinity of 14"; both ends belong to them."""


def generalization(found: Numbers) -> Measured:
    if len(found["n_z"]) == 1:
        return SINGLE_N_Z
    n_z, flat = found["n_z_star"], found["flat_afterwards"]
    if all(NEAR_14[0] <= one <= NEAR_14[1] for one in found["n_z"]):
        return Measured("every N_z of the grid is near 14", NOT_RUN)
    near = NEAR_14[0] <= n_z <= NEAR_14[1]
    afterwards = {True: "flat", False: "not flat", None: "cannot be judged"}[flat]
    return Measured(
        f"best at N_z = {n_z}, {found['smallest_error']:.1f} nats per image; "
        f"afterwards {afterwards}",
        graded(near and flat is True, near or flat is True),
    )


CLAIMS = (
    Claim(
        "generalization",
        "the best test objective is near 14 latent variables and does not change much afterwards",
        "Results, Fig. 9",
        "N_z = 14",
        "the best N_z of the grid is 10 to 20, and beyond it the objective rises by at most a "
        "tenth of what it fell before; partly: one of the two",
        "Fig. 9",
        "08_generalization",
        generalization,
        "Before the numbers were seen. Later, when they were known: it is not judged on a "
        "grid that has no N_z outside of 10 to 20; no verdict turned on it.",
    ),
)
