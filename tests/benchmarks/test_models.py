"""The catalogue of models, the command line, and what is left out and why."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.models import Price, choose, endpoint, load_models
from sigma_env.errors import OptionError

MODEL = "models:\n- {name: m, title: M, group: closed, inspect: openai/m, key: SOME_KEY, %s}\n"


def catalogue(folder: Path, text: str) -> Path:
    path = folder / "models.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_catalogue_names_the_models_of_the_tables_and_where_prices_come_from() -> None:
    models = load_models()
    assert {"gpt-5", "gpt-4o", "gpt-5-mini", "o4-mini", "gemini-2.5-flash", "qwen3-14b", "gpt-oss-20b"} <= set(models)
    for spec in models.values():
        if spec.group in ("warm-started", "trained"):
            assert models[spec.base].group == "base"
        if spec.price is not None:
            assert (spec.price.source, spec.price.date > "2025", spec.max_tokens is not None) == (
                spec.price.source, True, True,
            )  # fmt: skip


def test_a_price_is_per_million_tokens_with_a_rebate_for_what_was_cached() -> None:
    price = Price(input=2.0, cached_input=0.5, output=10.0, date="2026-01-05", source="x")
    assert price.cost(1_000_000, 2_000_000, 100_000) == pytest.approx(2 + 1 + 1)
    dear = Price(input=2.0, output=10.0, date="2026-01", source="x")
    assert dear.cost(0, 1_000_000, 0) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {}", "needs a list under the key 'models'"),
        (MODEL % "groupe: x", "model m: groupe: Extra inputs"),
        (MODEL % "generation: {max_tokns: 5}", "max_tokns"),
        (MODEL % "price: {input: 1, output: -1, date: 2026-01, source: s}", "price.output"),
        (MODEL % "price: {input: 1, output: 1, source: s}", "price.date"),
        (MODEL % "price: {input: 1, output: 1, date: 2026-01, source: s}", "needs generation.max_tokens"),
        (MODEL % "from: n", "there is no model 'n'"),
        ((MODEL % "url: ''") + (MODEL % "url: ''").partition("\n")[2], "there are two of this name"),
        ("models: [", "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        load_models(catalogue(tmp_path, text))
    assert "models.yaml" in str(caught.value)


def test_missing_keys_are_reported_and_skipped() -> None:
    models = load_models()
    chosen = choose(models, ["gpt-5", "qwen3-14b", "gemini-2.5-flash"], {"GOOGLE_API_KEY": "k"})
    assert [spec.name for spec in chosen.ready] == ["gemini-2.5-flash"]
    assert chosen.skipped == {"gpt-5": "set OPENAI_API_KEY", "qwen3-14b": "set SIGMA_BENCH_QWEN3_14B_URL"}
    with pytest.raises(OptionError, match="unknown model 'gtp-5'; there is gpt-5"):
        choose(models, ["gtp-5"])


def test_an_endpoint_is_named_on_the_command_line() -> None:
    made = endpoint("mine=http://localhost:8000/v1#Qwen/Qwen3-14B")
    assert (made.name, made.inspect, made.url) == (
        "mine",
        "openai-api/local/Qwen/Qwen3-14B",
        "http://localhost:8000/v1",
    )
    assert made.missing({}) is None
    assert made.max_tokens is None
    assert endpoint("mine=http://localhost:8000/v1#m", 99).max_tokens == 99
    with pytest.raises(OptionError, match="write NAME=URL#MODEL"):
        endpoint("http://localhost:8000/v1")


def test_a_model_without_a_price_is_left_out_under_a_spend_limit(
    small_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(small_cache))
    monkeypatch.setenv("SOME_KEY", "k")
    path = catalogue(tmp_path, MODEL % "url: ''")
    words = ["run", "--dataset", "small", "--split", "all", "--models", str(path), "--out", str(tmp_path), "--dry-run"]
    free = CliRunner().invoke(app, words)
    assert (free.exit_code, "m " in free.stdout) == (0, True)
    bounded = CliRunner().invoke(app, [*words, "--max-usd", "1"])
    assert bounded.exit_code == 0
    assert "skipped m: it has no price, so --max-usd cannot hold" in bounded.stderr
    assert "no model but the reference agents would run" in bounded.stdout


def test_the_list_of_models_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    lines = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("gemini")] == ["ready"]
    assert [line.split()[-1] for line in lines if line.startswith("gpt-5 ")] == ["OPENAI_API_KEY"]


def test_without_any_run_there_is_no_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "there is no finished run" in done.stderr
