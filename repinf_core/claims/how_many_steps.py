"""The claims on the number of steps: the paper's practical advice, drawn from Figs. 4 and 5."""

from repinf_core.claims.judging import NOT_RUN, Claim, Measured, Numbers, graded

MARGIN = 0.01
"""Accuracy by which another number of steps must be better to count: one percentage point."""

_FIXED = (
    "Before any number of this chapter was seen. What the paper draws its advice from, on training "
    "images, had been measured in the chapters on noise and on label detection."
)


def more_with_noise(found: Numbers) -> Measured:
    advice = found["denoising"]
    if advice is None:
        return Measured("too few noise fractions or steps", NOT_RUN)
    rises, pays = (advice[name]["low"] > 0 for name in ("rank_correlation", "adapting"))
    return Measured(
        f"rank correlation of p and the best step {_told(advice['rank_correlation'], '{:z.2f}')}; "
        f"a number of steps for each p adds {_told(advice['adapting'], '{:z.2f}')} dB to the best "
        f"single one; best step {advice['first_best']} at p = {advice['first_p']:g}, "
        f"{advice['last_best']} at p = {advice['last_p']:g}",
        graded(rises and pays, rises),
    )


def twenty_to_thirty(found: Numbers) -> Measured:
    advice = found["labels"]
    if advice is None:
        return Measured("too few noise fractions or steps", NOT_RUN)
    pays = advice["over_one_pass"]["low"] > 0
    better = [p for p, other in advice["others"].items() if other["low"] > MARGIN]
    where = f" ({', '.join(better)})" if better else ""
    points = {name: 100 * end for name, end in advice["over_one_pass"].items()}
    return Measured(
        f"accuracy over 20 to 30 steps less one pass's: {_told(points, '{:z.1f}')} percentage "
        f"points; other steps are better at {len(better)} of {len(advice['others'])} p{where}",
        graded(pays and not better, pays and 2 * len(better) <= len(advice["others"])),
    )


def _told(estimate: Numbers, text: str) -> str:
    """A value with its interval."""
    value, low, high = (text.format(estimate[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


CLAIMS = (
    Claim(
        "more steps with more noise",
        "the number of inference steps should be increased according to the amount of noise when "
        "performing noiseless reconstruction",
        "Results, text on Fig. 4; Discussion",
        "no number in the text",
        "on noisy test images at the noise fractions below 0.7, the step of the largest mean PSNR "
        "rises with p (the 95% bootstrap interval of the rank correlation lies above 0), and a "
        "number of steps for each p gives a larger PSNR than the best single number for all p (the "
        "interval of the mean difference lies above 0; both are chosen on one half of the images "
        "and judged on the other); partly: it rises, but that does not pay",
        "Steps",
        "21_how_many_steps",
        more_with_noise,
        _FIXED,
    ),
    Claim(
        "20 to 30 steps for labels",
        "the inference step should be around 20 to 30, independent of the noise fraction, when "
        "performing label detection",
        "Results, text on Figs. 4 and 5; Discussion",
        "20 to 30 steps at every p",
        "on noisy test images at the noise fractions below 0.7, the mean accuracy over the steps "
        "20 to 30 is higher than that of a single pass (the 95% bootstrap interval of the mean "
        "difference lies above 0), and at no p is another step better than 20 to 30 by more than "
        "one percentage point (chosen on one half of the images and judged on the other; the "
        "intervals hold at 95% for all p together); partly: a step is better at up to half of the "
        "noise fractions",
        "Steps",
        "21_how_many_steps",
        twenty_to_thirty,
        _FIXED,
    ),
)
