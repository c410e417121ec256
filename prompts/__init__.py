"""What is said to models, one prompt a file; imports nothing of ours."""

from functools import cache
from importlib import resources
from string import Template


def text(name: str, **values: str) -> str:
    """The prompt `prompts/<name>.md` with its `$placeholders` filled in, without a last newline.

    A placeholder without a value, a value without a placeholder and an unknown prompt are bugs:
    KeyError, TypeError and FileNotFoundError.
    """
    template = _template(name)
    strange = values.keys() - set(template.get_identifiers())
    if strange:
        raise TypeError(f"the prompt {name!r} has no place for {sorted(strange)}")
    return template.substitute(values)


@cache
def _template(name: str) -> Template:
    source = resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return Template(source.strip())
