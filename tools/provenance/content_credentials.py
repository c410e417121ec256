"""Findings in content credentials (C2PA): signer, software, actions, ingredients, validity."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.provenance.findings import Bearing, Finding, clean, quoted
from tools.provenance.known_software import SOURCE_TYPES, source_term
from tools.provenance.manifest_store import ManifestStore

WHERE = "C2PA manifest"
_ACTIONS_MOST, _INGREDIENTS_MOST, _MANIFESTS_MOST = 20, 10, 20

_UNTRUSTED = "signingCredential.untrusted"
# Beginnings of the specification's failure codes, in words.
_FAILURES = (
    ("assertion.dataHash.mismatch", "the file was changed after it was signed"),
    ("assertion.bmffHash.mismatch", "the file was changed after it was signed"),
    ("assertion.boxesHash.mismatch", "the file was changed after it was signed"),
    ("assertion.hashedURI.mismatch", "a statement in the manifest was changed after signing"),
    ("assertion.action", "its list of actions does not meet the specification"),
    ("assertion.missing", "a statement that was signed is missing"),
    ("claimSignature.outsideValidity", "the certificate was not valid at the time of signing"),
    ("claimSignature.missing", "the signature is missing"),
    ("claimSignature", "the signature does not fit the manifest"),
    ("signingCredential.expired", "the signer's certificate had expired"),
    ("signingCredential.ocsp.revoked", "the signer's certificate was revoked"),
    ("signingCredential.invalid", "the signer's certificate does not meet the specification"),
    ("claim", "the manifest's claim is malformed or missing"),
    ("ingredient", "a manifest of an ingredient does not hold"),
    ("timeStamp", "the time stamp does not hold"),
)
_ACTION_WORDS: Mapping[str, tuple[Bearing, str]] = {
    "c2pa.created": ("fact", "created it"),
    "c2pa.opened": ("fact", "opened it"),
    "c2pa.placed": ("edited", "placed another picture in it"),
    "c2pa.edited": ("edited", "edited it"),
    "c2pa.edited.metadata": ("fact", "edited its metadata"),
    "c2pa.color_adjustments": ("edited", "adjusted its colours"),
    "c2pa.adjustedColor": ("edited", "adjusted its colours"),
    "c2pa.cropped": ("edited", "cropped it"),
    "c2pa.drawing": ("edited", "drew in it"),
    "c2pa.filtered": ("edited", "filtered it"),
    "c2pa.enhanced": ("edited", "enhanced it"),
    "c2pa.resized": ("edited", "resized it"),
    "c2pa.orientation": ("fact", "turned it"),
    "c2pa.converted": ("fact", "converted it"),
    "c2pa.transcoded": ("fact", "encoded it again"),
    "c2pa.repackaged": ("fact", "repackaged it"),
    "c2pa.published": ("fact", "published it"),
    "c2pa.removed": ("edited", "removed something from it"),
    "c2pa.redacted": ("edited", "removed a statement from its manifest"),
    "c2pa.unknown": ("fact", "did something unknown to it"),
}


def credentials_findings(held: ManifestStore, *, trust_given: bool) -> Iterator[Finding]:
    """Findings in a manifest store; `trust_given`: signers were checked against a list."""
    if held.state == "none":
        return
    if held.state == "not installed":
        yield Finding(
            "unread", "fact", WHERE,
            "may be there, but was not read: the package c2pa-python cannot be loaded",
        )  # fmt: skip
    elif held.state != "read":
        text = f"is there but cannot be read: {quoted(held.reason)}"
        yield Finding("content credentials", "invalid", WHERE, text)
    else:
        yield from _of_store(held.store, trust_given=trust_given)


def _of_store(store: Mapping[str, Any], *, trust_given: bool) -> Iterator[Finding]:
    manifests = _mapping(store.get("manifests"))
    active = str(store.get("active_manifest") or "")
    manifest = _mapping(manifests.get(active))
    yield _signature(store, manifest, trust_given=trust_given)
    yield from _actions(manifest, WHERE)
    yield from _ingredients(manifest)
    earlier = [label for label in manifests if label != active]
    for label in earlier[:_MANIFESTS_MOST]:
        yield from _actions(_mapping(manifests[label]), "C2PA manifest of an ingredient")


def _signature(
    store: Mapping[str, Any], manifest: Mapping[str, Any], *, trust_given: bool
) -> Finding:
    signature = _mapping(manifest.get("signature_info"))
    results = _mapping(store.get("validation_results"))
    codes = _failure_codes(results.get("activeManifest"))
    for delta in map(_mapping, _list(results.get("ingredientDeltas"))):
        codes += _failure_codes(delta.get("validationDeltas"))
    if not results:
        codes = [str(_mapping(it).get("code")) for it in _list(store.get("validation_status"))]
    signer = signature.get("common_name") or signature.get("issuer")
    named = f"signed in the name of {quoted(signer)}" if signer else "without a named signer"
    state = str(store.get("validation_state"))
    reasons = list(dict.fromkeys(_failure(code) for code in codes if code != _UNTRUSTED))
    details = [
        ("signer", clean(signer or "")),
        ("issuer", clean(signature.get("issuer") or "")),
        ("signed", clean(signature.get("time") or "")),
        ("claim generator", clean(_claim_generator(manifest))),
        ("failure codes", clean(", ".join(codes))),
    ]
    bearing: Bearing = "fact"
    if state == "Trusted" and not reasons:
        text, validity = (
            f"{named}; the signature fits the file, and the signer is on the list of trusted ones",
            "trusted",
        )
    elif state == "Valid" and not reasons:
        checked = "is not on the list of trusted signers" if trust_given else "was not checked"
        validity = "valid, untrusted signer" if trust_given else "valid, signer not checked"
        text = f"{named}; the signature fits the file; the signer {checked}"
    else:
        bearing, validity = "invalid", "invalid"
        why = "; ".join(reasons) or "the library does not say why"
        text = f"{named}; not valid: {why}"
    kept = tuple((name, value) for name, value in details if value)
    return Finding(
        "content credentials", bearing, WHERE, text, (("validation", validity), *kept)
    )  # fmt: skip


def _failure_codes(results: object) -> list[str]:
    return [str(_mapping(it).get("code")) for it in _list(_mapping(results).get("failure"))]


def _failure(code: str) -> str:
    known = (words for beginning, words in _FAILURES if code.startswith(beginning))
    return next(known, f"the check {quoted(code)} failed")


def _claim_generator(manifest: Mapping[str, Any]) -> str:
    infos = [_mapping(it) for it in _list(manifest.get("claim_generator_info"))]
    names = [f"{it.get('name', '')} {it.get('version', '')}".strip() for it in infos]
    return ", ".join(names) or str(manifest.get("claim_generator") or "")


def _actions(manifest: Mapping[str, Any], where: str) -> Iterator[Finding]:
    actions = [
        _mapping(action)
        for assertion in map(_mapping, _list(manifest.get("assertions")))
        if str(assertion.get("label")).startswith("c2pa.actions")
        for action in _list(_mapping(assertion.get("data")).get("actions"))
    ]
    for action in actions[:_ACTIONS_MOST]:
        yield _action(action, where)
    if len(actions) > _ACTIONS_MOST:
        text = f"lists {len(actions) - _ACTIONS_MOST} more actions, which are left out here"
        yield Finding("content credentials", "fact", where, text)


def _action(action: Mapping[str, Any], where: str) -> Finding:
    name = str(action.get("action"))
    bearing, did = _ACTION_WORDS.get(name, ("fact", f"did {quoted(name)} to it"))
    if name.startswith("c2pa.") and "generated" in name:
        bearing = "generated"
    agent = action.get("softwareAgent")
    agent_name = _mapping(agent).get("name") if isinstance(agent, Mapping) else agent
    who = f"software that calls itself {quoted(agent_name)}" if agent_name else "unnamed software"
    text = f"says that {who} {did}"
    details = [("action", clean(name)), ("when", clean(action.get("when") or ""))]
    source_type = action.get("digitalSourceType")
    if source_type:
        term = source_term(str(source_type))
        kind_bearing, meaning = SOURCE_TYPES.get(term, ("fact", "a term that is not known here"))
        bearing = kind_bearing if kind_bearing != "fact" else bearing
        text += f"; source type {quoted(term)}: {meaning}"
        details.append(("source type", clean(source_type)))
    return Finding(
        "source type" if source_type else "content credentials",
        bearing,
        where,
        text,
        tuple((key, value) for key, value in details if value),
    )


def _ingredients(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    held = [_mapping(it) for it in _list(manifest.get("ingredients"))]
    for ingredient in held[:_INGREDIENTS_MOST]:
        title = ingredient.get("title") or ingredient.get("instance_id") or ""
        relation = {
            "parentOf": "the picture that it was made from",
            "componentOf": "a part placed in it",
            "inputTo": "an input of what made it",
        }.get(str(ingredient.get("relationship")), "an ingredient")
        text = f"lists {relation}, {quoted(title)}, {_own_credentials(ingredient)}"
        yield Finding("content credentials", "fact", WHERE, text)
    if len(held) > _INGREDIENTS_MOST:
        text = f"lists {len(held) - _INGREDIENTS_MOST} more ingredients, left out here"
        yield Finding("content credentials", "fact", WHERE, text)


def _own_credentials(ingredient: Mapping[str, Any]) -> str:
    """Whether an ingredient had credentials that held when it was added."""
    if not ingredient.get("active_manifest"):
        return "which has no content credentials"
    results = _mapping(ingredient.get("validation_results"))
    codes = _failure_codes(results.get("activeManifest"))
    reasons = dict.fromkeys(_failure(code) for code in codes if code != _UNTRUSTED)
    if reasons:
        return f"whose content credentials did not hold when it was added: {'; '.join(reasons)}"
    return "which has content credentials"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
