"""The pinned sources: who made them, at which commit, under which licence, and which of their files are used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sigma_env.errors import SourceError

FORGE_VARIABLE = "SIGMA_ENV_FORGE"
"""Environment variable that names another base URL to download from: a proxy, or a server of a test."""

PUBLIC_FORGE = "https://github.com"

_ForgeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Text = Annotated[str, StringConstraints(min_length=1)]
_Suffix = Annotated[str, StringConstraints(pattern=r"^\.[a-z0-9]+$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Selection(_Frozen):
    """The files under one folder of an archive whose names end in one of some suffixes."""

    folder: str
    suffixes: tuple[_Suffix, ...] = Field(min_length=1)

    def matches(self, path: str) -> bool:
        """Says whether a path, relative to the archive's top folder, is selected."""
        return path.endswith(self.suffixes) and (not self.folder or path.startswith(self.folder + "/"))


class Source(_Frozen):
    """One repository at one commit, as the forge packs it."""

    name: _ForgeName
    title: _Text
    owner: _ForgeName
    repo: _ForgeName
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    licence: _Text
    licence_file: str | None
    data: tuple[Selection, ...] = Field(min_length=1)
    unverified: tuple[_Text, ...]

    @property
    def top_folder(self) -> str:
        """The one folder that a forge's archive of this commit holds."""
        return f"{self.repo}-{self.commit}"

    @property
    def archive_name(self) -> str:
        """The file name of the archive, in a mirror and on its way."""
        return f"{self.top_folder}.tar.gz"

    @property
    def url(self) -> str:
        """Where the archive is downloaded from.

        Raises:
            SourceError: ``SIGMA_ENV_FORGE`` is set to something that is no http(s) URL.
        """
        return f"{forge_url()}/{self.owner}/{self.repo}/archive/{self.commit}.tar.gz"

    def selects(self, path: str) -> bool:
        """Says whether the project uses the file at ``path``, which is relative to the top folder."""
        return path == self.licence_file or any(selection.matches(path) for selection in self.data)

    def unverified_entry(self, path: str) -> str | None:
        """Returns the entry of ``unverified`` that names ``path``, or None."""
        return next((entry for entry in self.unverified if _entry_pattern(entry).fullmatch(path)), None)


class Catalogue(_Frozen):
    """All pinned sources, by name."""

    sources: dict[str, Source]

    def find(self, name: str) -> Source:
        """Returns the source of that name; upper and lower case are the same.

        Raises:
            SourceError: There is no such source; the message lists those that exist.
        """
        for known, source in self.sources.items():
            if known.casefold() == name.casefold():
                return source
        raise SourceError(f"no source is named {name!r}; the catalogue has {', '.join(self.sources)}")

    def select(self, names: Iterable[str]) -> list[Source]:
        """Returns the named sources in the order given, each once; all of them if no name is given.

        Raises:
            SourceError: A name is unknown.
        """
        chosen = {source.name: source for source in map(self.find, names)}
        return list((chosen or self.sources).values())


@cache
def catalogue() -> Catalogue:
    """Returns the catalogue that ships with the package."""
    file = files("sigma_env.corpora") / "data" / "catalogue.yaml"
    return parse_catalogue(file.read_text(encoding="utf-8"), origin="catalogue.yaml")


def parse_catalogue(text: str, origin: str) -> Catalogue:
    """Reads a catalogue from its YAML.

    Args:
        text: The YAML text.
        origin: What to call the text in messages.

    Raises:
        SourceError: The text is no catalogue; the message names the entry and the field.
    """
    try:
        document: Any = yaml.safe_load(text)
        for name, entry in document["sources"].items():
            entry["name"] = name
        return Catalogue.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise SourceError(f"{origin}: {faults}") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{origin}: not a mapping with the key 'sources': {error}") from error


def forge_url() -> str:
    """Returns the base URL of the forge, without a slash at its end."""
    base = os.environ.get(FORGE_VARIABLE) or PUBLIC_FORGE
    if not re.match(r"https?://[^/]", base):
        raise SourceError(
            f"{FORGE_VARIABLE} is {base!r}, which is no http or https URL; unset it to use {PUBLIC_FORGE}"
        )
    return base.rstrip("/")


@cache
def _entry_pattern(entry: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(re.escape(part) for part in entry.split("*")))
