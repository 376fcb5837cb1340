"""What people ask for: the plan of a request, and the request in a persona's words."""

from sigma_env.simulation.requests.abstain import detectable_twin, undetectable
from sigma_env.simulation.requests.check import discloses, faults
from sigma_env.simulation.requests.disclosure import full_plan, make_plan
from sigma_env.simulation.requests.errors import RequestError
from sigma_env.simulation.requests.voices import PERSONAS
from sigma_env.simulation.requests.writing import Request, write_request

__all__ = [
    "PERSONAS",
    "Request",
    "RequestError",
    "detectable_twin",
    "discloses",
    "faults",
    "full_plan",
    "make_plan",
    "undetectable",
    "write_request",
]
