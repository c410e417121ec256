"""`unmask explain`: glossary of the screens' terms on the command line."""

import json

from typer.testing import CliRunner

from assistant.cli.main import app


def test_a_term_is_explained() -> None:
    """One word or several, with the other names it has."""
    one = CliRunner().invoke(app, ["explain", "logits"])
    assert one.exit_code == 0
    assert one.output.startswith("logit (also: log-odds)\n")
    several = CliRunner().invoke(app, ["explain", "no", "forgery", "found"])
    assert "never means authentic" in several.output


def test_all_terms_are_listed() -> None:
    """Without a word, every section with every term; as JSON too."""
    listed = CliRunner().invoke(app, ["explain"])
    assert listed.exit_code == 0
    for word in ("Verdicts", "impersonation", "logit", "AUC", "E30", "unmask explain TERM"):
        assert word in listed.output
    terms = json.loads(CliRunner().invoke(app, ["explain", "--json"]).output)["terms"]
    assert {"term", "also", "section", "meaning"} == set(terms[0])
    assert len(terms) > 90


def test_json_of_a_term() -> None:
    """One object for scripts."""
    told = json.loads(CliRunner().invoke(app, ["explain", "H3.E2", "--json"]).output)
    assert told["term"] == "E2" and told["meaning"].startswith("E2 measures the forgery score")


def test_an_unknown_term_names_the_closest() -> None:
    """Exit status 1, one line on stderr, nothing on stdout."""
    asked = CliRunner().invoke(app, ["explain", "cosin", "--json"])
    assert asked.exit_code == 1
    assert asked.stdout == ""
    assert asked.stderr.startswith("error: 'cosin' is not explained here; the closest: cosine sim")
