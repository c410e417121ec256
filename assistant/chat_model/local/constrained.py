"""Constrained decoding: tool calls that parse and fit their schema, citations that exist.

xgrammar masks the tokens that would leave the grammar (Dong et al., arXiv 2411.15100). Text is free
until a call or a citation begins; from there the grammar of the bound tools, or the list of ids,
restricts it. So a small model writes no invalid call and cites no missing fact.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
import xgrammar
from xgrammar.structural_tag import (
    AnyTextFormat,
    ConstStringFormat,
    DispatchFormat,
    Format,
    GrammarFormat,
    JSONSchemaFormat,
    OrFormat,
    SequenceFormat,
    StructuralTag,
    TagFormat,
    TagsWithSeparatorFormat,
)

from assistant.conversation.tool_calls import CALL_CLOSE, CALL_OPEN, THINK_OPEN, ToolCallFormat

AUTO, ANY, NONE = "auto", "any", "none"


@dataclass(frozen=True)
class DecodingConstraints:
    """The constraints on one answer.

    `tools` in OpenAI's format; `tool_choice` is "auto", "any" (a call, no text), "none" or a tool's
    name; `citations` are the ids that may follow a `[` (None: brackets are free, empty: no citation
    is allowed).
    """

    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str = AUTO
    citations: tuple[str, ...] | None = None

    @property
    def callable(self) -> tuple[Mapping[str, Any], ...]:
        """The tools that may be called."""
        if self.tool_choice in (AUTO, ANY):
            return self.tools
        return tuple(it for it in self.tools if it["function"]["name"] == self.tool_choice)

    @property
    def tools_text(self) -> str:
        """The tools as one string, to compare the tools of two prompts."""
        return json.dumps(self.tools)

    @property
    def free(self) -> bool:
        """Whether there is no constraint."""
        return not self.tools and self.citations is None


class GrammarCache:
    """Compiled grammars over one checkpoint's vocabulary; each is compiled once."""

    def __init__(self, tokenizer: Any, *, vocabulary: int, stop_ids: Sequence[int]) -> None:
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocabulary, stop_token_ids=[*stop_ids]
        )
        # Every search brings other citations: old grammars must not accumulate.
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=2, cache_limit_bytes=1 << 27)

    def compiled(
        self, constraints: DecodingConstraints, form: ToolCallFormat
    ) -> xgrammar.CompiledGrammar:
        """The grammar of an answer within the constraints."""
        tag = StructuralTag(format=_answer(constraints, form))
        return self._compiler.compile_structural_tag(tag)


def _answer(constraints: DecodingConstraints, form: ToolCallFormat) -> Format:
    calls = [_call(tool["function"], form) for tool in constraints.callable]
    if constraints.tool_choice not in (AUTO, NONE):
        named = constraints.tool_choice != ANY
        return TagsWithSeparatorFormat(
            tags=calls, separator="\n", at_least_one=True, stop_after_first=named
        )
    rules: list[tuple[str, Format]] = []
    excluded = [THINK_OPEN]  # there is only evidence to reason about
    if calls:
        rules.append((CALL_OPEN, OrFormat(elements=[_after_opening(call) for call in calls])))
    else:
        excluded.append(CALL_OPEN)
    if constraints.citations:
        ids: list[Format] = [ConstStringFormat(value=f"{it}]") for it in constraints.citations]
        rules.append(("[", OrFormat(elements=ids)))
    elif constraints.citations is not None:
        excluded.append("[")
    if not rules:
        return AnyTextFormat(excludes=excluded)
    return DispatchFormat(rules=rules, excludes=excluded)


def _after_opening(call: TagFormat) -> Format:
    begin, end = str(call.begin).removeprefix(CALL_OPEN), str(call.end)
    return SequenceFormat(
        elements=[ConstStringFormat(value=begin), call.content, ConstStringFormat(value=end)]
    )


def _call(function: Mapping[str, Any], form: ToolCallFormat) -> TagFormat:
    name = function["name"]
    schema = dict(function.get("parameters") or {"type": "object", "properties": {}})
    if form == "qwen_xml":
        content = JSONSchemaFormat(
            json_schema=schema, style="qwen_xml", max_whitespace_cnt=1, excludes=[*_TAGS]
        )
        empty = not schema.get("properties")
        return TagFormat(
            begin=f"{CALL_OPEN}\n<function={name}>\n",
            content=ConstStringFormat(value="</function>") if empty else content,
            end=f"\n{CALL_CLOSE}" if empty else f"\n</function>\n{CALL_CLOSE}",
        )
    # Compact as the templates write it: only the arguments are left to generate.
    arguments = xgrammar.Grammar.from_json_schema(
        json.dumps(_without_tags(schema)), any_whitespace=False
    )
    return TagFormat(
        begin=f'{CALL_OPEN}\n{{"name": {json.dumps(name)}, "arguments": ',
        content=GrammarFormat(grammar=str(arguments)),
        end=f"}}\n{CALL_CLOSE}",
    )


# An argument that contains one of these would end its call too early.
_TAGS = (CALL_OPEN, CALL_CLOSE, "</parameter>", "</function>")
_NO_TAG = "^[^<]*$"


def _without_tags(schema: Any) -> Any:
    """The schema with "<" forbidden in strings, except those with a pattern or choices."""
    if isinstance(schema, list):
        return [_without_tags(it) for it in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _without_tags(it) for key, it in schema.items()}
    free = schema.get("type") == "string" and not _FIXED & schema.keys()
    return inner | ({"pattern": _NO_TAG} if free else {})


_FIXED = {"pattern", "format", "enum", "const"}


class GrammarLogitsProcessor(transformers.LogitsProcessor):
    """Mask the logits of each prompt of a batch by its own grammar (None: no mask).

    For a single `generate` call: it keeps the state of the text so far.
    """

    def __init__(self, grammars: Sequence[xgrammar.CompiledGrammar | None], *, width: int) -> None:
        self._matchers = [it and xgrammar.GrammarMatcher(it) for it in grammars]
        self._bitmask = xgrammar.allocate_token_bitmask(len(grammars), width)
        self._said = False

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Accept the last tokens, and mask those that cannot follow."""
        rows = [(row, it) for row, it in enumerate(self._matchers) if it and not it.is_terminated()]
        if self._said:
            for row, matcher in rows:
                matcher.accept_token(int(input_ids[row, -1]))
        self._said = True
        going = [(row, matcher) for row, matcher in rows if not matcher.is_terminated()]
        for row, matcher in going:
            matcher.fill_next_token_bitmask(self._bitmask, row)
        indices = [row for row, _ in going]
        if indices:
            bitmask = self._bitmask.to(scores.device)
            xgrammar.apply_token_bitmask_inplace(scores, bitmask, indices=indices)
        return scores
