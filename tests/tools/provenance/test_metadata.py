"""EXIF, XMP and generators' texts in files made by Pillow: statements and contradictions."""

import pytest
from PIL.PngImagePlugin import PngInfo

from tests.tools.provenance.making import IPTC, exif, noise, of_kind, photo, saved, xmp
from tools.provenance.findings import LONGEST_QUOTE, Finding, Provenance
from tools.provenance.known_software import SOURCE_TYPES, names_editor, names_generator
from tools.provenance.reading import provenance_of

pytestmark = pytest.mark.fast

SETTINGS = (
    "portrait of a woman\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: 6ce0161689"
)
GRAPH = '{"3": {"class_type": "KSampler", "inputs": {"steps": 20, "cfg": 8}}}'
MAKE, MODEL, SOFTWARE, CHANGED, COMMENT = 0x010F, 0x0110, 0x0131, 0x0132, 0x9286
TAKEN, WIDTH, HEIGHT = 0x9003, 0xA002, 0xA003


def png(*texts: tuple[str, str], zip: bool = False) -> Provenance:
    """The provenance of a PNG with these text chunks."""
    info = PngInfo()
    for keyword, text in texts:
        info.add_text(keyword, text, zip=zip)
    return provenance_of(saved(noise(), "PNG", pnginfo=info))


def jpeg(**parts: bytes) -> Provenance:
    """The provenance of a JPEG with this EXIF or XMP."""
    return provenance_of(saved(noise(), **parts))


def test_a_plain_file_says_nothing_and_that_is_no_evidence() -> None:
    """Absence is spelt out, never as authentic."""
    found = provenance_of(saved(noise(), "PNG"))
    assert found.findings == ()
    assert "not evidence" in found.summary
    assert "genuine" not in str(found.to_json()) and "authentic" not in str(found.to_json())


@pytest.mark.parametrize("keyword", ["parameters", "Comment", "anything"])
@pytest.mark.parametrize("zip", [False, True])
def test_settings_of_stable_diffusion_are_recognised(keyword: str, zip: bool) -> None:
    """In any text, packed or not; the quotation is short."""
    (finding,) = png((keyword, SETTINGS), zip=zip).findings
    assert (finding.kind, finding.bearing) == ("generator", "generated")
    assert '"portrait of a woman Negative' in finding.text
    assert len(finding.text) < LONGEST_QUOTE + 80


def test_graphs_and_names_of_generators_are_recognised() -> None:
    """ComfyUI's graph, NovelAI's name, Midjourney's signature."""
    for texts in (
        [("prompt", GRAPH)],
        [("workflow", '{"nodes": []}')],
        [("Software", "NovelAI")],
        [("Description", "a dog --v 6 Job ID: 0f0e0d0c-1234-4321-8765-0123456789ab")],
    ):
        assert [it.bearing for it in png(*texts).findings] == ["generated"], texts


def test_captions_and_ordinary_texts_are_no_generators() -> None:
    """A photograph *of* a generator's office is not one of its pictures."""
    for keyword, text in (
        ("Description", "The founder of Midjourney in front of OpenAI's office"),
        ("Comment", "Steps: 20 down to the river"),
        ("parameters", "exposure 1/60"),
        ("Title", "Stable Diffusion"),
    ):
        assert png((keyword, text)).findings == (), text


@pytest.mark.parametrize(
    ("code", "encoding"),
    [(b"UNICODE\0", "utf-16-be"), (b"UNICODE\0", "utf-16-le"), (b"ASCII\0\0\0", "ascii")],
)
def test_settings_in_user_comments_are_recognised(code: bytes, encoding: str) -> None:
    """JPEG and WebP carry them in EXIF."""
    held = exif(photo={COMMENT: code + SETTINGS.encode(encoding)})
    for format in ("JPEG", "WEBP"):
        (finding,) = of_kind(provenance_of(saved(noise(), format, exif=held)), "generator")
        assert finding.where == "EXIF UserComment"
        assert "portrait of a woman" in finding.text


def test_cameras_and_editors_are_named() -> None:
    """A camera is a statement of capture, an editor one of editing, each as a quotation."""
    held = exif({MAKE: "Canon", MODEL: "EOS 5D", SOFTWARE: "Adobe Photoshop 26.1 (Windows)"})
    found = jpeg(exif=held)
    assert [it.text for it in of_kind(found, "camera")] == ['names a camera: "Canon EOS 5D"']
    assert found.summary == "The file names software that edits and names a camera."
    twice = jpeg(exif=exif({MAKE: "Canon", MODEL: "Canon EOS 5D"}))
    assert [it.text for it in of_kind(twice, "camera")] == ['names a camera: "Canon EOS 5D"']
    assert twice.summary == "The file names a camera."
    (editor,) = of_kind(found, "editor")
    assert editor.bearing == "edited" and '"Adobe Photoshop 26.1' in editor.text


def test_a_graph_in_the_cameras_fields_is_no_camera() -> None:
    """ComfyUI writes its prompt where a camera's name belongs."""
    found = jpeg(exif=exif({MODEL: f"prompt:{GRAPH}"}))
    assert of_kind(found, "generator") and not of_kind(found, "camera")


def test_names_of_software() -> None:
    """Generators and editors are told apart; words that merely contain a name are not taken."""
    for name in ("DALL·E 3", "stable-diffusion", "ComfyUI", "Adobe Firefly", "FLUX.1 dev"):
        assert names_generator(name), name
    for name in ("Editor de imagen", "fluxbox", "Canon", "GIMP 2.10", "Ver.1.00"):
        assert not names_generator(name), name
    assert names_editor("GIMP 2.10.34") and not names_editor("Ver.1.00")


@pytest.mark.parametrize("term", SOURCE_TYPES)
def test_source_types_are_read_from_xmp(term: str) -> None:
    """Each term of the IPTC, as an attribute or an element."""
    for packet in (
        xmp(f'Iptc4xmpExt:DigitalSourceType="{IPTC}{term}"'),
        xmp(
            inside=f"<Iptc4xmpExt:DigitalSourceType>{IPTC}{term}</Iptc4xmpExt:DigitalSourceType>",
        ),
    ):
        (finding,) = of_kind(jpeg(xmp=packet), "source type")
        assert finding.bearing == SOURCE_TYPES[term][0]
        assert f'"{term}": {SOURCE_TYPES[term][1]}' in finding.text


def test_an_unknown_source_type_is_a_fact() -> None:
    """It is quoted, not interpreted."""
    packet = xmp('Iptc4xmpExt:DigitalSourceType="tomorrowsTerm"')
    (finding,) = of_kind(jpeg(xmp=packet), "source type")
    assert finding.bearing == "fact" and "not known here" in finding.text


def test_histories_tools_and_prompts_are_read_from_xmp() -> None:
    """In every format that can hold a packet."""
    steps = (
        '<xmpMM:History><rdf:Seq><rdf:li stEvt:action="created" stEvt:softwareAgent="GIMP"/>'
        '<rdf:li stEvt:action="saved" stEvt:softwareAgent="Krita"/></rdf:Seq></xmpMM:History>'
        "<Iptc4xmpExt:AISystemUsed>Some generator</Iptc4xmpExt:AISystemUsed>"
    )
    packet = xmp('xmp:CreatorTool="DALL-E 3" photoshop:Credit="Made with Google AI"', steps)
    for format in ("JPEG", "WEBP", "PNG", "TIFF", "AVIF"):
        options = {"tiffinfo": {700: packet}} if format == "TIFF" else {"xmp": packet}
        if format == "PNG":
            info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", packet.decode())
            options = {"pnginfo": info}
        found = provenance_of(saved(noise(), format, **options))
        (history,) = of_kind(found, "editor")
        assert 'a history of 2 steps by "GIMP", "Krita"' in history.text, format
        assert len(of_kind(found, "generator")) == 3, format


def dates(found: Provenance) -> list[str]:
    """Texts of the findings about dates."""
    return [it.text for it in of_kind(found, "dates")]


def test_dates_out_of_order_are_contradictions() -> None:
    """Changed before it was taken; the position fixed on another day; a day in the future."""
    held = exif({CHANGED: "2020:01:01 00:00:00"}, {TAKEN: "2021:05:05 12:00:00"})
    (text,) = dates(jpeg(exif=held))
    assert "last changed" in text and "2020-01-01" in text and "2021-05-05" in text
    held = exif({}, {TAKEN: "2021:05:05 12:00:00"}, {29: "2021:05:09"})
    (text,) = dates(jpeg(exif=held))
    assert "position" in text
    (text,) = dates(jpeg(exif=exif({}, {TAKEN: "2199:01:01 00:00:00"})))
    assert "in the future" in text
    packet = xmp('xmp:CreateDate="2020-01-01T00:00:00Z" xmp:ModifyDate="2019-06-01"')
    assert len(dates(jpeg(xmp=packet))) == 1


def test_time_zones_are_no_contradiction() -> None:
    """A day and two hours is what clocks around the world can differ by."""
    held = exif(
        {CHANGED: "2021:05:04 12:00:00"}, {TAKEN: "2021:05:05 12:00:00"}, {29: "2021:05:06"}
    )
    assert dates(jpeg(exif=held)) == []
    assert dates(jpeg(exif=exif({CHANGED: "0000:00:00 00:00:00"}, {TAKEN: "nonsense"}))) == []


def test_other_dimensions_are_a_contradiction() -> None:
    """Shape tells resizing from cropping; a turned picture and equal sizes are none."""
    whole = photo(size=(240, 160))
    for stated, words in (
        ((480, 320), "of the same shape"),
        ((480, 480), "of another shape"),
        ((160, 240), None),
        ((240, 160), None),
    ):
        held = exif(photo={WIDTH: stated[0], HEIGHT: stated[1]})
        found = of_kind(provenance_of(saved(whole, exif=held)), "dimensions")
        assert [words in it.text for it in found if words] == ([True] if words else []), stated
        assert len(found) == bool(words)


def test_a_position_is_a_fact_and_is_not_printed_unasked() -> None:
    """Where somebody lives does not get on a screen by accident."""
    degrees = (48, 51, 24)
    held = exif(gps={1: "N", 2: degrees, 3: "E", 4: (2, 21, 7)})
    data = saved(noise(), exif=held, xmp=xmp('exif:GPSLatitude="48,51N" exif:GPSLongitude="2,21E"'))
    found = provenance_of(data)
    assert [it.where for it in of_kind(found, "location")] == ["EXIF", "XMP"]
    told = str(found.to_json())
    assert "48" not in told.replace(found.image_id, "") and "51" not in told.replace(
        found.image_id, ""
    )
    shown = of_kind(provenance_of(data, show_location=True), "location")
    assert "48.0 51.0 24.0" in shown[0].text and "48,51N" in shown[1].text


def test_entities_and_document_types_are_refused() -> None:
    """A packet that could fill the memory is malformed; the rest is still read."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    for packet in (bomb, bomb.decode().encode("utf-16")):
        held = exif({SOFTWARE: "GIMP"})
        found = jpeg(xmp=packet, exif=held)
        (finding,) = of_kind(found, "unread")
        assert finding.where == "XMP" and of_kind(found, "editor")


def test_our_own_mark_is_a_hint_of_a_forgery() -> None:
    """The same mark as evidence E10."""
    (mark,) = of_kind(jpeg(exif=exif({0x010E: "Forgery made by Unmask (swap)"})), "forgery mark")
    assert mark.bearing == "edited" and "does not prove" in mark.cannot_mean


def test_findings_cannot_be_changed() -> None:
    """They are records."""
    finding = Finding("editor", "edited", "EXIF", "names it")
    with pytest.raises(AttributeError):
        finding.text = "other"  # type: ignore[misc]
