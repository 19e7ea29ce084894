"""The paper's claims and what this edition's results say of them."""

from repinf_core.claims.judging import (
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Claim,
    Judged,
    Measured,
    judge,
)
from repinf_core.claims.paper import CLAIMS

__all__ = [
    "CLAIMS",
    "NOT_REPRODUCED",
    "NOT_RUN",
    "PARTLY",
    "REPRODUCED",
    "Claim",
    "Judged",
    "Measured",
    "judge",
]
