"""Why a rule gets no request."""

from sigma_env.errors import SigmaEnvError


class RequestError(SigmaEnvError):
    """A rule cannot be told in a request, or a request says something else than its plan."""
