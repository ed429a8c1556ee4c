"""HTML that is safe by construction: text is escaped unless it is already Markup."""

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

UNSAFE_LETTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Controls, bidirectional overrides and lone surrogates (undecodable bytes of a file name)."""
VOID_TAGS = ("br", "img", "input", "meta")


class Markup(str):
    """HTML that may stand in a page as it is."""


def safe_text(text: object) -> str:
    """The text with controls, direction overrides and undecodable letters replaced by U+FFFD."""
    return UNSAFE_LETTERS.sub("\ufffd", str(text))


def escape(content: object) -> Markup:
    """Markup as it is; anything else as escaped text."""
    return content if isinstance(content, Markup) else Markup(html.escape(safe_text(content), quote=True))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element. Attribute names are written with `_` for `-` and a trailing `_` after Python's words; None and False are left out."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in VOID_TAGS:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: object) -> Markup:
    """The children after one another; None is left out."""
    return Markup("".join(escape(child) for child in children if child is not None))


def picture_uri(picture: UInt8[np.ndarray, "height width 3"], lossless: bool = False, quality: int = 86) -> str:
    """A data URI of an RGB picture: PNG, or JPEG."""
    ending, options = (".png", [cv2.IMWRITE_PNG_COMPRESSION, 7]) if lossless else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])
    _, encoded = cv2.imencode(ending, np.ascontiguousarray(picture[..., ::-1]), options)
    return data_uri(encoded.tobytes(), "image/png" if lossless else "image/jpeg")


def data_uri(content: bytes, kind: str) -> str:
    """A data URI of the bytes."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def data_block(name: str, value: Any) -> Markup:
    """JSON in a script element that is not run; "<", ">" and "&" are written as JSON escapes, so that nothing in it ends the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(f'<script type="application/json" id="{escape(name)}">{text}</script>')


def read_asset(name: str) -> str:
    """The text of a file in report/assets."""
    return files("hoifield.report").joinpath("assets", name).read_text(encoding="utf-8")


def write_page(title: str, body: Markup, script: str | None = None, wide: bool = False) -> str:
    """A whole page in one file; `wide` for many columns.

    Its policy allows the one style and the one script in it by their digests, embedded pictures and video, and no network.
    """
    style = read_asset("page.css")
    head = join(
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{page_policy(style, script)}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        Markup(f"<style>{style}</style>"),
    )
    ending = Markup(f"<script>{script}</script>") if script else None
    main = element("main", body, class_="broad" if wide else None)
    page = join(Markup("<!doctype html>\n"), element("html", element("head", head), element("body", main, ending), lang="en"))
    return str(page) + "\n"


def page_policy(style: str, script: str | None) -> str:
    """The Content-Security-Policy of a page with this style and script."""
    run = f"'{_digest(script)}'" if script else "'none'"
    rules = ["default-src 'none'", f"script-src {run}", f"style-src '{_digest(style)}'", "img-src data:", "media-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
