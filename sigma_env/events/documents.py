"""JSON-like events → the content of a store."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sigma_env.errors import StoreError
from sigma_env.events.builder import StoreBuilder
from sigma_env.events.content import LogFile, MemoryContent
from sigma_env.events.flatten import flatten


def content_of(documents: Iterable[Mapping[str, Any]], file: str) -> MemoryContent:
    """The content of a store of documents. See `EventStore.from_documents`."""
    builder = StoreBuilder()
    digest = hashlib.blake2b(f"documents\0{file}\0".encode("utf-8", "surrogatepass"), digest_size=16)
    for position, document in enumerate(documents):
        try:
            event = flatten(document)
            builder.add(event, 0, position, position)
        except StoreError as error:
            raise StoreError(f"{file}, event {position}: {error}") from error
        digest.update(repr((event.system, event.data)).encode("utf-8", "surrogatepass"))
    builder.files.append(LogFile(file, (), 0, builder.n_events))
    return builder.finish(digest.hexdigest())
