"""What the pocket model learns to say: sentences made of what a tool returned, each one cited.

Every function reads a tool's JSON, the very text that the model sees, and says nothing that does
not stand there: verdicts and readings are repeated, never chosen. One wording for one finding: a
changed reading must change the sentence about it and leave the others as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

NAMES = {
    "E2": "the forgery score of the face",
    "E3": "the distance to the nearest known faces",
    "E4": "the forgery score of the whole image",
    "E5": "the distance to the nearest known images",
}

REGIONS = {
    "E11": "the left eye", "E12": "the right eye", "E13": "the eyebrows", "E14": "the nose",
    "E15": "the mouth", "E16": "the skin", "E17": "the face boundary",
}  # fmt: skip

COUNT_OF = {
    "impersonation": "S2", "inconclusive": "S3", "genuine": "S4", "copy": "S5", "other": "S6",
    "not assessed": "S7",
}  # fmt: skip

UNMEASURED, MOST_SENTENCES = "not measured", 4


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def readings(scored: Json) -> dict[str, str]:
    """Readings by short name (`P1`, `E2`) of a score_fake or compare_faces result."""
    found = {key.split(".")[1]: reads for key, reads in scored.get("probabilities", {}).items()}
    return found | {item["id"].split(".")[1]: item["reads"] for item in scored["evidence"]}


def explained(scored: Json) -> str:
    """Two to four sentences about a hit or a query photo, from `score_fake`'s result."""
    subject, reads = scored["image"], readings(scored)
    verdict = scored.get("verdict")
    first = _photo(subject, reads) if verdict is None else _verdict(subject, verdict, reads)
    sentences = [first]
    if verdict == "other" or (verdict == "inconclusive" and reads.get("P1") == "uncertain"):
        sentences.append(_identity(subject, reads))
    sentences += _forgery(subject, reads)
    if reads.get("E10") == "marked":
        sentences.append(
            f"The metadata carries a forgery mark [{subject}.E10], which takes no part in the "
            "verdict."
        )
    sentences.append(_missing(reads))
    sentences.append(_beside_query(subject, reads))
    kept = [sentence for sentence in sentences if sentence]
    return " ".join(kept[:MOST_SENTENCES])


def _verdict(subject: str, verdict: str, reads: Mapping[str, str]) -> str:
    match verdict:
        case "impersonation":
            return (
                f"{subject} is an impersonation: it shows the same person [{subject}.P1] and "
                f"reads as forged [{subject}.P2]."
            )
        case "genuine":
            return (
                f"{subject} is genuine: it shows the same person [{subject}.P1] and no sign of "
                f"forgery [{subject}.P2]."
            )
        case "copy":
            return (
                f"{subject} is a copy: it is the same photograph [{subject}.E8] and shows no sign "
                f"of forgery [{subject}.P2]."
            )
        case "other":
            return f"{subject} shows another person [{subject}.P1]."
        case "inconclusive":
            return f"{subject} is inconclusive: {_open_question(subject, reads)}."
    return f"{subject} was not assessed; its face has {reads['E9']} [{subject}.E9]."


def _open_question(subject: str, reads: Mapping[str, str]) -> str:
    if reads.get("P1") == "uncertain":
        return f"identity is uncertain [{subject}.P1]"
    return f"it shows the same person [{subject}.P1], but forgery is uncertain [{subject}.P2]"


def _photo(subject: str, reads: Mapping[str, str]) -> str:
    match reads.get("P2", UNMEASURED):
        case "forged":
            return f"{subject} reads as forged [{subject}.P2]."
        case "no sign of forgery":
            return f"{subject} shows no sign of forgery [{subject}.P2]."
        case "uncertain":
            return f"Whether {subject} was forged is uncertain [{subject}.P2]."
    return f"Whether {subject} was forged was not measured."


def _identity(subject: str, reads: Mapping[str, str]) -> str:
    word = reads.get("E1", UNMEASURED)
    if word == UNMEASURED:
        return ""
    return f"The identity similarity reads {word} [{subject}.E1]."


def _forgery(subject: str, reads: Mapping[str, str]) -> list[str]:
    """The forgery scores grouped by reading: those that stand out, else the ordinary ones."""
    groups = {
        word: [name for name in NAMES if reads.get(name) == word]
        for word in ("high", "raised", "ordinary")
    }
    if groups["high"] or groups["raised"]:
        groups["ordinary"] = []
    return [_group(subject, names, word) for word, names in groups.items() if names]


def _group(subject: str, names: Sequence[str], word: str) -> str:
    cited = listed([f"{NAMES[name]} [{subject}.{name}]" for name in names])
    return f"{_capital(cited)} {'is' if len(names) == 1 else 'are'} {word}."


def _missing(reads: Mapping[str, str]) -> str:
    missing = [NAMES[name] for name in NAMES if reads.get(name, UNMEASURED) == UNMEASURED]
    if not missing:
        return ""
    if len(missing) == len(NAMES):
        return "No forgery score was measured."
    return f"{_capital(listed(missing))} {'was' if len(missing) == 1 else 'were'} not measured."


def _beside_query(subject: str, reads: Mapping[str, str]) -> str:
    word = reads.get("E6", UNMEASURED)
    if word == UNMEASURED:
        return ""
    return f"Its forgery score is {word} [{subject}.E6]."


def fact_of(hit: Json) -> str:
    """The fact that carries a hit's verdict, to cite behind its name."""
    match hit["verdict"]:
        case "other":
            return f"{hit['id']}.P1"
        case "copy":
            return f"{hit['id']}.E8"
        case "inconclusive":
            return f"{hit['id']}.{'P1' if hit['identity'] == 'uncertain' else 'P2'}"
        case "not assessed":
            return f"{hit['id']}.E9"
    return f"{hit['id']}.P2"


def _cited(hits: Sequence[Json]) -> str:
    return listed([f"{hit['id']} [{fact_of(hit)}]" for hit in hits])


_ARE = {
    "impersonation": ("is an impersonation", "are impersonations"),
    "genuine": ("is genuine", "are genuine"),
    "copy": ("is a copy", "are copies"),
    "other": ("shows another person", "show another person"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "not assessed": ("was not assessed", "were not assessed"),
}


def ones(hits: Sequence[Json], verdict: str) -> str:
    """`H2 [H2.P2] and H5 [H5.P2] are genuine.`"""
    one, several = _ARE[verdict]
    return f"{_cited(hits)} {one if len(hits) == 1 else several}."


def counts_of(found: Json) -> dict[str, str]:
    """Count words by handle (`S2`) of a find_person result."""
    return {key.split()[0]: word for key, word in found["counts"].items()}


def found(result: Json, *, most: int = 5) -> str:
    """The answer to a search: how many impersonations, which hits, what stayed open."""
    counts, hits = counts_of(result), result["hits"]
    by_verdict = {
        verdict: [hit for hit in hits if hit["verdict"] == verdict] for verdict in COUNT_OF
    }
    match counts.get("S2", "none"):
        case "none":
            said = ["I compared the faces of the gallery [S1] and found no impersonation [S2]."]
        case "one":
            said = ["I compared the faces of the gallery [S1] and found one impersonation [S2]."]
        case _:
            said = ["I compared the faces of the gallery [S1] and found impersonations [S2]."]
    for verdict in ("impersonation", "inconclusive"):
        if by_verdict[verdict]:
            said.append(ones(by_verdict[verdict][:most], verdict))
    if not (by_verdict["impersonation"] or by_verdict["inconclusive"]) and by_verdict["genuine"]:
        said.append(ones(by_verdict["genuine"][:most], "genuine"))
    if result.get("warnings"):
        said.append("Mind the warning on the screen.")
    return " ".join(said)


def which(result: Json, verdict: str) -> str:
    """Which hits of the latest search have a verdict."""
    hits = [hit for hit in result["hits"] if hit["verdict"] == verdict]
    if hits:
        return ones(hits, verdict)
    count = COUNT_OF[verdict]
    if counts_of(result).get(count, "none") == "none":
        return f"None of the hits {_ARE[verdict][0]} [{count}]."
    return f"There is none among the hits shown; in all I count [{count}]."


def counted() -> str:
    """All counts of the latest search; the citations carry the numbers."""
    return (
        "I compared [S1] faces: [S2] impersonations, [S3] inconclusive, [S4] genuine, [S5] copies, "
        "[S6] other people and [S7] not assessed."
    )


def sure(hit: Json) -> str:
    """The calibrated probabilities of a hit, by the words of the search."""
    name = hit["id"]
    if hit["verdict"] == "not assessed":
        return f"{name} was not assessed [{name}.E9], so no probability was measured."
    same = {
        "same person": f"{name} shows the same person [{name}.P1]",
        "uncertain": f"The identity of {name} is uncertain [{name}.P1]",
        "another person": f"{name} shows another person [{name}.P1]",
    }[hit["identity"]]
    forged = {
        "forged": f"it reads as forged [{name}.P2]",
        "uncertain": f"forgery is uncertain [{name}.P2]",
        "no sign of forgery": f"there is no sign of forgery [{name}.P2]",
        UNMEASURED: "forgery was not measured",
    }[hit["forgery"]]
    return f"{same}, and {forged}. Each citation shows its probability."


def same_person(hit: Json) -> str:
    """Whether a hit shows the query person, by the words of the search."""
    name = hit["id"]
    if hit["verdict"] == "not assessed":
        return f"{name} was not assessed [{name}.E9]."
    return {
        "same person": f"{name} shows the same person [{name}.P1].",
        "uncertain": f"Whether {name} shows the same person is uncertain [{name}.P1].",
        "another person": f"{name} shows another person [{name}.P1].",
    }.get(hit["identity"], f"The identity of {name} was not measured.")


def worst(result: Json) -> str:
    """The first hit, with its verdict."""
    if not result["hits"]:
        return "The search found no face [S1]."
    hit = result["hits"][0]
    return f"The first hit is {hit['id']}: {ones([hit], hit['verdict'])}"


def compared(result: Json) -> str:
    """What a comparison of two faces came to."""
    name, reads = result["comparison"], readings(result)
    first, second = result["faces"]
    said = [
        {
            "same person": f"{first} and {second} show the same person [{name}.P1].",
            "uncertain": f"Whether {first} and {second} show the same person is uncertain "
            f"[{name}.P1].",
            "another person": f"{first} and {second} show different people [{name}.P1].",
        }.get(
            reads.get("P1", UNMEASURED),
            f"Whether {first} and {second} show the same person was not measured.",
        )
    ]
    if (word := reads.get("E7", UNMEASURED)) != UNMEASURED:
        said.append(f"Their appearance is {word} [{name}.E7].")
    if (word := reads.get("E8", UNMEASURED)) != UNMEASURED:
        article = "the " if word.startswith("same") else ""
        said.append(f"By their hashes they are {article}{_photographs(word)} [{name}.E8].")
    return " ".join(said)


def _photographs(word: str) -> str:
    return {"another photograph": "different photographs"}.get(word, word)


def located(result: Json, line: Json) -> str:
    """Where the map of a face shows something; nothing is named of what is genuine, or no face.

    `line` is the hit's line in the search's answer, empty for a query photo.
    """
    name = result["image"]
    if line and line["verdict"] not in ("impersonation", "inconclusive"):
        return f"{ones([line], line['verdict'])} So I name no part of it."
    reads = readings(result)
    said = []
    for word in ("strong", "weak"):
        parts = [f"{REGIONS[key]} [{name}.{key}]" for key in REGIONS if reads.get(key) == word]
        if parts:
            said.append(f"The map of {name} is {word} at {listed(parts)}.")
    return " ".join(said) or f"The map of {name} shows nothing at any place."


def described(result: Json) -> str:
    """The file facts of a picture; its metadata is data and is not repeated."""
    name = result["image"]
    faces = {"none": "no face", "one": "one face", "several": "several faces"}[result["faces"]]
    said = [f"{name} is a {result['size']} {result['format']} image with {faces}."]
    if result.get("quality"):
        said.append("Its quality limits what can be measured.")
    if result.get("metadata"):
        said.append("Its metadata is shown on the screen, as data only.")
    return " ".join(said)


def gallery(result: Json) -> str:
    """What the gallery holds."""
    return (
        "The gallery holds images [G1] with faces [G2]. Some images have no face [G3], and some "
        "files were skipped [G4]."
    )


MEANINGS = {
    "E1": "the similarity of the face to the query photos: it says whom the face depicts, not "
    "where the photo comes from",
    "E2": "the forgery score of the face: filters and heavy compression can raise it too",
    "E3": "how much nearer the face lies to known forged faces than to authentic ones",
    "E4": "the forgery score of the whole image: a small forged face changes it little",
    "E5": "how much nearer the image lies to known forged images than to authentic ones",
    "E6": "the forgery score beside that of the query photos, which are taken as authentic",
    "E7": "how alike the face looks to the query photos: light and age change it as well",
    "E8": "the difference from the nearest query photo, by a hash of the face",
    "E9": "the distance between the eyes: how much detail the other measures had",
    "E10": "the forgery mark in the metadata: anyone can add or strip it",
    "E11": "the signs of forgery at the left eye",
    "E12": "the signs of forgery at the right eye",
    "E13": "the signs of forgery at the eyebrows",
    "E14": "the signs of forgery at the nose",
    "E15": "the signs of forgery at the mouth",
    "E16": "the signs of forgery at the skin",
    "E17": "the signs of forgery at the face boundary",
    "P1": "the calibrated probability that the face is the query person's",
    "P2": "the calibrated probability that the face was forged",
    "P3": "the calibrated probability that the image impersonates the query person",
    "S1": "the faces that the latest search compared",
    "S2": "the impersonations in the latest search",
    "S3": "the inconclusive faces in the latest search",
    "S4": "the genuine photos in the latest search",
    "S5": "the copies in the latest search",
    "S6": "the other people in the latest search",
    "S7": "the faces that were not assessed",
    "G1": "the images in the gallery",
    "G2": "the faces in the gallery",
    "G3": "the images without a face",
    "G4": "the files that were skipped",
}


def meaning(fact: str) -> str:
    """What a measure means, in general."""
    return f"{fact} {'counts' if fact[0] in 'SG' else 'measures'} {MEANINGS[fact]}."


ASK_PHOTO = "Please give me a photo of the person first; then I can search the gallery."
NO_SEARCH = "Nothing was searched for yet. Please give me a photo of the person first."
SEARCH_FIRST = "There are no hits yet. Ask me to find forgeries of the person in your photo first."
GREETING = "Hello. Give me a photo of a person, and I look for forged images of them."
THANKS = "You are welcome. Ask me about any hit."
ABILITIES = (
    "I look for forged images of a person in your gallery, explain each hit, compare faces and "
    "say where a forgery shows. Give me a photo to begin."
)
RELIABILITY = (
    "My tools give readings with calibrated probabilities, and I say where they leave a question "
    "open. A person must check every hit."
)
OUTSIDE = (
    "That is outside my job: I find forged images of a person in your gallery and explain the "
    "findings."
)
UNANSWERABLE = (
    "My tools do not measure that: they say whether a face is the same person and whether it was "
    "forged."
)
OBEDIENCE = "I follow the measurements, not such text: verdicts come from the tools."
HOW_TO_INDEX = "Add images with the Gallery panel or with `unmask index DIR`, then ask me again."
EMPTY = "The gallery is empty. Add images with the Gallery panel or with `unmask index DIR`."
WHICH_FACE = "The photo shows several faces. Which one do you mean, counted from left to right?"
NO_FACE = "I found no face in the photo. Please give me another one."
