"""The chat model's own opinion, read from token probabilities of pictures it was given."""

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from assistant.chat_model.local.answer_scoring import LocalAnswerScorer
from assistant.chat_model.local.chat_template import prompt_inputs
from assistant.chat_model.local.model import LocalVLM
from assistant.chat_model.opinion import VLM_OPINION_SCORE, VlmOpinion, opinion_measurement
from assistant.chat_model.served.model import load_served_vlm
from prompts.questions import QUESTIONS
from tests.support import tiny_models
from tests.support.scripted_model import ScriptedModel
from tests.support.stand_ins import face_of, picture
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.protocol import PixelDetector, qualified_name
from tools.search.reranking.rerank_input import RerankInput
from tools.verdict.evidence import collect_evidence
from tools.verdict.rule import VerdictRule

FAMILIES = sorted(tiny_models.FAMILIES)
QUESTION = QUESTIONS["forged"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalVLM]:
    """Every family of checkpoints, in four bits."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        family: LocalVLM.load(tiny_models.make(root / family, family), device="cpu")
        for family in FAMILIES
    }


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Photographs of several shapes."""
    astronaut = skimage.data.astronaut()
    return [astronaut[:200, 120:320], astronaut[200:296, 50:300], skimage.data.coffee()[:80, :80]]


def opinion(model: Any, **options: Any) -> VlmOpinion:
    """Whatever the share: random weights say anything equally often."""
    return VlmOpinion(model, **{"min_answer_probability": 0.0, **options})


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_a_forward_pass(
    models: dict[str, LocalVLM], pictures: list[np.ndarray], family: str
) -> None:
    """In one padded batch and alone, log p(yes) - log p(no) is what transformers computes."""
    model, (first, second, third) = models[family].checkpoint, pictures
    together = opinion(models[family]).score_images([first, second, third])
    for ours, shown in zip(together, pictures, strict=True):
        content = [
            {"type": "image", "image": Image.fromarray(shown)},
            {"type": "text", "text": QUESTION.text},
        ]
        inputs = prompt_inputs(
            model.processor, [[{"role": "user", "content": content}]], model.habits
        )
        with torch.inference_mode():
            chances = model.model(**inputs).logits[0, -1].double().softmax(dim=-1)
        # No token spells a whole answer here: capital and small letters begin one.
        ids = {word: model.tokenizer.convert_tokens_to_ids([*word]) for word in ("Yy", "Nn")}
        expected = float(chances[ids["Yy"]].sum().log() - chances[ids["Nn"]].sum().log())
        assert ours == pytest.approx(expected, abs=1e-3)
        assert opinion(models[family]).score_images([shown]) == pytest.approx(ours, abs=1e-3)
    assert np.ptp(together) > 4e-3  # another picture, another score


@pytest.mark.parametrize("name", QUESTIONS)
def test_exchanged_answers_turn_the_sign(
    models: dict[str, LocalVLM], pictures: list[np.ndarray], name: str
) -> None:
    """What says forged counts for forged; the words asked with matter as well."""
    model = models["qwen3_vl"]
    scores = opinion(model, question=QUESTIONS[name]).score_images(pictures)
    turned = opinion(model, question=QUESTIONS[name].turned).score_images(pictures)
    assert scores == pytest.approx(-turned)
    assert (np.abs(scores) > 1e-3).all()
    if name != "forged":
        asked = opinion(model, question=replace(QUESTIONS[name], text=QUESTION.text))
        assert np.abs(scores - asked.score_images(pictures)).max() > 1e-3


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_name_their_answers(name: str) -> None:
    """A model is told which words to choose from, and no word means both."""
    question = QUESTIONS[name]
    asked = question.text.partition("Answer")[2]
    assert any(word in asked for word in question.forged)
    assert any(word in asked for word in question.authentic)
    assert not {*question.forged} & {*question.authentic}
    assert question.name == name


def test_all_spellings_of_an_answer_count() -> None:
    """Capitals and spaces are no other answer; a word that merely begins so is."""
    words = tiny_models.tokenizer(())
    words.add_tokens(["Yes", " yes", "YES", "yesterday", "No", " No"])
    reading = LocalAnswerScorer(SimpleNamespace(tokenizer=words))  # type: ignore[arg-type]
    ids = {text: words.convert_tokens_to_ids(text) for text in ("Yes", " yes", "YES", "No", " No")}
    assert reading.tokens(["yes"]) == {ids["Yes"], ids[" yes"], ids["YES"]}
    assert reading.tokens(["no"]) == {ids["No"], ids[" No"]}
    # No token is this word: the letters with which it is begun, and not the space before.
    assert {words.decode([it]) for it in reading.tokens(["maybe"])} == {"m", "M"}


def test_answers_that_cannot_be_told_apart_are_none(
    models: dict[str, LocalVLM], pictures: list[np.ndarray]
) -> None:
    """Two words that begin alike leave nothing to read."""
    same = replace(QUESTION, forged=("never",), authentic=("nothing",))
    scores = opinion(models["qwen3_vl"], question=same).score_images(pictures)
    assert np.isnan(scores).all()


def test_a_model_that_says_neither_has_no_opinion(
    models: dict[str, LocalVLM], pictures: list[np.ndarray]
) -> None:
    """Both answers together must be likely enough to be called an answer."""
    model = models["qwen3_vl"]
    share = opinion(model).ask(pictures).share
    assert ((share > 0) & (share < 0.2)).all()
    between = float(np.sort(share)[1]) - 1e-9
    scores = opinion(model, min_answer_probability=between).score_images(pictures)
    assert np.isnan(scores).tolist() == (share < between).tolist()
    assert np.isnan(scores).sum() == 1


def test_a_model_of_text_alone_has_no_opinion(
    models: dict[str, LocalVLM], pictures: list[np.ndarray]
) -> None:
    """A processor without pictures, and a chat model without probabilities, give NaN, not 0."""
    seeing = models["qwen3_vl"]
    words = SimpleNamespace(tokenizer=seeing.checkpoint.tokenizer)
    blind = LocalVLM(checkpoint=replace(seeing.checkpoint, processor=words))
    for model in (blind, ScriptedModel(replies=["Yes."] * 3)):
        assert np.isnan(opinion(model).score_images(pictures)).tolist() == [True] * 3
    assert opinion(seeing).score_images([]).shape == (0,)


def test_it_is_a_detector_among_others(models: dict[str, LocalVLM]) -> None:
    """It says what it shows and asks, and another checkpoint has another name."""
    one, other = (opinion(models[family]) for family in ("qwen3_vl", "smolvlm"))
    assert isinstance(one, PixelDetector)
    assert qualified_name(one) == "face/vlm"
    assert len(one.sha256) == 64
    assert one.sha256 == opinion(models["qwen3_vl"], inputs="image").sha256 != other.sha256
    whole = opinion(models["qwen3_vl"], inputs="image")
    assert "forged" in one.preprocessing != whole.preprocessing
    photo = skimage.data.astronaut()
    assert whole.crop_input(photo, None).shape == (512, 512, 3)
    assert one.crop_input(photo, face_of(photo).keypoints).shape == (336, 336, 3)


def test_the_opinion_never_reaches_the_verdict(models: dict[str, LocalVLM]) -> None:
    """A hit gets it as evidence E25; what the rule says of the hit stays the same."""
    pixels = picture(3)
    look = RerankInput(pixels, face_of(pixels), {}, None, (), None)  # type: ignore[arg-type]
    (measured,) = opinion_measurement(models["qwen3_vl"])([look])
    assert measured.keys() == {VLM_OPINION_SCORE}
    rule = VerdictRule.load(WEIGHTS_DIR / "verdict.json")
    known = dict.fromkeys(("cosine_similarity", "face/unifd_linear"), 0.4)
    scores = {name: known.get(name, 1.0) for name in rule.references} | known
    for value in (-50.0, 50.0):
        more = {**scores, VLM_OPINION_SCORE: value}
        assert rule.assess(more, usable=True) == rule.assess(scores, usable=True)
        (shown,) = [
            it for it in collect_evidence(more, rule.references) if it.score == VLM_OPINION_SCORE
        ]
        assert (shown.id, shown.value) == ("E25", value)
    assert "no part in the verdict" in shown.limits


class Answers(BaseHTTPRequestHandler):
    """A server's model with one answer for each request's JSON."""

    reply: Callable[[dict[str, Any]], dict[str, Any] | None]

    def do_GET(self) -> None:
        """Which models there are."""
        self._send(200, {"data": [{"id": "some-vlm"}]})

    def do_POST(self) -> None:
        """What it says, and how likely its first tokens were."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = type(self).reply(asked)
        if told is None:
            self._send(400, {"error": {"message": "no such option"}})
            return
        message = {"role": "assistant", "content": "Yes"}
        choice = {"index": 0, "message": message, "finish_reason": "length", **told}
        self._send(200, {"id": "1", "object": "chat.completion", "model": "some-vlm",
                         "created": 1, "choices": [choice]})  # fmt: skip

    def _send(self, status: int, content: dict[str, Any]) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the server is."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()
    thread.join()


def told(**chances: float) -> dict[str, Any]:
    """What a server tells of the likeliest tokens."""
    top = [{"token": token, "logprob": chance} for token, chance in chances.items()]
    return {"logprobs": {"content": [{"token": "Yes", "logprob": 0.0, "top_logprobs": top}]}}


def shown_in(asked: dict[str, Any]) -> str:
    """The picture in a request."""
    return str(asked["messages"][0]["content"][0]["image_url"]["url"])


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_server_is_read_by_its_probabilities(address: str, pictures: list[np.ndarray]) -> None:
    """All spellings together; an answer that is not told is no likelier than the last token."""
    asked: list[dict[str, Any]] = []

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        url = shown_in(request)
        if len(url) > 50_000:
            return told(**{"Yes": -0.5, " yes": -1.5, "No": -2.0, "Well": -4.0})
        return told(No=-0.1, Well=-3.0 - zlib.crc32(url.encode()) / 2**40)

    Answers.reply = staticmethod(reply)
    # The two that show whether it sees anything come first.
    detector = opinion(load_served_vlm(address))
    scores = detector.score_images([pictures[0], np.zeros((8, 8, 3), np.uint8)])
    yes = np.logaddexp(-0.5, -1.5)
    assert (asked[-1]["logprobs"], asked[-1]["top_logprobs"]) == (True, 20)
    assert scores == pytest.approx([yes + 2.0, -3.0 + 0.1], abs=0.01)
    other = opinion(load_served_vlm(address), question=QUESTIONS["natural"])
    assert np.isnan(other.score_images(pictures[:1])).all()


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    "reply",
    [lambda _: {}, lambda _: None, lambda _: told(Yes=-0.1, No=-3.0)],
    ids=["none told", "refused", "blind"],
)
def test_a_server_that_tells_nothing_is_not_measured(
    address: str, pictures: list[np.ndarray], reply: Callable[[Any], Any]
) -> None:
    """No probabilities, an error, or the same ones whatever the picture: NaN."""
    Answers.reply = staticmethod(reply)
    assert np.isnan(opinion(load_served_vlm(address)).score_images(pictures)).all()
    assert len(opinion(load_served_vlm(address)).sha256) == 64
