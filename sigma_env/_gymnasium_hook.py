"""Registers the environments as soon as Gymnasium is imported, without importing it.

Gymnasium 1.4 has no plugin entry point, so `import sigma_env` must register. But importing Gymnasium
costs some 0.3 seconds, which `sigma-env match` and the sigma rooms have no use for. So if Gymnasium
is there already, registration is immediate, and otherwise it follows Gymnasium's own import.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_TARGET = "gymnasium"


def call_with_gymnasium(action: Callable[[], None]) -> None:
    """Calls `action` now if Gymnasium has been imported, else right after it will have been."""
    if _TARGET in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _Finder(action))


class _Finder:
    """Finds Gymnasium as the other finders do, with a loader that calls back.

    It derives from no class of `importlib.abc`, whose import would double what `import sigma_env` takes.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _TARGET:
            return None
        for finder in sys.meta_path:
            if finder is self or isinstance(finder, _Finder):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]  # one in all but its class
                return spec
        return None


class _Loader:
    """The module's own loader, and after it the call."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # Nobody shall see this loader once it has done its work.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
            self._finder.action()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
