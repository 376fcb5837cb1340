"""An event that is being filled: what is given, what is known so far, and how to get the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.world.accounts import WELL_KNOWN_SIDS, Account
from sigma_env.simulation.world.chance import mixed, salt
from sigma_env.simulation.world.setting import Setting

if TYPE_CHECKING:
    from sigma_env.simulation.world.ordinary import Row

_RID = salt("rid")


class Filling:
    """One event on the way.

    Attributes:
        here: its setting.
        given: values that are decided already.
        out: values known so far, given ones among them.
        row: an ordinary event of the kind, of which what is not given is taken.
    """

    __slots__ = ("_makers", "given", "here", "out", "row", "schema")

    def __init__(
        self, schema: EventSchema, here: Setting, given: Mapping[str, FieldValue], makers: Mapping[str, Maker]
    ) -> None:
        self.schema = schema
        self.here = here
        self.given = given
        self.out: dict[str, FieldValue] = {}
        self.row: Row | None = None
        self._makers = makers

    def text(self, name: str) -> str:
        """The value of a field, made now if it is not known; '' if the event has no such field."""
        value = self.given.get(name)
        if value is None:
            value = self.out.get(name)
        if value is None:
            maker = self._makers.get(name)
            if maker is None:
                return ""
            value = self.out[name] = maker(self)
        return value if isinstance(value, str) else " ".join(value)

    def given_text(self, *names: str) -> str | None:
        """The first of these fields that is given."""
        for name in names:
            value = self.given.get(name)
            if isinstance(value, str):
                return value
        return None

    @property
    def actor(self) -> Account:
        """Who acts: whom a given field names, else the scene's account."""
        company = self.here.company
        sid = self.given_text("SubjectUserSid")
        if sid is not None and sid in company.by_sid:
            return company.by_sid[sid]
        user = self.given_text("User", "SourceUser", "SubjectUserName")
        if user is not None:
            known = company.by_lower_name.get(user.rpartition("\\")[2].lower())
            if known is not None:
                return known
        return self.here.account

    def sid_of(self, name: str) -> str:
        """The SID of an account or group by its name."""
        if name.lower() == self.here.account.name.lower():
            return self.here.account.sid
        found = WELL_KNOWN_SIDS.get(name.lower()) or GROUP_SIDS.get(name.lower())
        if found is not None:
            return found if found.startswith("S-1-") else f"{self.here.company.domain.sid}-{found}"
        account = self.here.company.by_lower_name.get(name.partition("@")[0].lower())
        if account is not None:
            return account.sid
        return f"{self.here.company.domain.sid}-{4000 + mixed(salt(name.lower()), _RID) % 5000}"


Maker = Callable[[Filling], FieldValue]

GROUP_SIDS = {
    "domain admins": "512",
    "domain users": "513",
    "domain computers": "515",
    "domain controllers": "516",
    "schema admins": "518",
    "enterprise admins": "519",
    "krbtgt": "502",
    "guest": "501",
    "administrators": "S-1-5-32-544",
    "users": "S-1-5-32-545",
    "guests": "S-1-5-32-546",
    "print operators": "S-1-5-32-550",
    "backup operators": "S-1-5-32-551",
    "remote desktop users": "S-1-5-32-555",
    "performance log users": "S-1-5-32-559",
    "event log readers": "S-1-5-32-573",
    "everyone": "S-1-1-0",
}
"""Well-known groups by name in lower case: a whole SID, or the RID in the domain ([MS-DTYP] 2.4.2.4)."""
