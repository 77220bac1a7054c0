"""A small model of a client of the login API, and a runner of the conformance vectors against it.

The model is written from `docs/reading-responses.md` and `docs/porting.md`; the rows of the requests, the names of the
headers, the statuses and the classes of the codes are data, and come from `docs/flow.json`. It has no transport.

Usage: python3 conformance.py [--folder FOLDER] [--docs FOLDER] [--only ID]
"""

from __future__ import annotations

import argparse
import base64
import copy
import datetime
import ipaddress
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

Members = list[tuple[str, str]]
WHITE_SPACE = " \t\n\f\r"
U64 = 2**64 - 1

# --- JSON, by RFC 8259 to the letter, with the values as they stand in the text ---

STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
SCALAR = re.compile(STRING.pattern + r"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
JSON_SPACE = re.compile(r"[ \t\n\r]*")
CLOSING = {"{": "}", "[": "]"}


class NoJson(Exception):
    pass


def skip_space(text: str, at: int) -> int:
    return JSON_SPACE.match(text, at).end()  # type: ignore[union-attr]


def scan_name(text: str, at: int) -> int:
    """The start of the value behind the member's name that begins at `at`."""
    name = STRING.match(text, skip_space(text, at))
    colon = skip_space(text, name.end()) if name else 0
    if not name or text[colon : colon + 1] != ":":
        raise NoJson
    return colon + 1


def scan(text: str, at: int) -> tuple[int, int, int]:
    """Start, end and depth of the value at `at`. A stack of its own, for nesting has no limit."""
    open_at: list[str] = []
    start, depth = skip_space(text, at), 0
    at = start
    while True:
        at = skip_space(text, at)
        opening = text[at : at + 1]
        if opening in CLOSING:
            open_at.append(opening)
            depth = max(depth, len(open_at))
            inside = skip_space(text, at + 1)
            if text[inside : inside + 1] != CLOSING[opening]:
                at = scan_name(text, inside) if opening == "{" else inside
                continue
            at = inside
        else:
            scalar = SCALAR.match(text, at)
            if not scalar:
                raise NoJson
            at = scalar.end()
        while open_at:
            at = skip_space(text, at)
            char = text[at : at + 1]
            if char == CLOSING[open_at[-1]]:
                open_at.pop()
                at += 1
            elif char == ",":
                at = scan_name(text, at + 1) if open_at[-1] == "{" else at + 1
                break
            else:
                raise NoJson
        else:
            return start, at, depth


def whole(text: str) -> tuple[str, int] | None:
    """The one value that a text is, without the space around it, and its depth."""
    try:
        start, end, depth = scan(text, 0)
    except NoJson:
        return None
    return (text[start:end], depth) if skip_space(text, end) == len(text) else None


def unescape(raw: str) -> str:
    text: str = json.loads(raw)
    return text


def has_half(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def items(raw: str) -> Iterator[str]:
    """The items of a list that is known to be JSON."""
    at = skip_space(raw, 1)
    while raw[at] != "]":
        start, end, _ = scan(raw, at)
        yield raw[start:end]
        at = skip_space(raw, end)
        at += raw[at] == ","


def members(raw: str) -> Members:
    """The members of an object that is known to be JSON."""
    found, at = [], skip_space(raw, 1)
    while raw[at] != "}":
        name = STRING.match(raw, skip_space(raw, at))
        assert name
        start, end, _ = scan(raw, scan_name(raw, at))
        found.append((unescape(name.group()), raw[start:end]))
        at = skip_space(raw, end)
        at += raw[at] == ","
    return found


def object_of(text: str) -> Members | None:
    """The members of the object that a text is; none if it is no JSON, no object, or a name has half of a pair."""
    value = whole(text)
    if not value or not value[0].startswith("{"):
        return None
    found = members(value[0])
    return None if any(has_half(name) for name, _ in found) else found


# --- Fields ---


class Unreadable(Exception):
    pass


@dataclass(frozen=True)
class Field:
    kind: str  # absent, text, number, unreadable
    text: str = ""


def trimmed(text: str) -> str:
    return text.strip(WHITE_SPACE)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def whole_number(raw: str) -> int | None:
    # The length comes first: a long run of digits must not fail.
    if re.fullmatch(r"-?[0-9]{1,20}", raw) and raw != "-0" and -(2**63) <= int(raw) <= U64:
        return int(raw)
    return None


def scalar_field(raw: str) -> Field:
    if raw.startswith('"'):
        text = unescape(raw)
        return Field("unreadable") if has_half(text) else Field("text", text)
    number = whole_number(raw)
    return Field("unreadable") if number is None else Field("number", str(number))


def text_field(fields: Members, name: str) -> Field:
    there = [raw for found, raw in fields if found == name and raw != "null"]
    if not there:
        return Field("absent")
    return scalar_field(there[0]) if len(there) == 1 else Field("unreadable")


def any_field(fields: Members, name: str) -> str | None:
    there = [raw for found, raw in fields if found == name]
    return there[0] if len(there) == 1 else None


def plain_text(fields: Members, name: str) -> str | None:
    found = text_field(fields, name)
    if found.kind in ("number", "unreadable") or "\ufffd" in found.text:
        raise Unreadable
    return trimmed(found.text) or None


def plain_or_none(fields: Members, name: str) -> str | None:
    try:
        return plain_text(fields, name)
    except Unreadable:
        return None


def required_text(fields: Members, name: str) -> str:
    text = plain_text(fields, name)
    if text is None:
        raise Unreadable
    return text


def has_control(text: str) -> bool:
    return any((char < " " and char != "\t") or char == "\x7f" for char in text)


def header_token(fields: Members, name: str) -> str | None:
    token = plain_text(fields, name)
    if token and (size(token) > 16384 or has_control(token)):
        raise Unreadable
    return token


def nanoseconds(value: float) -> Decimal:
    # Adding 0 takes the sign of -0 away.
    return Decimal(value).quantize(Decimal("1e-9"), ROUND_HALF_EVEN) + 0


def time_of(raw: str | None) -> Decimal | None:
    """A time as it stands in the body: its escapes are not resolved."""
    if raw is None or raw[0] in "{[":
        return None
    text = trimmed(raw[1:-1]) if raw.startswith('"') else raw
    if re.fullmatch(r"\+?[0-9]+", text):
        digits = text.lstrip("+").lstrip("0") or "0"
        if len(digits) <= 20 and int(digits) <= U64:
            return Decimal(int(digits))
    if not re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return nanoseconds(value) if 0 <= value < 2.0**64 else None


def decimal_text(value: Decimal | None) -> str | None:
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_base64(text: str) -> bytes:
    """The standard alphabet, padded or not, with padding that is right and no bits left over."""
    bare = text.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    if not re.fullmatch(r"[A-Za-z0-9+/]*", bare) or len(bare) % 4 == 1 or text not in (bare, padded):
        raise Unreadable
    value = base64.b64decode(padded)
    if base64.b64encode(value).decode() != padded:
        raise Unreadable
    return value


# --- The settings ---


@dataclass(frozen=True)
class Refused(Exception):
    kind: str
    field: str | None = None
    method: str | None = None

    def told(self) -> dict[str, str]:
        return {
            name: value
            for name, value in vars(self).items()
            if value is not None and name in ("kind", "field", "method")
        }


def invalid(name: str) -> Refused:
    return Refused("invalid input", field=name)


def check_header(name: str, value: str, limit: int = 1024) -> None:
    if not 1 <= size(value) <= limit or has_control(value):
        raise invalid(name)


def is_host_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    # A last label that is a number makes an address of it for many parsers, in octal and hexadecimal, too.
    number = re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", labels[-1])
    return not number and all(re.fullmatch(r"[A-Za-z0-9_-]{1,63}", label) for label in labels)


def read_host(host: str) -> tuple[str, bool]:
    """The host as it is sent, and whether it is this machine."""
    try:
        if host.startswith("["):
            return host.lower(), ipaddress.IPv6Address(host[1:-1]).is_loopback
        if not is_host_name(host):
            four = ipaddress.IPv4Address(host)
            return str(four), four.is_loopback
    except ValueError:
        raise invalid("base_address") from None
    return host.lower(), host.lower() == "localhost"


def read_base_address(address: str, loopback_http: bool) -> str:
    parts = re.fullmatch(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?/?", address, re.IGNORECASE)
    if not parts:
        raise invalid("base_address")
    scheme = parts[1].lower()
    host, is_loopback = read_host(parts[2])
    port = int(parts[3]) if parts[3] else None
    if (port is not None and not 1 <= port <= 65535) or (scheme == "http" and not (loopback_http and is_loopback)):
        raise invalid("base_address")
    default = {"https": 443, "http": 80}[scheme]
    return f"{scheme}://{host}" + ("" if port in (None, default) else f":{port}")


def read_prefix(prefix: str) -> str:
    if not re.fullmatch(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*", prefix):
        raise invalid("path_prefix")
    return prefix.rstrip("/")


def address_text(text: str) -> str:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    # RFC 5952 writes a mapped address with its decimal parts; older versions of `ipaddress` do not.
    return f"::ffff:{mapped}" if mapped else str(address)


class Client:
    def __init__(self, flow: Flow, settings: dict[str, Any], now: str, public_key: str) -> None:
        self.flow, self.now = flow, Decimal(now)
        self.edition: str = settings["edition"]
        self.base = read_base_address(settings["base_address"], settings.get("allow_loopback_http", False))
        self.prefix = read_prefix(settings.get("path_prefix", ""))
        self.client_id: str = settings["client_id"]
        check_header("client_id", self.client_id)
        self.tenant_id: str | None = settings.get("tenant_id")
        if self.tenant_id is not None:
            check_header("tenant_id", self.tenant_id)
        self.paths: dict[str, str] = settings.get("paths", {})
        self.wechat_field: str = settings.get("wechat_code_field", "wechat_code")
        self.server_time = int(settings["signs_at"]) if "signs_at" in settings else None
        self.key = serialization.load_pem_public_key(public_key.encode()) if self.server_time else None
        self.last_timestamp = 0

    @property
    def header_column(self) -> str:
        return self.flow.columns[self.edition, self.tenant_id is not None]

    def sign(self, session_token: str) -> str:
        if self.key is None or self.server_time is None:
            raise Refused("not sent")
        timestamp = max(self.server_time, self.last_timestamp + 1)
        text = f"session_token={session_token}&timestamp={timestamp}&nonce={timestamp:x}"
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        if size(text) > self.key.key_size // 8 - 66:  # type: ignore[union-attr]
            raise invalid("session_token")
        self.last_timestamp = timestamp
        return base64.b64encode(self.key.encrypt(text.encode(), oaep)).decode()  # type: ignore[union-attr]

    def forget_key(self) -> None:
        self.key = self.server_time = None


def make_device(settings: dict[str, Any]) -> dict[str, Any]:
    for name in ("operating_sys_version", "fingerprint", "agent", "language"):
        if settings.get(name) is not None:
            check_header(name, settings[name])
    return settings


# --- The stages ---


@dataclass
class Stage:
    client: Client
    device: dict[str, Any]
    name: str
    holds: dict[str, Any] = field(default_factory=dict)
    origin: str = "WeChatMiniProgram"
    used: bool = False

    def told(self) -> dict[str, Any]:
        inner = re.sub(r".*<(.*)>", r"\1", self.name)
        names = {
            "PendingBind": ["state_token", "data", "allowed"],
            "PendingRegister": ["state_token", "data", "allowed"],
            "MfaRequired": ["state_token", "data"],
            "PasswordExpiring": ["state_token", "data", "policy"],
            "PasswordExpired": ["state_token", "data", "policy"],
            "Authenticated": ["session_token", "expires_in", "expires_at", "id_token"],
        }.get(inner, []) + (["destination"] if inner != self.name else [])
        holds = {name: self.holds.get(name) for name in names}
        for name in ("expires_in", "expires_at"):
            if name in holds:
                holds[name] = decimal_text(holds[name])
        return {"stage": self.name, "holds": holds}

    def again(self) -> Stage:
        return Stage(self.client, self.device, self.name, copy.deepcopy(self.holds), self.origin)

    def at(self, name: str, **holds: Any) -> Stage:
        return Stage(self.client, self.device, name, holds, self.origin)

    def start_over(self) -> Stage:
        return Stage(self.client, self.device, "Unauthenticated")


@dataclass(frozen=True)
class Unresolved:
    """The stage is out of reach until the caller has decided."""

    stage: Stage

    def take(self, step: str) -> Stage:
        return self.stage.start_over() if step == "start_over" else self.stage.again()


def make_stage(client: Client, device: dict[str, Any], start: dict[str, Any]) -> Stage:
    name, given = start["stage"], dict(start.get("holds", {}))
    inner = re.sub(r".*<(.*)>", r"\1", name)
    if inner.startswith(("Pending", "Password", "Mfa")):
        given.update(read_data(inner, given.get("data")))
    if given.get("expires_at") is not None:
        given["expires_at"] = Decimal(given["expires_at"])
    return Stage(client, device, name, given, start.get("origin", "WeChatMiniProgram"))


# --- The text of `data` ---


def read_allowed(text: str) -> list[str] | None:
    raw = any_field(object_of(text) or [], "socialBindOrRegisterFlow")
    if raw is None or not raw.startswith("["):
        return None
    ways = [scalar_field(item) if item.startswith('"') else Field("unreadable") for item in items(raw)]
    if any(way.kind != "text" for way in ways):
        return None
    short = [way.text for way in ways if size(way.text) <= 256][:16]
    return [trimmed(way) if trimmed(way) in ("VERIFY_PHONE", "VERIFY_EMAIL") else way for way in short]


def read_length(raw: str | None) -> int | None:
    value = time_of(raw)
    negative = raw is not None and trimmed(raw.strip('"')).startswith("-")
    if value is None or negative or value != int(value) or value > 4294967295:
        return None
    return int(value)


def read_policy(text: str) -> dict[str, Any] | None:
    found = object_of(text)
    if found is None:
        return None
    last = dict(found)
    pattern = scalar_field(last["regEx"]) if last.get("regEx", "").startswith('"') else Field("absent")
    fits = pattern.kind == "text" and size(pattern.text) <= 4096
    lengths = {
        name: read_length(last.get(raw)) for name, raw in (("max_length", "maxLength"), ("min_length", "minLength"))
    }
    return lengths | {"pattern": pattern.text if fits else None}


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_data(stage: str, text: str | None) -> dict[str, Any]:
    """What a stage holds of its `data`. Of a text that is too long only JSON of what was read stays."""
    of_password = stage.startswith("Password")
    read: Any = None
    if text is not None:
        read = read_policy(text) if of_password else read_allowed(text)
        if size(text) > 16384 and read is None:
            text = None
        elif size(text) > 16384 and of_password:
            text = compact({"maxLength": read["max_length"], "minLength": read["min_length"], "regEx": read["pattern"]})
        elif size(text) > 16384:
            text = compact({"socialBindOrRegisterFlow": read})
    if stage == "MfaRequired":
        return {"data": text}
    return {"data": text, "policy" if of_password else "allowed": read}


def data_text(fields: Members) -> str | None:
    raw = any_field(fields, "data")
    if raw is None or raw == "null":
        return None
    text = unescape(raw) if raw.startswith('"') else raw
    return raw if has_half(text) else text


# --- Requests ---


class Flow:
    """The rows of `docs/flow.json`."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_text(encoding="utf-8"))
        # A status without a stage ends the login, and is looked at before the others.
        self.statuses: dict[str, str] = {row["status"]: row["stage"] for row in data["statuses"] if row["stage"]}
        self.columns: dict[tuple[str, bool], str] = {
            (row["edition"], row["tenant_id"]): row["name"] for row in data["editions"]
        }
        self.headers = data["headers"]
        self.rows = {(row["from"], row["method"]): row for row in data["steps"]}
        # A code whose class depends on the message has a second row, with `message_names`.
        self.classes: dict[str, str] = {}
        self.classes_by_message: dict[str, tuple[str, str]] = {}
        for row in data["error_codes"]:
            if "message_names" in row:
                self.classes_by_message[row["code"]] = row["message_names"], row["class"]
            else:
                self.classes[row["code"]] = row["class"]

    def class_of(self, code: str, message: str) -> str:
        word, named = self.classes_by_message.get(code, ("", ""))
        if word and re.search(word.replace("_", "[_-]"), message, re.IGNORECASE | re.ASCII):
            return named
        return self.classes.get(code, "undocumented code")


@dataclass
class Flight:
    """A request, and what is needed to read its response."""

    stage: Stage
    row: dict[str, Any]
    inputs: dict[str, Any]
    request: dict[str, Any]

    @property
    def is_side_call(self) -> bool:
        return bool(self.row["kind"] == "side call")

    @property
    def in_hand(self) -> str | None:
        token = self.row["request"]["token"]
        return self.stage.holds["state_token"] if token and token["kind"] == "state token" else None


def check_input(name: str, kind: str, value: Any) -> Any:
    if kind == "JSON object":
        if not isinstance(value, dict):
            raise invalid(name)
        return value
    if kind == "date":
        check_date(name, value)
        return value
    text = trimmed(value) if kind in ("code", "platform code") else value
    if not text or size(text) > 16384:
        raise invalid(name)
    if not kind.startswith("opaque") and any(unicodedata.category(char) == "Cc" for char in text):
        raise invalid(name)
    return text


def check_date(name: str, value: str) -> None:
    parts = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", value)
    try:
        if not parts:
            raise ValueError
        datetime.date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        raise invalid(name) from None


def picture_width(picture: str | None) -> int | None:
    """The width that a PNG or a JPEG names."""
    data = base64.b64decode(picture) if picture else b""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big")
    at = 2
    while data.startswith(b"\xff\xd8\xff") and at + 9 <= len(data) and data[at] == 0xFF:
        # Of the segments the one that begins a frame has the size.
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def check_first(stage: Stage, row: dict[str, Any], inputs: dict[str, Any]) -> None:
    """The checks that come before the edition is asked."""
    if "x" in inputs:
        width = picture_width(stage.holds.get("picture"))
        if not inputs["x"] >= 0 or inputs["x"] == float("inf") or (width is not None and inputs["x"] > width):
            raise invalid("x")
    if stage.name.endswith("<Registration>"):
        kinds = {
            row["name"]: row["kind"] for row in stage.client.flow.rows[stage.name, "submit"]["request"]["optional"]
        }
        for name, value in stage.holds.get("attributes", {}).items():
            if name not in kinds:
                raise invalid(name)
            check_input(name, kinds[name], value)
    if row["method"] == "send_code" and inputs.get("sender", stage.holds["destination"]) != stage.holds["destination"]:
        raise invalid("captcha_token")


def with_point(value: float) -> str:
    """A point and a digit; from 1e16 on and below 1e-4 the exponent of `repr`, without `+` and zeros before it."""
    return re.sub(r"e\+?(-?)0*", r"e\1", repr(float(value)))


def input_of(stage: Stage, part: dict[str, Any], inputs: dict[str, Any], send_type: str | None) -> Any:
    name = part["name"]
    if part["kind"] == "send type":
        return send_type
    if name == "point_json":
        return f'{{"x":{with_point(float(inputs["x"]))},"y":5.0}}'
    if stage.name == "Captcha" and name == "token":
        return stage.holds["token"]
    if "destination" in stage.holds and name in ("mobile", "email"):
        return stage.holds["destination"]
    return inputs[name]


def make_body(stage: Stage, spec: dict[str, Any], inputs: dict[str, Any], send_type: str | None) -> str:
    body: dict[str, Any] = {}
    for part in spec["body"]:
        value = input_of(stage, part, inputs, send_type)
        if part["kind"] != "send type":
            value = check_input(part["name"], part["kind"], value)
        body[stage.client.wechat_field if part["name"] == "wechat_code" else part["name"]] = value
    attributes = stage.holds.get("attributes", {})
    for part in spec["optional"]:
        if part["name"] in attributes:
            body[part["name"]] = attributes[part["name"]]
    return compact(body) if body else ""


def common_headers(stage: Stage) -> dict[str, str]:
    client, device = stage.client, stage.device
    values = {
        "X-agent": device["agent"],
        "X-client-id": client.client_id,
        "X-device-fingerprint": device["fingerprint"],
        "X-device-ip": address_text(device["ip"]) if device.get("ip") else None,
        "X-L": device.get("language"),
        "X-operating-sys-version": device["operating_sys_version"],
        "X-tenant-id": client.tenant_id,
    }
    headers = {}
    for row in client.flow.headers:
        if client.header_column in row["values"]:
            value = row["values"][client.header_column] or values[row["name"]]
            if value is not None:
                headers[row["name"].lower()] = value
    return headers


def token_header(stage: Stage, token: dict[str, Any] | None) -> dict[str, str]:
    if token is None:
        return {}
    name = token["header"][stage.client.header_column]
    if name == "X-signature":
        return {"x-signature": stage.client.sign(stage.holds["session_token"])}
    return {name.lower(): stage.holds["state_token" if token["kind"] == "state token" else "session_token"]}


def take(stage: Stage, step: str, inputs: dict[str, Any]) -> Flight | Stage:
    """Takes a step: a request, or the next stage if nothing has to be sent. Raises `Refused`."""
    if stage.used:
        raise RuntimeError("the stage was used")
    if step == "start_over":
        return stage.start_over()
    if (stage.name, step) == ("Client", "session"):
        return stored_session(stage, inputs["session_token"])
    row = stage.client.flow.rows[stage.name, step]
    if row["kind"] == "narrow":
        return narrow(stage, row, inputs)
    check_first(stage, row, inputs)
    spec, client = row["request"], stage.client
    own = spec["editions"].get(client.edition)
    path = client.paths.get(f"{stage.name}.{step}") or (own and own["path"])
    if not path:
        raise Refused("unsupported")
    if "state_token" in stage.holds and spec["origin"] not in (None, stage.origin):
        raise RuntimeError("this step is not for a login of this origin")
    send_type = (
        own["send_type"] if own else next((part["send_type"] for part in spec["body"] if "send_type" in part), None)
    )
    body = make_body(stage, spec, inputs, send_type)
    headers = common_headers(stage) | token_header(stage, spec["token"])
    stage.used = row["kind"] == "step"
    request = {"method": spec["method"], "url": client.base + client.prefix + path, "headers": headers, "body": body}
    return Flight(stage, row, inputs, request)


def stored_session(stage: Stage, token: str) -> Stage:
    check_header("session_token", token, 16384)
    if trimmed(token) != token:
        raise invalid("session_token")
    return stage.at("Authenticated", session_token=token)


def narrow(stage: Stage, row: dict[str, Any], inputs: dict[str, Any]) -> Stage:
    way = {"phone": "VERIFY_PHONE", "email": "VERIFY_EMAIL"}.get(row["method"])
    allowed = stage.holds.get("allowed")
    if row["if_allowed"] and allowed is not None and way not in allowed:
        raise Refused("not allowed", method=way)
    holds = copy.deepcopy(stage.holds)
    holds.pop("destination", None)
    if way:
        holds["destination"] = inputs["mobile" if row["method"] == "phone" else "email"]
    if row["method"] == "register":
        holds["attributes"] = inputs.get("attributes", {})
    stage.used = True
    return stage.at(row["leads_to"][0], **holds)


# --- Responses ---


@dataclass(frozen=True)
class Failure(Exception):
    recovery: str
    error: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What a vector's `then` says, and what the next step is taken from."""

    then: dict[str, Any]
    next: Stage | Unresolved


WITH_ATTEMPTS = ("SDK.LOGIN.1005", "LOGIN.0002", "IDAAS.SDK.LOGIN.0002")
WITH_UNLOCK = ("SDK.LOGIN.1003", "LOGIN.0001", "IDAAS.SDK.LOGIN.0001")


def receive(flight: Flight, response: Any) -> Result:
    stage = flight.stage
    try:
        return read_response(flight, response)
    except Failure as failure:
        if failure.error.get("class") == "stale signature" and "x-signature" in flight.request["headers"]:
            stage.client.forget_key()
        return failed(stage, flight.is_side_call, failure)


def failed(stage: Stage, is_side_call: bool, failure: Failure) -> Result:
    if is_side_call:
        return Result({"error": failure.error}, stage)
    held: Stage | Unresolved = stage.again()
    if failure.recovery == "StartOver":
        held = stage.start_over()
    elif failure.recovery == "Unresolved":
        held = Unresolved(stage)
    name = held.stage.name if isinstance(held, Unresolved) else held.name
    return Result({"recovery": failure.recovery, "stage": name, "error": failure.error}, held)


def read_response(flight: Flight, response: Any) -> Result:
    """Steps 1 to 9."""
    if isinstance(response, str):
        if response == "not sent":
            raise Failure("Retry", {"kind": "not sent"})
        raise Failure("Unresolved", {"kind": "no response"})
    raw = base64.b64decode(response["body_base64"]) if "body_base64" in response else response["body"].encode()
    text = raw.decode("utf-8", errors="replace")
    fields, http = object_of(text), Http(response["http_status"], response.get("headers", {}))
    known = fields or []
    if status_text(known) == "ACCESS_DENIED":
        raise Failure("StartOver", {"kind": "access denied"})
    code = text_field(known, "error_code")
    if code.kind in ("text", "number") and trimmed(code.text):
        raise refusal(flight, known, trimmed(code.text), http)
    if 200 <= http.status <= 299:
        if code.kind == "unreadable":
            raise http.unexpected("Unreadable")
        try:
            return read_success(flight, fields, text, http)
        except Unreadable:
            raise http.unexpected("Unreadable") from None
    raise without_code(flight, known, http)


@dataclass(frozen=True)
class Http:
    status: int
    headers: dict[str, str]

    def unexpected(self, reason: str, recovery: str = "Unresolved", **more: Any) -> Failure:
        hints = {} if reason == "NoStateToken" else self.retry_after()
        return Failure(recovery, {"kind": "unexpected", "http_status": self.status, "reason": reason} | more | hints)

    def retry_after(self) -> dict[str, int]:
        values = [trimmed(value) for name, value in self.headers.items() if name.lower() == "retry-after"]
        digits = values[0].lstrip("0") or "0" if values and re.fullmatch("[0-9]+", values[0]) else ""
        return {"retry_after": int(digits)} if digits and len(digits) <= 20 and int(digits) <= U64 else {}


def status_text(fields: Members) -> str | None:
    return plain_or_none(fields, "status")


def without_code(flight: Flight, fields: Members, http: Http) -> Failure:
    """Steps 7 and 8."""
    if 500 <= http.status <= 599:
        return http.unexpected("ServerFailure")
    if not 300 <= http.status <= 499:
        return http.unexpected("Unreadable")
    if indicates_progress(flight, fields):
        return http.unexpected("Contradiction")
    if http.status >= 400:
        return http.unexpected("NotFromTheApi", "Retry")
    return http.unexpected("Redirect", "Unresolved" if http.status == 303 else "Retry")


def indicates_progress(flight: Flight, fields: Members) -> bool:
    for name in ("session_token", "state_token"):
        token = text_field(fields, name)
        is_blank = token.kind == "absent" or (token.kind == "text" and not trimmed(token.text))
        is_echo = (
            name == "state_token"
            and token.kind == "text"
            and flight.in_hand is not None
            and trimmed(token.text) == trimmed(flight.in_hand)
        )
        if not is_blank and not is_echo:
            return True
    return status_text(fields) in flight.stage.client.flow.statuses


def refusal(flight: Flight, fields: Members, code: str, http: Http) -> Failure:
    """Step 5."""
    if indicates_progress(flight, fields):
        return http.unexpected("Contradiction")
    found = text_field(fields, "error_msg")
    message = found.text if found.kind == "text" else ""
    kind = flight.stage.client.flow.class_of(code, message)
    error = {"kind": "refused", "http_status": http.status, "code": code, "class": kind, "message": message}
    error |= hints_of(code, message) | http.retry_after()
    if kind == "dead token":
        return Failure("StartOver", error)
    unclear = kind in ("server failure", "undocumented code") and 500 <= http.status <= 599
    return Failure("Unresolved" if unclear else "Retry", error)


def hints_of(code: str, message: str) -> dict[str, int]:
    if code in WITH_ATTEMPTS:
        _, colon, behind = message.replace("：", ":").rpartition(":")
        runs = re.findall("[0-9]+", behind) if colon else []
        if runs and number_up_to(runs[-1], 4294967295) is not None:
            return {"attempts_left": int(runs[-1].lstrip("0") or "0")}
    if code in WITH_UNLOCK:
        times = [number_up_to(run, U64) for run in re.findall("[0-9]+", message)[:2]]
        if len(times) == 2 and None not in times and times[0] * 60 + times[1] <= U64:  # type: ignore[operator]
            return {"unlocks_in": times[0] * 60 + times[1]}  # type: ignore[operator]
    return {}


def number_up_to(digits: str, limit: int) -> int | None:
    bare = digits.lstrip("0") or "0"
    return int(bare) if len(bare) <= 20 and int(bare) <= limit else None


# --- The readings of step 9 ---


def read_success(flight: Flight, fields: Members | None, text: str, http: Http) -> Result:
    method, stage = flight.row["method"], flight.stage
    if method in ("send_code", "logout") or (method == "submit" and stage.name.endswith("<PasswordReset>")):
        check_empty(fields, text)
        return Result({"gives": {}}, stage) if method == "send_code" else moved(stage.at("Unauthenticated"))
    if fields is None:
        raise Unreadable
    if method == "renew_id_token":
        return moved(read_renewal(flight, fields))
    if not flight.is_side_call:
        return moved(read_step(flight, fields, http))
    gives = read_side_call(flight, fields)
    if method == "captcha":
        return Result({"gives": gives}, stage.at("Captcha", token=gives["token"], picture=gives["picture"]))
    return Result({"gives": gives}, stage)


def read_side_call(flight: Flight, fields: Members) -> dict[str, Any]:
    match flight.row["method"]:
        case "captcha":
            return read_captcha(fields)
        case "solve":
            return {"captcha_token": required_text(fields, "captcha_token"), "sender": flight.inputs["sender"]}
        case "registered_mobile":
            return {"mobile": required_text(fields, "mobile")}
        case "country_codes":
            return read_country_codes(fields)
        case "public_key":
            return {"bits": read_public_key(fields)}
        case "server_date":
            return {"timestamp": read_date(fields)}
    raise RuntimeError("a side call without a reading")


def moved(stage: Stage) -> Result:
    return Result(stage.told(), stage)


def check_empty(fields: Members | None, text: str) -> None:
    if fields is None:
        if trimmed(text) not in ("", "null"):
            raise Unreadable
        return
    for name in (
        "status",
        "session_token",
        "state_token",
        "id_token",
        "mobile",
        "captcha_token",
        "token",
        "public_key",
    ):
        found = text_field(fields, name)
        if found.kind not in ("absent", "text") or trimmed(found.text):
            raise Unreadable
    if any(name in ("timestamp", "phoneAreaCodeDefinitions") for name, _ in fields):
        raise Unreadable


def expires_at(client: Client, expires_in: Decimal | None) -> Decimal | None:
    # The clock is taken to show 64-bit seconds.
    at = None if expires_in is None else client.now + expires_in
    return at if at is not None and at < 2**63 else None


def read_step(flight: Flight, fields: Members, http: Http) -> Stage:
    stage, status = flight.stage, plain_text(fields, "status")
    if status is None:
        raise http.unexpected("NoStatus")
    statuses = stage.client.flow.statuses
    if status not in statuses:
        raise http.unexpected("UnknownStatus", status=status)
    name = statuses[status]
    if name == "Authenticated":
        token = header_token(fields, "session_token")
        if token is None:
            raise http.unexpected("NoSessionToken")
        expires_in = time_of(any_field(fields, "expire"))
        id_token = plain_or_none(fields, "id_token")
        at = expires_at(stage.client, expires_in)
        return stage.at(name, session_token=token, expires_in=expires_in, expires_at=at, id_token=id_token)
    token = header_token(fields, "state_token") or flight.in_hand
    if token is None:
        raise http.unexpected("NoStateToken")
    then = stage.at(name, state_token=token, **read_data(name, data_text(fields)))
    # The first step decides on the origin; the steps that follow keep it.
    then.origin = stage.origin if flight.in_hand else flight.row["request"]["origin"] or stage.origin
    return then


def read_renewal(flight: Flight, fields: Members) -> Stage:
    stage, token = flight.stage, header_token(fields, "session_token")
    id_token = plain_or_none(fields, "id_token")
    if id_token is None:
        status = text_field(fields, "status")
        if token is None or status.kind not in ("absent", "text") or trimmed(status.text):
            raise Unreadable
    before = stage.holds["session_token"]
    expires_in = time_of(any_field(fields, "expire"))
    at = expires_at(stage.client, expires_in)
    if expires_in is None and token in (None, before):
        at = stage.holds.get("expires_at")
    return stage.at(
        "Authenticated", session_token=token or before, expires_in=expires_in, expires_at=at, id_token=id_token
    )


def read_picture(fields: Members, name: str) -> str | None:
    text = plain_text(fields, name)
    if text is None:
        return None
    if text.startswith("data:") and ";base64," in text:
        text = text.split(";base64,", 1)[1]
    text = "".join(char for char in text if char not in WHITE_SPACE)
    return base64.b64encode(from_base64(text)).decode()


def read_captcha(fields: Members) -> dict[str, Any]:
    raw, words = any_field(fields, "wordList"), []
    if raw is not None and raw.startswith("["):
        words = [scalar_field(item) if item.startswith('"') else Field("unreadable") for item in items(raw)]
    all_texts = all(word.kind == "text" for word in words)
    return {
        "token": required_text(fields, "token"),
        "picture": read_picture(fields, "originalImageBase64"),
        "piece": read_picture(fields, "jigsawImageBase64"),
        "secret_key": plain_or_none(fields, "secretKey"),
        "words": [word.text for word in words] if all_texts else [],
    }


def short_value(raw: str | None, limit: int = 256) -> str | None:
    found = Field("absent") if raw is None or size(raw) > 6 * limit + 2 else scalar_field(raw)
    if found.kind == "number":
        return None if found.text.startswith("-") else found.text
    text = trimmed(found.text) if found.kind == "text" else ""
    return text if 1 <= size(text) <= limit else None


def read_country(raw: str) -> dict[str, Any] | None:
    found = object_of(raw)
    known = ("areaCode", "countryCode", "mobileRegex", "displayMapping", "areaCodeSuffixes")
    names = [name for name, _ in found or []]
    if found is None or any(names.count(name) > 1 for name in known):
        return None
    entry = dict(found)
    shown = {}
    if names_by_language := object_of(entry.get("displayMapping", "")):
        values = {name: short_value(value) for name, value in dict(names_by_language).items() if size(name) <= 256}
        shown = dict(sorted((name, value) for name, value in values.items() if value is not None)[:32])
    suffixes = entry.get("areaCodeSuffixes", "null")
    parts = list(items(suffixes))[:32] if suffixes.startswith("[") else [suffixes]
    return {
        "area_code": short_value(entry.get("areaCode")),
        "country_code": short_value(entry.get("countryCode")),
        "mobile_regex": short_value(entry.get("mobileRegex"), 1024),
        "display_names": shown,
        "area_code_suffixes": [text for text in map(short_value, parts) if text is not None],
    }


def read_country_codes(fields: Members) -> dict[str, Any]:
    raw = any_field(fields, "phoneAreaCodeDefinitions")
    if raw is None or not raw.startswith("["):
        raise Unreadable
    entries = [read_country(item) for item in list(items(raw))[:512]]
    preferred = plain_or_none(fields, "preferredAreaCode")
    return {
        "entries": [entry for entry in entries if entry is not None],
        "preferred_country": preferred if preferred and size(preferred) <= 256 else None,
    }


def read_public_key(fields: Members) -> int:
    text = required_text(fields, "public_key")
    if size(text) > 4096:
        raise Unreadable
    block = re.search(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", text, re.DOTALL)
    if not block:
        raise Unreadable
    bare = re.sub(r"[ \t\n\f\r]|\\n|\\r", "", block[1])
    if len(bare) % 4:
        raise Unreadable
    der = from_base64(bare)
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise Unreadable from None
    # The other algorithms that give an RSA key, such as RSASSA-PSS, have another identifier.
    is_plain = bytes.fromhex("06092a864886f70d010101") in der[:32]
    if (
        not isinstance(key, rsa.RSAPublicKey)
        or not is_plain
        or not is_rsa_good(key.public_numbers().n, key.public_numbers().e)
    ):
        raise Unreadable
    return key.key_size


def is_rsa_good(modulus: int, exponent: int) -> bool:
    return 2048 <= modulus.bit_length() <= 8192 and modulus % 2 == 1 and exponent % 2 == 1 and 3 <= exponent < 2**33


def read_date(fields: Members) -> str:
    value = time_of(any_field(fields, "timestamp"))
    if value is None or not 1 <= int(value) <= 99999999999999:
        raise Unreadable
    return str(int(value))


# --- Identity tokens ---


@dataclass(frozen=True)
class TokenError(Exception):
    error: str
    detail: str | None = None

    def told(self) -> dict[str, str]:
        return {"error": self.error} | ({"detail": self.detail} if self.detail else {})


HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")
CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48)}
TEXT_CLAIMS = ("iss", "sub", "azp", "jti", "id", "userName", "name", "mobile", "email")
TIME_CLAIMS = ("exp", "iat", "nbf")
USER_CLAIMS = ("id", "userName", "name", "mobile", "email")


def from_base64url(text: str) -> bytes | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return value if base64.urlsafe_b64encode(value).decode().rstrip("=") == text else None


def once(raw: bytes, detail: str) -> dict[str, str]:
    """The members of a part of the token, none of them twice."""
    try:
        text = raw.decode("utf-8")
        found = object_of(text) if is_sound(text) else None
    except UnicodeDecodeError:
        found = None
    if found is None or len(found) > 128 or len({name for name, _ in found}) != len(found):
        raise TokenError("Malformed", detail)
    return dict(found)


def verify_token(token: str, keys: str, settings: dict[str, Any]) -> dict[str, Any]:
    if size(token) > 65536:
        raise TokenError("TooLarge")
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenError("Malformed", "NotThreeParts")
    header_bytes, signature = from_base64url(parts[0]), from_base64url(parts[2])
    if header_bytes is None:
        raise TokenError("Malformed", "HeaderBase64")
    header = read_header(header_bytes)
    check_header_of_token(header, settings)
    if signature is None:
        raise TokenError("Malformed", "SignatureBase64")
    if header.get("typ") is not None and header["typ"].lower() not in ("jwt", "application/jwt"):
        raise TokenError("WrongType")
    verify_signature(header, f"{parts[0]}.{parts[1]}".encode(), signature, keys)
    payload = from_base64url(parts[1])
    if payload is None:
        raise TokenError("Malformed", "PayloadBase64")
    claims, everything = read_payload(payload)
    check_claims(claims, settings)
    return told_claims(claims, everything)


def read_header(raw: bytes) -> dict[str, Any]:
    found = once(raw, "Header")
    header: dict[str, Any] = {"crit": found.get("crit")}
    for name in ("alg", "kid", "typ", "cty"):
        value = scalar_field(found[name]) if name in found else None
        if value and (value.kind != "text"):
            raise TokenError("Malformed", "Header")
        header[name] = value.text if value else None
    if found.get("b64", "true") not in ("true", "false") or header["alg"] is None:
        raise TokenError("Malformed", "Header")
    header["b64"] = found.get("b64", "true") == "true"
    return header


def check_header_of_token(header: dict[str, Any], settings: dict[str, Any]) -> None:
    if header["alg"] not in ["RS256", *settings["more_algorithms"]]:
        raise TokenError("AlgorithmNotAllowed")
    if not header["b64"]:
        raise TokenError("UnencodedPayload")
    if header["crit"] is not None:
        raise TokenError("CriticalExtension")
    if (header["cty"] or "").lower() in ("jwt", "application/jwt"):
        raise TokenError("Nested")


@dataclass(frozen=True)
class Key:
    name: str | None
    algorithm: str | None = None
    kind: str | None = None  # RSA, P-256 or P-384; none if the key is refused
    public: Any = None
    cost: int = 0


def read_keys(text: str) -> list[Key]:
    raw = any_field(object_of(text) or [], "keys")
    if raw is None or not raw.startswith("["):
        raise TokenError("KeySet")
    found = [read_key(item) for item in list(items(raw))[:64]]
    return [key for key in found if key is not None]


def read_key(raw: str) -> Key | None:
    found = object_of(raw) if is_sound(raw) else None
    if found is None or len({name for name, _ in found}) != len(found):
        return None
    item = {name: value for name, value in found if value != "null"}
    texts: dict[str, str] = {}
    for name in ("kty", "kid", "use", "alg", "crv", "n", "e", "x", "y"):
        value = scalar_field(item[name]) if name in item else Field("absent")
        if value.kind not in ("text", "absent"):
            return None
        if value.kind == "text":
            texts[name] = value.text
    operations = item.get("key_ops")
    if "kty" not in texts or (operations is not None and not operations.startswith("[")):
        return None
    refused = Key(texts.get("kid"))
    verifies = operations is None or any(
        part.startswith('"') and unescape(part) == "verify" for part in items(operations)
    )
    if texts.get("use", "sig") != "sig" or not verifies or texts.get("alg", "RS256") not in ALGORITHMS:
        return refused
    good = rsa_key(texts) if texts["kty"] == "RSA" else ec_key(texts) if texts["kty"] == "EC" else None
    return good or refused


def number_of(text: str | None) -> int | None:
    value = from_base64url(text) if text else None
    return None if value is None else int.from_bytes(value, "big")


def rsa_key(texts: dict[str, str]) -> Key | None:
    modulus, exponent = number_of(texts.get("n")), number_of(texts.get("e"))
    if modulus is None or exponent is None or not is_rsa_good(modulus, exponent):
        return None
    units = (modulus.bit_length() + 1023) // 1024
    cost = units**2 * (8 * ((exponent.bit_length() + 7) // 8) + exponent.bit_count())
    return Key(texts.get("kid"), texts.get("alg"), "RSA", rsa.RSAPublicNumbers(exponent, modulus).public_key(), cost)


def ec_key(texts: dict[str, str]) -> Key | None:
    curve, length = CURVES.get(texts.get("crv", ""), (None, 0))
    point = [from_base64url(texts.get(name, "")) for name in ("x", "y")]
    if curve is None or any(part is None or len(part) != length for part in point):
        return None
    x, y = (int.from_bytes(part or b"", "big") for part in point)
    try:
        public = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError:
        return None
    return Key(texts.get("kid"), texts.get("alg"), texts["crv"], public, {"P-256": 400, "P-384": 3000}[texts["crv"]])


def verify_signature(header: dict[str, Any], signed: bytes, signature: bytes, keys: str) -> None:
    algorithm = header["alg"]
    wanted = {"ES256": "P-256", "ES384": "P-384"}.get(algorithm, "RSA")
    spent, tried, unsuitable = 0, False, False
    for key in read_keys(keys):
        if header["kid"] is not None and key.name != header["kid"]:
            continue
        if key.kind != wanted or key.algorithm not in (None, algorithm):
            unsuitable = True
            continue
        spent += key.cost
        if spent > 8000:
            raise TokenError("TooManyKeys")
        tried = True
        if is_signature(key, algorithm, signed, signature):
            return
    raise TokenError("BadSignature" if tried else "UnsuitableKey" if unsuitable else "UnknownKey")


def is_signature(key: Key, algorithm: str, signed: bytes, signature: bytes) -> bool:
    digest = HASHES[algorithm[2:]]
    try:
        if algorithm.startswith("ES"):
            length = CURVES[key.kind or ""][1]
            if len(signature) != 2 * length:
                return False
            r, s = int.from_bytes(signature[:length], "big"), int.from_bytes(signature[length:], "big")
            key.public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        elif algorithm.startswith("PS"):
            key.public.verify(signature, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            key.public.verify(signature, signed, padding.PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True


def is_sound(text: str) -> bool:
    """No string with half of a pair, no number beyond a 64-bit float, not too deep."""
    value = whole(text)
    if value is None or value[1] > 127 or any(has_half(unescape(found)) for found in STRING.findall(text)):
        return False
    numbers = re.findall(r"-?[0-9][0-9.eE+-]*", STRING.sub("", text))
    return all(abs(float(number)) != float("inf") for number in numbers)


def read_payload(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    found = once(raw, "Payload")
    everything = {name: json.loads(value) for name, value in found.items()}
    claims: dict[str, Any] = {}
    for name in (*TEXT_CLAIMS, *TIME_CLAIMS, "aud"):
        value = everything.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_texts = isinstance(value, list) and len(value) <= 64 and all(isinstance(item, str) for item in value)
        right = is_number if name in TIME_CLAIMS else isinstance(value, str) or (name == "aud" and is_texts)
        if value is not None and not right:
            raise TokenError("Malformed", "Payload")
        claims[name] = value
    claims["aud"] = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    claims["user"] = user_data(claims, found.get("api"))
    return claims, everything


def user_data(claims: dict[str, Any], api: str | None) -> dict[str, str | None]:
    inner = from_api(api) if api is not None and api.startswith('"') and size(api) <= 8192 else {}
    return {name: claims[name] or inner.get(name) or None for name in USER_CLAIMS}


def from_api(api: str) -> dict[str, str]:
    try:
        found = once(unescape(api).encode(), "api")
    except TokenError:
        return {}
    values = {name: scalar_field(raw) for name, raw in found.items() if name in USER_CLAIMS and raw != "null"}
    if any(value.kind != "text" for value in values.values()):
        return {}
    return {name: value.text for name, value in values.items()}


def check_claims(claims: dict[str, Any], settings: dict[str, Any]) -> None:
    now, leeway, client_id = float(settings["now"]), float(settings["leeway"]), settings["client_id"]

    def need(name: str) -> Any:
        if claims[name] is None:
            raise TokenError("MissingClaim", name)
        return claims[name]

    if need("iss") != settings["issuer"] and settings["issuer"] is not None:
        raise TokenError("WrongIssuer")
    audience = need("aud")
    if not audience:
        raise TokenError("MissingClaim", "aud")
    if client_id not in audience or not set(audience) <= {client_id, *settings["trusted_audiences"]}:
        raise TokenError("WrongAudience")
    if len(audience) > 1:
        need("azp")
    if claims["azp"] not in (None, client_id):
        raise TokenError("WrongAuthorizedParty")
    if not now < float(need("exp")) + leeway:
        raise TokenError("Expired")
    if float(need("iat")) > now + leeway:
        raise TokenError("IssuedInTheFuture")
    if claims["nbf"] is not None and float(claims["nbf"]) > now + leeway:
        raise TokenError("NotYetValid")
    if not need("sub"):
        raise TokenError("MissingClaim", "sub")


def told_time(value: int | float | None) -> str | None:
    if value is None or not 0 <= float(value) < 2.0**64:
        return None
    return decimal_text(nanoseconds(float(value)))


def told_claims(claims: dict[str, Any], everything: dict[str, Any]) -> dict[str, Any]:
    user = claims["user"]
    known = {*TEXT_CLAIMS, *TIME_CLAIMS, "aud"}
    return {
        "issuer": claims["iss"],
        "subject": claims["sub"],
        "audience": claims["aud"],
        "authorized_party": claims["azp"],
        "expires_at": told_time(claims["exp"]),
        "issued_at": told_time(claims["iat"]),
        "not_before": told_time(claims["nbf"]),
        "token_id": claims["jti"],
        "id": user["id"],
        "user_name": user["userName"],
        "name": user["name"],
        "mobile": user["mobile"],
        "email": user["email"],
        "extra": {name: value for name, value in everything.items() if name not in known},
    }


# --- The runner ---

Vector = dict[str, Any]
Pair = tuple[Any, Any]  # what the model made, and what the vector says


@dataclass
class Files:
    flow: Flow
    data: dict[str, Any]

    def laid_over(self, name: str, own: dict[str, Any] | None) -> dict[str, Any]:
        both = self.data["defaults"][name] | (own or {})
        return {key: value for key, value in both.items() if value is not None}

    def start(self, vector: Vector) -> Stage:
        settings = self.laid_over("client", vector.get("client"))
        client = Client(self.flow, settings, self.data["defaults"]["now"], self.data["signing"]["public_key"])
        return make_stage(client, make_device(self.laid_over("device", vector.get("device"))), vector["from"])

    def seen(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request as a vector tells it: the signature in clear, the body with the order of its members."""
        request = dict(request, headers=dict(request["headers"]))
        request["body"] = json.loads(request["body"], object_pairs_hook=list) if request["body"] else ""
        signature = request["headers"].pop("x-signature", None)
        if signature is not None:
            key = serialization.load_der_private_key(base64.b64decode(self.data["signing"]["private_key_pkcs8"]), None)
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            request["signature"] = key.decrypt(base64.b64decode(signature), oaep).decode()  # type: ignore[union-attr]
        return request


def without_reason(error: dict[str, Any]) -> dict[str, Any]:
    """The reason of an input that was refused is for people."""
    return (
        error if error["kind"] == "unexpected" else {name: value for name, value in error.items() if name != "reason"}
    )


def expected(then: dict[str, Any]) -> dict[str, Any]:
    return then | {"error": without_reason(then["error"])} if "error" in then else then


def run_request(files: Files, vector: Vector) -> Pair:
    flight = take(files.start(vector), vector["step"], vector.get("inputs", {}))
    made = files.seen(flight.request) if isinstance(flight, Flight) else flight.told()
    wanted = dict(vector["request"])
    wanted["body"] = json.loads(wanted["body"], object_pairs_hook=list) if wanted["body"] else ""
    return made, wanted


def run_refused(files: Files, vector: Vector) -> Pair:
    wanted = without_reason(vector["refused"])
    try:
        take(files.start(vector), vector["step"], vector.get("inputs", {}))
    except Refused as refused:
        return refused.told(), wanted
    return "nothing was refused", wanted


def run_response(files: Files, vector: Vector) -> Pair:
    reading = files.data["readings"][vector["reading"]]
    flight = take(files.start(reading), reading["step"], reading.get("inputs", {}))
    assert isinstance(flight, Flight)
    return receive(flight, vector["response"]).then, expected(vector["then"])


def run_chain(files: Files, vector: Vector) -> Pair:
    held: Stage | Unresolved = files.start(vector)
    made, wanted = [], []
    for link in vector["links"]:
        request, result = run_link(files, held, link)
        held = result.next
        made.append({"request": request, "then": result.then})
        own = link.get("request")
        if own:
            own = dict(own, body=json.loads(own["body"], object_pairs_hook=list) if own["body"] else "")
        wanted.append({"request": own, "then": expected(link["then"])})
    return made, wanted


def run_link(files: Files, held: Stage | Unresolved, link: dict[str, Any]) -> tuple[Any, Result]:
    step, inputs = link["step"], link.get("inputs", {})
    if isinstance(held, Unresolved):
        return None, moved(held.take(step))
    if step == "captcha" and held.name != "Client":
        held = held.at("Client")
    try:
        taken = take(held, step, inputs)
    except Refused as refused:
        return None, refused_link(held, step, refused)
    if isinstance(taken, Stage):
        return None, moved(taken)
    return files.seen(taken.request), receive(taken, link["response"])


def refused_link(held: Stage, step: str, refused: Refused) -> Result:
    row = held.client.flow.rows[held.name, step]
    if refused.kind == "not allowed":
        return Result({"error": refused.told(), "stage": held.name}, held)
    return failed(held, row["kind"] == "side call", Failure("Retry", refused.told()))


def run_token(files: Files, vector: Vector) -> Pair:
    settings = files.data["defaults"] | vector
    keys = vector["key_set_text"] if "key_set_text" in vector else json.dumps(files.data["key_sets"][vector["key_set"]])
    try:
        return {"claims": verify_token(vector["token"], keys, settings)}, vector["then"]
    except TokenError as error:
        return error.told(), vector["then"]


RUNNERS = {
    "requests": run_request,
    "refused-inputs": run_refused,
    "responses": run_response,
    "chains": run_chain,
    "id-tokens": run_token,
}


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return text if len(text) <= 1500 else text[:1500] + " ..."


def run_vector(name: str, files: Files, vector: Vector) -> str | None:
    """What is different, or nothing."""
    try:
        made, wanted = RUNNERS[name](files, vector)
    except Exception as error:  # one vector that fails must not end the run
        return f"the model failed: {error!r}"
    # Compared as text: for Python `1 == 1.0` and `True == 1`.
    same = json.dumps(made, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    return None if same else f"made   {short(made)}\n  wanted {short(wanted)}"


def run_file(name: str, folder: Path, flow: Flow, only: str | None) -> tuple[int, int]:
    files = Files(flow, json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    vectors = [vector for vector in files.data["vectors"] if only in (None, vector["id"])]
    passed = 0
    for vector in vectors:
        difference = run_vector(name, files, vector)
        passed += difference is None
        if difference:
            print(f"FAILED {name}: {vector['id']}\n  {difference}")
    print(f"{name}: {passed} of {len(vectors)} passed")
    return passed, len(vectors)


def main() -> int:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Runs the conformance vectors against a model of the client.")
    parser.add_argument("--folder", type=Path, default=here.parent / "conformance")
    parser.add_argument("--docs", type=Path, default=here.parent / "docs")
    parser.add_argument("--only", metavar="ID", help="the id of one vector")
    options = parser.parse_args()
    flow = Flow(options.docs / "flow.json")
    counts = [run_file(name, options.folder, flow, options.only) for name in RUNNERS]
    total = sum(count for _, count in counts)
    if total == 0:
        print("no vector has this id")
    return 0 if total and all(passed == count for passed, count in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
