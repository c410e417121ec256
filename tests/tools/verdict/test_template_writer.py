"""Explanations contain only what was measured, and cite it."""

import re
from dataclasses import replace

import pytest

from tests.tools.verdict.test_rule import HIGH, LOW, MIDDLE, RULE, scores
from tools.checkpoints.table import WEIGHTS_DIR
from tools.verdict.calibration import LogisticCalibrator
from tools.verdict.clauses import clause
from tools.verdict.evidence import collect_evidence, numbered_measures
from tools.verdict.handles import Fact
from tools.verdict.interpretation import describe_question, interpret_forgery
from tools.verdict.rule import (
    BLOCKS,
    LEAD,
    NOISE,
    OTHER_VERSION,
    RESCALED,
    Axis,
    ForgeryQuestion,
    VerdictRule,
)
from tools.verdict.template_writer import explain, explain_alone, render, speaks_against

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("identity", [HIGH, MIDDLE, LOW])
@pytest.mark.parametrize("fake", [HIGH, MIDDLE, LOW, None])
@pytest.mark.parametrize("bits", [2.0, 40.0])
@pytest.mark.parametrize("usable", [True, False])
def test_two_to_four_sentences_that_cite_existing_evidence(
    identity: float, fake: float | None, bits: float, usable: bool
) -> None:
    """Whatever was measured, every citation names evidence that has a value, and they are few."""
    measured = scores(identity, fake, same_photo=float(bits <= 6))
    evidence = collect_evidence(measured, RULE.references)
    sentences = explain(RULE.assess(measured, usable=usable), evidence)
    assert 2 <= len(sentences) <= 4
    assert all(len(sentence.cites) <= 3 for sentence in sentences)
    with_value = {item.id for item in evidence if item.value is not None}
    cited = set(re.findall(r"\[(E\d+)\]", render(sentences)))
    assert cited <= with_value
    assert cited or not usable


@pytest.mark.parametrize(
    ("lead", "which"),
    [(HIGH, "this one was most likely"), (MIDDLE, "which one is open"), (LOW, "the other one")],
)
def test_another_version_is_named_with_what_proves_it(lead: float, which: str) -> None:
    """The file, and which of the two was altered; a file's name is no citation."""
    proof = {
        OTHER_VERSION: 1.0, "version/agreeing_share": 0.98, "version/face_similarity": 0.1,
        LEAD: lead,
    }  # fmt: skip
    measured = scores(HIGH, LOW) | proof
    evidence = collect_evidence(measured, {}, rule=RULE)
    given = RULE.assess(measured, usable=True)
    text = render(explain(given, evidence, version='body "[E1]".jpg'))
    assert "was also found as \"body '(E1)'.jpg\"" in text
    assert which in text
    assert "[E34] [E37]" in text
    assert ("was published first" in text) == (lead != HIGH)


def test_a_version_whose_file_is_gone_is_named() -> None:
    """It could not be compared, and nothing more is said of it."""
    measured = scores(HIGH, LOW) | {OTHER_VERSION: None}
    evidence = collect_evidence(measured, {}, rule=RULE)
    text = render(explain(RULE.assess(measured, usable=True), evidence, missing_version="b.jpg"))
    assert '"b.jpg", was not compared, as its file is gone' in text
    assert "altered" not in text


def test_an_unmeasured_score_is_never_spoken_of_as_a_number() -> None:
    """Without a forgery score nothing is said about a forgery."""
    measured = scores(HIGH, None)
    evidence = collect_evidence(measured, RULE.references)
    text = render(explain(RULE.assess(measured, usable=True), evidence))
    assert "forged" not in text
    assert "%" not in text


def test_the_verdict_in_the_text_is_the_rules() -> None:
    """Only the opening of the rule's own verdict appears."""
    measured = scores(HIGH, LOW)
    text = render(explain(RULE.assess(measured, usable=True), collect_evidence(measured, {})))
    assert "no forgery was found" in text
    assert "impersonates" not in text


def test_a_changed_score_changes_the_sentence_about_it_alone() -> None:
    """Flip test: another cosine similarity leaves the sentence about forgery as it was."""
    texts = []
    for cosine in (4.0, 5.0):
        measured = scores(cosine, HIGH)
        sentences = explain(RULE.assess(measured, usable=True), collect_evidence(measured, {}))
        texts.append([str(sentence) for sentence in sentences])
    different = [one for one, two in zip(*texts, strict=True) if one != two]
    assert len(different) == 1
    assert "the face is most likely theirs" in different[0]


@pytest.mark.parametrize(
    ("identity", "fake", "opening"),
    [
        (HIGH, HIGH, ("E1", "E2")), (HIGH, LOW, ("E1", "E2")), (MIDDLE, HIGH, ("E1",)),
        (HIGH, MIDDLE, ("E1", "E2")), (LOW, HIGH, ("E1",)),
    ],
)  # fmt: skip
def test_the_opening_cites_what_decides_the_verdict(
    identity: float, fake: float, opening: tuple[str, ...]
) -> None:
    """Forged or not cites the strongest forgery score; an open identity cites what it rests on."""
    measured = scores(identity, fake)
    evidence = collect_evidence(measured, RULE.references)
    assert explain(RULE.assess(measured, usable=True), evidence)[0].cites == opening
    alone = explain_alone(RULE.assess_alone(measured, usable=True), evidence)
    assert alone[0].cites == ("E2",)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.99, "is higher than in 99 %"), (0.88, "is raised, higher than in 88 %"),
     (0.5, "None of the scores behind it is higher than usual")],
)  # fmt: skip
def test_how_far_a_score_stands_out_is_what_was_measured(share: float, said: str) -> None:
    """Above 95 % of authentic photos it stands out, above 80 % it is raised, else neither."""
    measured = scores(HIGH, HIGH)
    assessment = RULE.assess(measured, usable=True)
    evidence = [
        replace(it, share_of_authentic_below=share if it.score in assessment.fake_scores else None)
        for it in collect_evidence(measured, {})
    ]
    assert said in render(explain(assessment, evidence))


@pytest.mark.parametrize(
    ("identity", "same_photo", "question"),
    [
        (MIDDLE, 1.0, "judged by itself"),
        (HIGH, 0.0, "beside the query photos"),
        (HIGH, 1.0, "as an altered query photo"),
    ],
)
def test_a_forgery_probability_cites_only_the_scores_of_its_question(
    identity: float, same_photo: float, question: str
) -> None:
    """Alone, beside the query, or as the query photo altered: each rests on other evidence."""
    measured = scores(identity, HIGH, same_photo=same_photo) | {"query/face_linear_difference": 4.0}
    given = RULE.assess(measured, usable=True)
    assert describe_question(given.question) == question
    evidence = collect_evidence(measured, RULE.references, rule=RULE)
    text = render(explain(given, evidence))
    assert ("[E2]" in text) == ("face/unifd_linear" in given.fake_scores)
    assert ("query photo whose face was most likely altered (98 %)" in text) == (
        given.question == "same_photo"
    )


@pytest.mark.parametrize("axes", [("identity",), ("forgery",), ("identity", "forgery")])
def test_what_mild_changes_turn_around_is_said_first(axes: tuple[Axis, ...]) -> None:
    """An unsteady verdict names what is unsteady, and both probabilities as measured."""
    measured = scores(HIGH, HIGH) | {"retakes/kept": 0.4}
    given = replace(RULE.assess(measured, usable=True), verdict="inconclusive", unsteady=axes)
    sentences = explain(given, collect_evidence(measured, RULE.references, rule=RULE))
    assert "is enough to change" in sentences[0].text
    assert ("whom it seems to show" in sentences[0].text) == ("identity" in axes)
    assert ("whether it reads as forged" in sentences[0].text) == ("forgery" in axes)
    assert "the query person: 99 %" in sentences[1].text


def test_a_closer_looks_scores_are_cited_where_they_were_asked() -> None:
    """What a closer look added to the question is among the evidence of its probability."""
    closer = LogisticCalibrator(("face/sbi_caddm",), (0.0,), (1.0,), (1.0,), 0.0)
    rule = replace(
        RULE,
        further={
            "closer": {"with_query": ForgeryQuestion(closer, RULE.questions["with_query"].band)}
        },
    )
    measured = scores(HIGH, LOW) | {"face/sbi_caddm": HIGH}
    evidence = collect_evidence(measured, rule.references, rule=rule)
    opening = explain(rule.assess(measured, usable=True), evidence)[0]
    (added,) = (item.id for item in evidence if item.score == "face/sbi_caddm")
    assert opening.cites == ("E1", added)


def test_a_bank_that_stands_out_or_not_is_spoken_of_as_its_score() -> None:
    """Images cannot be "ordinary": the nearness to them is."""
    measured = scores(HIGH, HIGH)
    evidence = tuple(
        replace(item, share_of_authentic_below=0.99 if item.score == "face/unifd_linear" else 0.5)
        for item in collect_evidence(measured, {})
    )
    asked = ("face/unifd_linear", "image/unifd_neighbours")
    known = tuple(
        replace(item, value=1.0) if item.score == "image/unifd_neighbours" else item
        for item in evidence
    )
    assessment = replace(RULE.assess(measured, usable=True), fake_scores=asked)
    text = render(explain(assessment, known))
    assert "but the nearness to known forged images is ordinary" in text


def test_a_measure_in_a_sentence_is_the_one_that_is_cited() -> None:
    """The other words that a clause has for a measure stand at that measure's own handle."""
    for number, measure in numbered_measures():
        fact = Fact(f"H1.E{number}", measure.name, 1.0, measure.unit, "unusual", "", "")
        if number in (3, 5, 23, 24):
            assert measure.name.split(",")[0] in clause(fact), number


@pytest.mark.parametrize("fake", [HIGH, MIDDLE, LOW, None])
def test_a_face_without_a_query_is_explained_without_a_person(fake: float | None) -> None:
    """No sentence names a query person, and one that finds nothing shows what passes unseen."""
    shipped = VerdictRule.load(WEIGHTS_DIR / "verdict.json")
    unseen = shipped.unseen("alone", shipped.questions["alone"])
    given = RULE.assess_alone(scores(HIGH, fake), usable=True)
    if given.verdict == "no forgery found":
        given = replace(given, unseen=unseen)
    text = render(explain_alone(given, collect_evidence({"face/unifd_linear": fake}, {})))
    assert "query" not in text and "person (" not in text
    assert "genuine" not in text
    assert ("also passed" in text) == (given.verdict == "no forgery found")


@pytest.mark.parametrize(
    ("fake", "share", "said"),
    [
        (HIGH, 0.5, "the forgery score of the face is ordinary; filters, retouching and"),
        (HIGH, 0.99, "nothing that was measured; filters, retouching and heavy compression can"),
        (LOW, 0.97, "the forgery score of the face is higher than in 97 % of authentic photos"),
        (LOW, 0.5, "in tests, 10 of 40 made-up swaps (each judged beside photos of the person)"),
    ],
)
def test_what_speaks_against_a_verdict_is_what_was_measured(
    fake: float, share: float, said: str
) -> None:
    """Ordinary scores against an accusation, high ones against a clearance; or nothing."""
    measured = scores(HIGH, fake)
    given = replace(RULE.assess(measured, usable=True), fake_scores=("face/unifd_linear",))
    evidence = tuple(
        replace(it, share_of_authentic_below=share) for it in collect_evidence(measured, {})
    )
    assert speaks_against(given, evidence).startswith(said)
    turned = replace(given, unsteady=("forgery",))
    assert "some mild retakes of the picture change the verdict" in speaks_against(turned, evidence)


def test_against_a_verdict_without_a_person_speaks_the_probability_of_one() -> None:
    """Of a face that was not measured, nothing does."""
    other = RULE.assess(scores(LOW, HIGH), usable=True)
    assert re.fullmatch(r"the probability of the query person is \d+ %", speaks_against(other, ()))
    unusable = RULE.assess(scores(HIGH, HIGH), usable=False)
    assert speaks_against(unusable, ()) == "nothing, as the face was not measured"


@pytest.mark.parametrize(
    ("score", "number", "word"),
    [
        (NOISE, "E38", "noisier"),
        (BLOCKS, "E39", "compressed more strongly"),
        (RESCALED, "E40", "compressed more strongly"),
    ],
)
def test_a_face_in_a_disguise_is_said_to_be(score: str, number: str, word: str) -> None:
    """Neither cleared nor accused, with the measurement that says why."""
    measured = scores(HIGH, LOW) | {score: 40.0}
    evidence, rule = collect_evidence(measured, {}, rule=RULE), RULE
    beside, alone = (
        render(explain(rule.assess(measured, usable=True), evidence)),
        render(explain_alone(rule.assess_alone(measured, usable=True), evidence)),
    )
    for text in (beside, alone):
        assert "is inconclusive" in text
        assert f"{word} than nearly all photographs" in text
        assert f"[{number}]" in text
        assert "does not prove" not in text
    assert interpret_forgery(rule.assess(measured, usable=True)) == "uncertain"
