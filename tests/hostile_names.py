"""What somebody may write where a project id belongs: the earlier system's cases, and as many that it did not try."""

from __future__ import annotations

from typing import Any, Final

VALID: Final = (
    "client-a", "client-b", "my-project", "frontend", "api-v2", "a", "0", "123abc", "a" * 50, "a-b-c-d-e", "project-123",
    "2024-report", "x1-y2-z3", "team-alpha-backend", "z" * 25 + "-" + "9" * 24, "00000000-0000-4000-8000-000000000000",
)  # fmt: skip
"""Ids, however odd: they are unknown, and that is all."""

RESERVED: Final = (
    "select", "table", "user", "null", "public", "postgres", "template0", "template1", "pg-catalog", "information-schema",
    "sightline-registry", "con", "nul", "aux", "true", "undefined", "constructor", "proto",
)  # fmt: skip
"""Words that mean something to Postgres, Windows or JavaScript, and nothing here."""

SEED: Final[dict[str, tuple[str, ...]]] = {
    "upper case": ("My_Project", "PROJECT", "myProject", "Client-A", "client-A", "cLIENT"),
    "underscore": ("_project", "project_name", "project_"),
    "leading hyphen": ("-a", "--project", "-project", "-"),
    "trailing hyphen": ("a-", "project--", "project-", "client-a-"),
    "hyphens": ("a--b", "client---a", "a-b--c", "--"),
    "special": tuple(f"project{char}name" for char in " .@#$%&*+=/\\|:;'\"<>?!"),
    "long": ("a" * 51, "project-" + "a" * 50, "x" * 100),
    "empty": ("",),
    "unicode": ("project-名前", "projet-café", "проект", "परियोजना"),
    "fragments": ("'; DROP TABLE--", "' OR '1'='1"),
    "injection": (
        "client-a'; DROP TABLE projects; --", "x'; DELETE FROM projects WHERE '1'='1", "x'; UPDATE projects SET name='x",
        "x'; TRUNCATE projects; --", "x' UNION SELECT * FROM pg_shadow --", "x' UNION SELECT 1,2,3 FROM information_schema.tables",
        "x'/**/OR/**/1=1--", "x' -- comment", "x'# comment", "x'/* comment */", "x\"; DROP SCHEMA public CASCADE; --",
        "x%27%3B%20DROP%20TABLE%20projects", "x'; EXEC(0x44524f50)", '"; DROP DATABASE sightline_registry; --', '" OR ""="',
        "x') OR ('1'='1", "$$; DROP TABLE projects; $$", "a; a'; a''; a\"",
    ),
    "lengths": ("-" * 50, "a" * 49 + "-", "-" + "a" * 49, "a" * 24 + "--" + "a" * 24, "A" * 50),
}  # fmt: skip

MORE: Final[dict[str, tuple[str, ...]]] = {
    "line ends": tuple(
        text for end in ("\n", "\r", "\r\n", "\t", "\v", "\f", "\0", "\x85", "\u2028", "\u2029", "\x1b[31m", "\x7f")
        for text in (f"client-a{end}", f"{end}client-a", f"client{end}-a")
    ),
    "spaces": (" ", "client-a ", " client-a", "client\u00a0a", "client\u3000a", "client\u2009a"),
    "unseen": tuple(f"client{char}-a" for char in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\ufe0f\u034f"),
    "direction": tuple(f"client{char}-a" for char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2069\u200e\u200f\u061c"),
    "confusable": (
        "clіent", "сlient", "cliеnt", "ｃlient", "𝐜lient", "ⅽlient", "clıent", "cliﬁ", "ſhop", "\u212aey", "ο", "а",
        "٣", "３", "²", "①", "e\u0301",
    ),
    "hyphen-like": tuple(f"client{char}a" for char in "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d\u00b7_~"),
    "long": ("a" * 62, "a" * 63, "a" * 64, "a-" * 40 + "a", "a" * 1_000, "a" * 10_000),
    "paths": (
        "../client-a", "..", ".", "../../../etc/passwd", "..%2F..%2Fetc", "/etc/passwd", "~/client-a", "C:\\x", "\\\\host\\x",
        "file:///etc/passwd", "client-a/../b", "client-a\\..\\b", "./client-a",
    ),
    "escapes": (
        "%61", "&#97;", "\\u0061", "\\x61", "$(id)", "`id`", "${HOME}", "$HOME", "{{7*7}}", "%s", "%n", "{0}", "{name}", "a\\",
        "a,b", "[a]", "{a}", "(a)", "a^b", "U&\"\\0061\"", "E'\\141'", "$1", ":name", "?",
    ),
    "surrogates": ("\ud800", "client\udc80", "\udfff-a"),
}  # fmt: skip

NO_TEXT: Final[tuple[Any, ...]] = (7, 1.5, True, False, -1, 1e300, [], {}, ["client-a"], {"id": "client-a"}, [[["a"]]])

HOSTILE: Final = tuple(dict.fromkeys(text for group in (*SEED.values(), *MORE.values()) for text in group))
