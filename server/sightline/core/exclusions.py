"""What is left out: what ignore files say, and by default secrets, dependencies, output, noise and binary data."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal[
    "ignored", "excluded", "secret", "generated", "tooLarge", "binary",
    "link", "special", "notUtf8Name", "unreadable", "vanished", "failed",
]  # fmt: skip
"""Why a file is not indexed; also the outcome that the index stores for it."""

HEAD_BYTES: Final = 8192
"""How much of a file's beginning tells binary data and private keys (git looks at 8,000 bytes)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERSION_CONTROL = frozenset((".git", ".hg", ".svn", ".jj", ".bzr"))
_SECRET_FOLDERS = _words(".aws .ssh .gnupg .password-store .env .envs .secrets")
_SECRET_NAMES = _words(
    ".netrc _netrc .pgpass pgpass.conf .npmrc .pypirc .git-credentials .dockercfg .htpasswd .my.cnf .s3cfg .boto"
    " .vault-token .terraformrc credentials"
)
_SECRET_PATHS = frozenset(((".docker", "config.json"), (".kube", "config")))
_SECRET_ENDINGS = (
    ".pem", ".key", ".p8", ".p12", ".pfx", ".ppk", ".jks", ".keystore", ".kdb", ".kdbx",
    ".env", ".tfstate", ".tfstate.backup",
)  # fmt: skip
_HARMLESS_ENV = re.compile(
    r"(?:.*[._-])?(?:example|sample|template|dist)\.env|\.env[._-].*(?:example|sample|template|dist)"
)
_ENV = re.compile(r"\.env(?:rc|[._-].*)?")
_SSH_KEY = re.compile(r"(?:.*[._-])?id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[._-](?!pub$).*)?")
_NAMED_SECRET = re.compile(
    r"(?:credentials?|secrets?)(?:\..*)?\.(?:json|ya?ml|toml|ini|cfg|conf|properties|xml|csv|enc|bak|db)"
    r"|client_secret.*\.json|.*service[_-]?accounts?(?:[_-].*)?\.json"
)
_BACKUP = re.compile(r"(?:[~#]|\.(?:bak|old|orig|save|swp|tmp))+$")
_CODE_ENDINGS = re.compile(
    r".*\.(?:py|pyi|js|jsx|mjs|cjs|ts|tsx|go|rs|java|kt|kts|scala|c|h|cc|cpp|hpp|cs|rb|php|swift|lua|exs?|erl|hs|ml|"
    r"sh|bash|ps1|zig|dart|sql|html?|css|md|rst|tf|vue|svelte)"
)

_FOLDERS = _words(
    "node_modules bower_components jspm_packages site-packages dist-packages .venv .virtualenv .tox .nox .eggs"
    " __pycache__ __pypackages__ .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints htmlcov"
    " .gradle .m2 .ivy2 .bsp .metals .bloop .stack-work dist-newstyle elm-stuff .dart_tool .pub-cache .bundle"
    " .next .nuxt .output .svelte-kit .angular .turbo .parcel-cache .nyc_output .sass-cache .yarn .pnpm-store"
    " .terraform .serverless .vagrant .direnv .cache .zig-cache zig-cache zig-out deriveddata xcuserdata"
)
_FOLDER_ENDINGS = (".egg-info", ".dist-info", ".xcassets", ".xcworkspace", ".xcodeproj", ".dsym")
_OUTPUT_BESIDE: Final[dict[str, tuple[str, ...]]] = {
    "target": ("cargo.toml", "pom.xml", "build.sbt", "project.clj"),
    "build": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "pubspec.yaml"),
    "dist": ("package.json", "pyproject.toml", "setup.py"),
    "coverage": ("package.json",),
    "bin": (".csproj", ".fsproj", ".vbproj"),
    "obj": (".csproj", ".fsproj", ".vbproj"),
    ".build": ("package.swift",),
    "pods": ("podfile",),
    "_build": ("mix.exs", "rebar.config", "dune-project", "conf.py"),
    "_site": ("_config.yml",),
}
"""A folder of such a name is output only where a neighbour's name ends so: many projects keep sources in `build`."""
_OUTPUT_INSIDE = (
    ("pyvenv.cfg", "a virtual environment"),
    ("conda-meta", "a conda environment"),
    ("cachedir.tag", "a cache (CACHEDIR.TAG)"),
)

_LOCK_FILES = _words(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock uv.lock"
    " pdm.lock pipfile.lock pixi.lock conda-lock.yml cargo.lock go.sum go.work.sum gemfile.lock composer.lock"
    " symfony.lock mix.lock rebar.lock pubspec.lock podfile.lock package.resolved cartfile.resolved flake.lock"
    " packages.lock.json paket.lock project.assets.json gradle.lockfile buildscript-gradle.lockfile shard.lock"
    " stack.yaml.lock cabal.project.freeze module.bazel.lock .terraform.lock.hcl .pnp.cjs .pnp.loader.mjs"
)
_SYSTEM_FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_MINIFIED = (
    ".min.js", ".min.mjs", ".min.cjs", ".min.css", ".js.map", ".mjs.map", ".cjs.map", ".css.map", ".ts.map",
)  # fmt: skip
_ENDINGS: Final[dict[str, str]] = {
    ending: kind
    for kind, endings in {
        "an image": "png jpg jpeg gif webp ico icns bmp tif tiff heic avif svg psd ai eps xcf",
        "audio or video": "mp3 wav ogg flac m4a aac mid midi mp4 m4v mov avi mkv webm wmv flv mpg mpeg",
        "a font": "ttf otf woff woff2 eot",
        "an archive": "zip tar gz tgz bz2 tbz xz txz zst lz4 7z rar jar war ear aar whl egg gem deb rpm dmg iso apk"
        " ipa aab nupkg cab msi",
        "compiled": "exe dll so dylib a o obj pyc pyo pyd class wasm pdb ilk ko elc beam hi rlib rmeta",
        "a document": "pdf doc docx xls xlsx ppt pptx odt ods odp rtf epub mobi",
        "a data set": "csv tsv jsonl ndjson parquet arrow feather h5 hdf5 npy npz pkl pickle joblib onnx"
        " safetensors gguf ckpt tflite rds rdata sas7bdat sqlite sqlite3 mdb lmdb",
    }.items()
    for ending in endings.split()
}

_ARMOUR = (b"-----BEGIN ", b"PuTTY-User-Key-File-")
_PRIVATE_KEY = re.compile(rb"^(?:-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-)", re.MULTILINE)
_SERVICE_ACCOUNT = re.compile(rb'"private_key"\s*:\s*"-----BEGIN')
_WIDE_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
)  # fmt: skip
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r\x08\x1b")) + b"\x7f"
_GENERATED_BYTES, _GENERATED_LINES = 2048, 30
_GENERATED = re.compile(
    rb"^[ \t]*(?://+|\#+|/\*+|\*|--|;+|%+|<!--|\(\*|\{-|\"\"\"|''')[!* \t=-]*"
    rb"(?:@generated\b|<auto-?generated\b|this file is automatically @generated\b"
    rb"|(?:(?:this|the following) (?:file|code|source|class) |file |code )?(?:(?:is|was|has been) )?"
    rb"(?:auto(?:matically)?[- ]?)?generated\b[^\n]*(?:\n[^\n]*)?\bdo not (?:edit|modify|change)\b"
    rb"|do not (?:edit|modify|change)\b[^\n]*\b(?:auto-?)?generated\b)",
    re.IGNORECASE | re.MULTILINE,
)


def forbidden(name: str, parent: str, *, is_folder: bool) -> Reason | None:
    """Why a name is never indexed, whatever the settings say; `parent` is the name of the folder around it."""
    low = name.lower()
    if low in _VERSION_CONTROL:
        return "excluded"
    if is_folder:
        return "secret" if low in _SECRET_FOLDERS else None
    return "secret" if _is_secret(_BACKUP.sub("", low), parent.lower()) else None


def _is_secret(low: str, parent: str) -> bool:
    if low in _SECRET_NAMES or (parent, low) in _SECRET_PATHS:
        return True
    if _ENV.fullmatch(low) or low.endswith(_SECRET_ENDINGS):
        return not _HARMLESS_ENV.fullmatch(low)
    if not ("id_" in low or "secret" in low or "credential" in low or "account" in low):
        return False
    if _CODE_ENDINGS.fullmatch(low):
        return False
    return bool(_SSH_KEY.fullmatch(low) or _NAMED_SECRET.fullmatch(low))


def excluded_folder(name: str, beside: Collection[str]) -> str:
    """Why a folder is left out by default ("" if it is not), judged by its name and by what lies beside it."""
    low = name.lower()
    if low in _FOLDERS or low.endswith(_FOLDER_ENDINGS) or low.startswith("cmake-build-"):
        return "dependencies, caches or build output"
    marks = _OUTPUT_BESIDE.get(low)
    if marks:
        mark = next((other for other in sorted(beside) if _is_mark(other.lower(), marks)), None)
        return f"build output beside {mark}" if mark else ""
    return ""


def _is_mark(low: str, marks: tuple[str, ...]) -> bool:
    return low in marks or "." + low.rpartition(".")[2] in marks


def excluded_content(inside: Collection[str]) -> str:
    """Why a folder is left out by default ("" if it is not), judged by the names that it holds."""
    low = {name.lower() for name in inside}
    if "cmakecache.txt" in low and "cmakelists.txt" not in low:
        return "a CMake build"
    return next((kind for mark, kind in _OUTPUT_INSIDE if mark in low), "")


def excluded_file(name: str) -> str:
    """What kind of noise a file is by its name, "" if it is none."""
    low = name.lower()
    if low in _LOCK_FILES:
        return "a lock file"
    if low.endswith(_MINIFIED):
        return "minified, or a source map"
    if low in _SYSTEM_FILES:
        return "the file manager's"
    return _ENDINGS.get(low.rpartition(".")[2], "") if "." in low else ""


def binary(data: bytes) -> str:
    """What makes data no text ("" if it is text). UTF-16 and UTF-32 count as binary: chunks are bytes of UTF-8."""
    head = data[:HEAD_BYTES]
    wide = next((name for mark, name in _WIDE_MARKS if head.startswith(mark)), "")
    if wide:
        return f"{wide} text; saved as UTF-8 it would be indexed"
    if b"\0" in head:
        return "it holds zero bytes"
    # Compressed data without a zero byte has 10 % control characters; text has next to none.
    controls = len(head) - len(head.translate(None, _CONTROL))
    return "it holds control characters" if controls * 20 > len(head) else ""


def secret_text(data: bytes) -> bool:
    """Whether a file is armoured text (certificates, keys) or a JSON object that holds a private key."""
    start = data[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_ARMOUR):
        return bool(_PRIVATE_KEY.search(data))
    return start.startswith(b"{") and bool(_SERVICE_ACCOUNT.search(start))


def generated(data: bytes) -> bool:
    """Whether a comment near the beginning says that the file is generated and not to be edited."""
    head = b"\n".join(data[:_GENERATED_BYTES].split(b"\n")[:_GENERATED_LINES])
    return bool(_GENERATED.search(head))


@dataclass(frozen=True, slots=True)
class Line:
    """A pattern of an ignore file; `label` tells where it stands."""

    label: str
    negated: bool
    folders_only: bool
    by_name: bool
    regex: re.Pattern[bytes]


class IgnoreFile:
    """The patterns of one ignore file, which mean exactly what they mean to git (its wildmatch.c and dir.c)."""

    def __init__(self, text: bytes, label: str, *, cut: int = 0, prefix: bytes = b"", fold: bool = False) -> None:
        """The file's folder is the first `cut` bytes of each path, or `prefix` leads from it down to the root."""
        self._cut, self._prefix = cut, prefix
        lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        parsed = [_parse(line, f"{label}:{number}", fold) for number, line in enumerate(lines, 1)]
        self._lines = tuple(line for line in reversed(parsed) if line)
        self._any_name = _union((line for line in self._lines if line.by_name), fold)
        self._any_path = _union((line for line in self._lines if not line.by_name), fold)

    def match(self, path: bytes, name: bytes, is_folder: bool) -> Line | None:
        """The last line that matches this entry itself: whether a folder above it is left out is not asked."""
        path = self._prefix + path[self._cut :]
        if not (self._any_name(name) or self._any_path(path)):
            return None
        for line in self._lines:
            if (is_folder or not line.folders_only) and line.regex.fullmatch(name if line.by_name else path):
                return line
        return None


_Matches = Callable[[bytes], object]


def _union(lines: Iterable[Line], fold: bool) -> _Matches:
    """Whether any of the lines can match: one regular expression, since nearly all names match none."""
    regexes = [line.regex.pattern for line in lines]
    return _compile(b"|".join(regexes), fold).fullmatch if regexes else lambda _: None


def _compile(regex: bytes, fold: bool) -> re.Pattern[bytes]:
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if fold else re.NOFLAG))


def _parse(raw: bytes, label: str, fold: bool) -> Line | None:
    text = _trimmed(raw.removesuffix(b"\r"))
    negated = text.startswith(b"!")
    body = text[negated:]
    folders_only = body.endswith(b"/")
    body = body[: len(body) - folders_only]
    by_name = b"/" not in body
    regex = b"" if text.startswith(b"#") else _translate(body.removeprefix(b"/"), by_name)
    if not regex:
        return None
    shown = text.decode("utf-8", "replace")
    return Line(f"{label}: {shown}", negated, folders_only, by_name, _compile(regex, fold))


def _trimmed(text: bytes) -> bytes:
    """Without the spaces at the end that no backslash protects."""
    bare = text.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return bare + b" " if slashes % 2 and bare != text else bare


_SLASH, _STAR, _ANY, _FOLDERS_DEEP = b"/", b"[^/]*", b".*", b"(?:.*/)?"
_FIRST_MATCH = {_STAR: b"[^/]*?", _ANY: b".*?", _FOLDERS_DEEP: b"(?:.*?/)??"}
_CLASS = re.compile(rb"\[:([^\]]*):\]")
_CLASSES: Final[dict[bytes, bytes]] = {
    b"alnum": rb"[0-9A-Za-z]", b"alpha": rb"[A-Za-z]", b"blank": rb"[ \t]", b"cntrl": rb"[\0-\x1f\x7f]",
    b"digit": rb"[0-9]", b"graph": rb"[!-~]", b"lower": rb"[a-z]", b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]", b"space": rb"[ \t-\r]", b"upper": rb"[A-Z]", b"xdigit": rb"[0-9A-Fa-f]",
}  # fmt: skip


def _translate(body: bytes, by_name: bool) -> bytes:
    """A regular expression for a pattern, empty where it can match nothing."""
    tokens: list[bytes] = []
    i = 0
    while i < len(body):
        token, i = _token(body, i, by_name)
        if not token:
            return b""
        tokens.append(token)
    groups = _split(tokens, (_ANY, _FOLDERS_DEEP))
    return _chained([(wildcard, _SLASH.join(_names(group))) for wildcard, group in groups])


def _token(body: bytes, i: int, by_name: bool) -> tuple[bytes, int]:
    """The expression for what stands at `i`, and where it ends; an empty one can match nothing."""
    char = body[i : i + 1]
    if char == b"*":
        end = len(body) - len(body[i:].lstrip(b"*"))
        return (_STAR, end) if by_name or end - i == 1 else _stars(body, i, end)
    if char == b"[":
        return _bracket(body, i + 1)
    if char == b"\\":
        return re.escape(body[i + 1 : i + 2]), i + 2
    return (b"[^/]" if char == b"?" else re.escape(char)), i + 1


def _stars(body: bytes, i: int, end: int) -> tuple[bytes, int]:
    """`**` spans folders as a whole name, and by a quirk of git's also as a pattern's first wildcard (`a**/b`)."""
    if body[i - 1 : i] != b"/" and re.search(rb"[*?\[\\]", body[:i]):
        return _STAR, end
    if body[end : end + 1] == b"/":
        return _FOLDERS_DEEP, end + 1
    return (_ANY if end == len(body) or body[end : end + 2] == rb"\/" else _STAR), end


def _bracket(body: bytes, i: int) -> tuple[bytes, int]:
    negated = body[i : i + 1] in (b"!", b"^")
    start = i = i + negated
    members: set[int] = set()
    previous = 0
    while i == start or body[i : i + 1] != b"]":
        if known := _CLASS.match(body, i):
            regex = re.compile(_CLASSES.get(known[1], b"(?!)"))
            members.update(byte for byte in range(256) if regex.match(bytes((byte,))))
            previous, i = 0, known.end()
            if known[1] not in _CLASSES:
                return b"", i
            continue
        is_range = bool(previous) and body[i : i + 1] == b"-" and body[i + 1 : i + 2] not in (b"", b"]")
        i += is_range
        i += body[i : i + 1] == b"\\"
        if i >= len(body):
            return b"", i
        members.update(range(previous, body[i] + 1) if is_range else (body[i],))
        previous, i = 0 if is_range else body[i], i + 1
    members = members | {_SLASH[0]} if negated else members - {_SLASH[0]}
    body = b"".join(b"\\x%02x" % byte for byte in sorted(members))
    return (b"[^" if negated else b"[") + body + b"]" if members else b"", i + 1


def _names(tokens: list[bytes]) -> Iterable[bytes]:
    for _, name in _split(tokens, (_SLASH,)):
        yield _chained([(wildcard, b"".join(part)) for wildcard, part in _split(name, (_STAR,))])


def _split(tokens: list[bytes], separators: tuple[bytes, ...]) -> list[tuple[bytes, list[bytes]]]:
    """The runs of tokens between separators, each with the one before it."""
    runs: list[tuple[bytes, list[bytes]]] = [(b"", [])]
    for token in tokens:
        if token in separators:
            runs.append((token, []))
        else:
            runs[-1][1].append(token)
    return runs


def _chained(pieces: list[tuple[bytes, bytes]]) -> bytes:
    """One expression that cannot backtrack exponentially: all wildcards but the last are content with a first match."""
    *early, (wildcard, body) = pieces
    return b"".join(b"(?>%s%s)" % (_FIRST_MATCH.get(w, b""), b) for w, b in early) + wildcard + body
