"""Content credentials: signer, actions and validity of manifests that the tests sign."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.tools.provenance.making import (
    IPTC,
    PARENT,
    certificates,
    noise,
    of_kind,
    saved,
    signed,
    xmp,
)
from tools.errors import SetupError
from tools.provenance import manifest_store
from tools.provenance.manifest_store import read_manifest_store
from tools.provenance.reading import provenance_of, read_trust_anchors

pytestmark = pytest.mark.fast

GENERATED = {
    "action": "c2pa.created",
    "digitalSourceType": f"{IPTC}trainedAlgorithmicMedia",
    "softwareAgent": {"name": "Test Painter"},
}
OPENED = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
CROPPED = {"action": "c2pa.cropped", "softwareAgent": "Test Scissors"}


@pytest.fixture(scope="module")
def generated() -> bytes:
    """A JPEG whose manifest says that a trained model created it."""
    return signed(saved(noise()), actions=[GENERATED])


def test_signer_software_and_source_type_are_read(generated: bytes) -> None:
    """What the manifest says, as its words; an unknown certificate is never called trusted."""
    found = provenance_of(generated)
    (signature,) = of_kind(found, "content credentials")
    assert "in the name of" in signature.text and '"Test Signer"' in signature.text
    details = dict(signature.details)
    assert details["validation"] == "valid, signer not checked"
    assert details["claim generator"].startswith("Test Painter 1.0")
    (source,) = of_kind(found, "source type")
    assert source.bearing == "generated"
    assert '"trainedAlgorithmicMedia"' in source.text and '"Test Painter"' in source.text
    assert "generated" in found.summary


@pytest.mark.parametrize("trusted", [True, False])
def test_signers_are_compared_with_given_certificates(generated: bytes, trusted: bool) -> None:
    """Trusted if its root is on the list, not on the list otherwise: never "not checked"."""
    anchors = certificates("Test Signer").root if trusted else certificates("Somebody else").root
    found = provenance_of(generated, trust_anchors=anchors)
    (signature,) = of_kind(found, "content credentials")
    wanted = "trusted" if trusted else "valid, untrusted signer"
    assert dict(signature.details)["validation"] == wanted
    assert signature.bearing == "fact"


def test_a_changed_picture_is_not_valid_and_the_reason_is_given(generated: bytes) -> None:
    """One bit of a pixel is enough; what the manifest says is still shown."""
    changed = bytearray(generated)
    changed[-30] ^= 1
    found = provenance_of(bytes(changed), trust_anchors=certificates("Test Signer").root)
    (signature,) = of_kind(found, "content credentials")
    assert signature.bearing == "invalid"
    assert "changed after it was signed" in signature.text
    assert "do not fit it" in found.summary
    assert of_kind(found, "source type")


def test_a_damaged_manifest_is_said_to_be_there(generated: bytes) -> None:
    """It is neither valid nor absent."""
    at = generated.index(b"c2pa.claim")
    damaged = generated[: at - 40] + b"\xff" * 60 + generated[at + 20 :]
    (finding,) = of_kind(provenance_of(damaged), "content credentials")
    assert finding.bearing == "invalid"


def test_ingredients_and_their_actions_are_read(generated: bytes) -> None:
    """An edited picture whose parent was generated speaks of both."""
    edited = signed(saved(noise(1)), actions=[OPENED, CROPPED], parent=generated)
    found = provenance_of(edited)
    texts = [it.text for it in of_kind(found, "content credentials")]
    assert any("signature fits the file" in text for text in texts)
    assert any('"parent.jpg", which has content credentials' in text for text in texts)
    assert any('"Test Scissors" cropped it' in text for text in texts)
    (source,) = of_kind(found, "source type")
    assert source.where == "C2PA manifest of an ingredient"


def test_an_ingredient_that_did_not_hold_is_named(generated: bytes) -> None:
    """A signature over an altered parent does not repair it."""
    altered = bytearray(generated)
    altered[-30] ^= 1
    edited = signed(saved(noise(1)), actions=[OPENED], parent=bytes(altered))
    texts = [it.text for it in of_kind(provenance_of(edited), "content credentials")]
    (text,) = (it for it in texts if "parent.jpg" in it)
    assert "did not hold when it was added: the file was changed after it was signed" in text


def test_png_and_webp_manifests_are_read() -> None:
    """The container does not matter."""
    for name in ("PNG", "WEBP"):
        kind = f"image/{name.lower()}"
        made = signed(saved(noise(), name), actions=[GENERATED], format=kind)
        assert of_kind(provenance_of(made), "source type"), name


def test_the_files_words_are_cleaned_and_shortened() -> None:
    """No control character, no double quote and no text of any length gets on the screen."""
    agent = {"name": 'evil"\x1b[31m\u202e' + "x" * 5000}
    data = signed(saved(noise()), actions=[{**GENERATED, "softwareAgent": agent}])
    (source,) = of_kind(provenance_of(data), "source type")
    assert source.text.isprintable()
    assert source.text.count('"') == 4
    assert len(source.text) < 500


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_manifests_at_an_address_are_named_and_not_fetched() -> None:
    """A file cannot make this machine call somebody."""
    asked = list[str]()

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/made.c2pa"
        data = saved(noise(), xmp=xmp(f'dcterms:provenance="{address}"'))
        assert b"c2pa" in data  # the child is started
        (finding,) = of_kind(provenance_of(data), "remote manifest")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert address in finding.text and "not fetched" in finding.text
    assert asked == []


def test_a_library_that_hangs_or_fails_is_survived(
    generated: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in a child that is stopped; the finding says that nothing was read."""
    monkeypatch.setattr(manifest_store, "_CHILD", "import time; time.sleep(60)")
    assert read_manifest_store(generated, limit_s=0.2).state == "stopped"
    monkeypatch.setattr(manifest_store, "_CHILD", "import os; os.abort()")
    (finding,) = of_kind(provenance_of(generated), "content credentials")
    assert finding.bearing == "invalid" and "cannot be read" in finding.text


def test_without_the_package_nothing_is_said_about_manifests(
    generated: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not read is not the same as not there."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert manifest_store._read(generated, "")["state"] == "not installed"
    held = manifest_store.ManifestStore("not installed")
    monkeypatch.setattr("tools.provenance.reading.read_manifest_store", lambda *_, **__: held)
    (finding,) = of_kind(provenance_of(generated), "unread")
    assert "was not read" in finding.text


def test_files_without_the_mark_start_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary photo costs no process."""
    monkeypatch.setattr(manifest_store, "_CHILD", "import os; os.abort()")
    assert read_manifest_store(saved(noise())).state == "none"


def test_the_folder_one_works_in_runs_nothing(generated: bytes, tmp_path: Path) -> None:
    """Evidence may contain a json.py; the child does not import it."""
    (tmp_path / "json.py").write_text("raise SystemExit('ran')")
    (tmp_path / "made.jpg").write_bytes(generated)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from tools.provenance.reading import read_provenance; "
        "print(read_provenance(Path('made.jpg')).to_json()['findings'][0]['bearing'])"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code, str(ROOT)],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert ran.stdout.strip() == "generated"


def test_trust_files_must_hold_certificates(tmp_path: Path) -> None:
    """One line says what is wrong with the file."""
    given = tmp_path / "anchors.pem"
    given.write_text(certificates("Test Signer").root)
    assert read_trust_anchors(given) == certificates("Test Signer").root
    given.write_text("hello")
    for path in (given, tmp_path / "gone.pem"):
        with pytest.raises(SetupError, match=path.name):
            read_trust_anchors(path)


def test_findings_are_jsonable_and_say_that_they_decide_nothing(generated: bytes) -> None:
    """Each finding carries what it can and cannot mean."""
    told = json.loads(json.dumps(provenance_of(generated).to_json()))
    assert told["part_in_verdict"] is False and "no part in any verdict" in told["limits"]
    assert all(it["can_mean"] and it["cannot_mean"] for it in told["findings"])
