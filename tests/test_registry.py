"""envs_registry.yaml is the only place where environments are declared, and importing sigma_env registers them."""

import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
import yaml

import sigma_env
from sigma_env.errors import RegistryError
from sigma_env.registry import load_registry, register, registry_path

GOOD = {
    "id": "Own-v0",
    "description": "A dataset of our own.",
    "entry_point": "sigma_env.env:SigmaRuleEnv",
    "vector_entry_point": "sigma_env.vector:SigmaRuleVectorEnv",
    "kwargs": {"dataset": "own", "split": None, "weights": {"yaml_valid": 0, "logsource_correct": 0.5, "iou": 1}},
}


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, *entries: object) -> Path:
    path = folder / "registry.yaml"
    path.write_text(yaml.safe_dump({"environments": list(entries)}))
    return path


def test_the_shipped_registry_is_valid_and_registered() -> None:
    specs = load_registry()
    assert [spec.id for spec in specs] == [
        "SigmaForge-v0",
        "SigmaForge-SigmaHQ-Real-v0",
        "SigmaForge-SigmaHQ-v0",
        "SigmaForge-Abstain-v0",
        "SigmaForge-Chainsaw-v0",
    ]
    for spec in specs:
        registered = gymnasium.spec(spec.id)
        assert registered.entry_point == "sigma_env.env:SigmaRuleEnv"
        assert registered.vector_entry_point == "sigma_env.vector:SigmaRuleVectorEnv"
        assert registered.kwargs == spec.kwargs.model_dump(exclude_unset=True)
        assert registered.kwargs["dataset"] == spec.kwargs.dataset
        assert registered.to_json()


def test_only_what_an_entry_says_is_passed_on(tmp_path: Path) -> None:
    register(load_registry(write(tmp_path, GOOD)))
    try:
        assert gymnasium.spec("Own-v0").kwargs == GOOD["kwargs"]
    finally:
        del gymnasium.registry["Own-v0"]


def test_registering_again_is_silent() -> None:
    before = gymnasium.spec("SigmaForge-v0")
    register()
    assert gymnasium.spec("SigmaForge-v0") is before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "Unversioned"}, "id"),
        ({"description": None}, "description"),
        ({"description": ""}, "description"),
        ({"entry_point": "sigma_env.env.SigmaRuleEnv"}, "entry_point"),
        ({"vector_entry_point": 3}, "vector_entry_point"),
        ({"max_reward": 2}, "max_reward"),
        ({"kwargs": {"datset": "starter"}}, "kwargs.datset"),
        ({"kwargs": {"dataset": 1}}, "kwargs.dataset"),
        ({"kwargs": {"split": "tests"}}, "kwargs.split"),
        ({"kwargs": {"engine": "grep"}}, "kwargs.engine"),
        ({"kwargs": {"semantics": "splunk"}}, "kwargs.semantics"),
        ({"kwargs": {"seed": -1}}, "kwargs.seed"),
        ({"kwargs": {"weights": {"iou": 1.0}}}, "kwargs.weights"),
        ({"kwargs": {"weights": {"yaml_valid": -1.0, "logsource_correct": 1.0, "iou": 1.0}}}, "kwargs.weights"),
        ({"kwargs": []}, "kwargs"),
    ],
)
def test_a_wrong_entry_is_named_with_its_field(tmp_path: Path, change: dict[str, object], field: str) -> None:
    path = write(tmp_path, GOOD, {**GOOD, "id": "Other-v0", **change})
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    name = change.get("id", "Other-v0")
    assert str(caught.value).startswith(f"{path}: entry 2 ('{name}'): {field}: ")


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    without = {key: value for key, value in GOOD.items() if key != "entry_point"}
    with pytest.raises(RegistryError, match=r"entry 1 \('Own-v0'\): entry_point: "):
        load_registry(write(tmp_path, without))


def test_an_id_has_one_entry(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"entry 'Own-v0': id: 2 entries"):
        load_registry(write(tmp_path, GOOD, GOOD))


@pytest.mark.parametrize(
    "text", ["", "[]", "environments: {}", "environments: []\nmore: 1", "environments: [", "\tx", "- environments: []"]
)
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "registry.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError, match=r"registry\.yaml: "):
        load_registry(path)


def test_an_entry_that_is_no_mapping_is_counted(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"entry 2: entry: "):
        load_registry(write(tmp_path, GOOD, "SigmaForge-v0"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"absent\.yaml"):
        load_registry(tmp_path / "absent.yaml")


def test_the_wheel_takes_the_registry_from_where_a_checkout_has_it() -> None:
    root = Path(sigma_env.__file__).parent.parent
    project = (root / "pyproject.toml").read_text()
    assert registry_path() == root / "envs_registry.yaml"
    assert '"envs_registry.yaml" = "sigma_env/envs_registry.yaml"' in project


@pytest.mark.parametrize(
    "imports",
    ["import gymnasium, sigma_env", "import sigma_env, gymnasium", "import sigma_env.errors, gymnasium.envs"],
)
def test_either_order_of_imports_registers(imports: str) -> None:
    assert "SigmaForge-v0" in run_python(f"{imports}\nprint(list(gymnasium.registry))")


def test_importing_sigma_env_leaves_the_heavy_libraries_alone() -> None:
    heavy = {"gymnasium", "numpy", "pyarrow", "pydantic", "httpx", "rich", "re2", "evtx"}
    loaded = run_python("import sys, sigma_env, sigma_env.sigma.rule\nprint(*{m.split('.')[0] for m in sys.modules})")
    assert not heavy & set(loaded.split())


def test_asking_whether_gymnasium_is_there_does_not_unhook() -> None:
    code = (
        "import importlib.util, sys, sigma_env\n"
        "assert importlib.util.find_spec('gymnasium').loader.get_filename('gymnasium').endswith('__init__.py')\n"
        "import gymnasium\n"
        "print('SigmaForge-v0' in gymnasium.registry, type(gymnasium.__loader__).__name__, len(sys.meta_path))\n"
    )
    registered, loader, _ = run_python(code).split()
    assert (registered, loader) == ("True", "SourceFileLoader")


def test_without_gymnasium_the_rest_can_be_imported() -> None:
    code = (
        "import sys, sigma_env, sigma_env.sigma.rule\n"
        "sys.path[:] = []\n"
        "try:\n import gymnasium\nexcept ImportError:\n print('absent')"
    )
    assert run_python(code).strip() == "absent"


def test_a_wrong_registry_is_an_error_at_import() -> None:
    code = (
        "import sigma_env.registry as r, sigma_env.errors as e\n"
        "from pathlib import Path\n"
        "r.registry_path = lambda: Path('nowhere.yaml')\n"
        "try:\n import gymnasium\nexcept e.RegistryError as error:\n print(error)"
    )
    assert run_python(code).startswith("nowhere.yaml: cannot be read")


def test_the_package_offers_few_names_and_all_of_them_exist() -> None:
    assert len(sigma_env.__all__) <= 15
    assert set(sigma_env.__all__) == set(sigma_env._HOMES)
    assert set(sigma_env.__all__) <= set(dir(sigma_env))
    with pytest.raises(AttributeError, match="no attribute 'Sigma'"):
        _ = sigma_env.Sigma
