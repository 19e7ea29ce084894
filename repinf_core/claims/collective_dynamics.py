"""The claims on collective dynamics: the branches of Fig. 2 and Suppl. B."""

from repinf_core.claims.judging import NOT_RUN, Claim, Measured, Numbers, graded


def branches(found: Numbers) -> Measured:
    if len(found["share_nearest_own_concept"]) == 1:
        return Measured("all trials are one point", NOT_RUN)
    low, high = sorted(found["share_nearest_own_concept"])
    return Measured(
        f"at t = {found['branch_time']}: {high:.0%} and {low:.0%} of the two groups nearest to "
        f"their own concept; silhouette {found['silhouette']:z.2f}",
        graded(high - low >= 0.5 and found["silhouette"] >= 0.5, high - low >= 0.25),
    )


CLAIMS = (
    Claim(
        "two branches",
        "the trajectories from '1' have branched into two groups; one is '1', the other tends "
        "to be other numbers",
        "Results, Fig. 2, Suppl. B",
        "two groups at t = 10",
        "the shares nearest to their own concept differ by 50 points or more between the groups, "
        "and the silhouette is 0.5 or more; partly: they differ by 25 points",
        "Fig. 2",
        "03_collective_dynamics",
        branches,
    ),
)
