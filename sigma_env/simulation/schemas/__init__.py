"""Every event that the simulator can log: which there are, what their fields are, and what a field can hold.

    catalogue().of_event("Security", 4688)      # the schemas of an event, newest first
    catalogue().selectable(rule.logsource)      # all that a logsource selects
    resolve(schema, "ParentImage", "process_creation")
    cannot_hold(schema.by_name["Image"], "cmd.exe")

`logs.json` holds what public logs show (`make.py` makes it), `project.yml` what they lack, `kinds.yml` what fields
hold; all three lie in the package's data.
"""

from sigma_env.simulation.schemas.catalogue import Catalogue, catalogue
from sigma_env.simulation.schemas.encode import body, encode
from sigma_env.simulation.schemas.fields import resolve
from sigma_env.simulation.schemas.plausible import cannot_hold, rendered

__all__ = ["Catalogue", "body", "cannot_hold", "catalogue", "encode", "rendered", "resolve"]
