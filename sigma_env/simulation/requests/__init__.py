"""What people ask for: the plan of a request, and the request in a persona's words."""

from sigma_env.simulation.requests.disclosure import full_plan, make_plan
from sigma_env.simulation.requests.errors import RequestError

__all__ = ["RequestError", "full_plan", "make_plan"]
