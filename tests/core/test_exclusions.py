"""Patterns of ignore files, and what is left out by name or content."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core import exclusions
from sightline.core.exclusions import IgnoreFile


def words(text: str) -> list[str]:
    return text.split()


GIT_PATTERNS = [
    # pattern, path, is_folder, matches
    ("a", "a", False, True),
    ("a", "x/a", False, True),
    ("a", "a/b", False, False),
    ("/a", "x/a", False, False),
    ("x/a", "y/x/a", False, False),
    ("a/", "a", False, False),
    ("a/", "a", True, True),
    ("*.c", "x/y.c", False, True),
    ("x/*.c", "x/y/z.c", False, False),
    ("**/y", "x/y", False, True),
    ("**/y", "y", False, True),
    ("x/**", "x", True, False),
    ("x/**", "x/y/z", False, True),
    ("x/**/z", "x/z", False, True),
    ("x/**/z", "x/a/b/z", False, True),
    ("a**/b", "axx/b", False, True),
    ("a**/b", "ax/y/b", False, True),
    ("?**/b", "ax/y/b", False, False),
    ("a?c", "abc", False, True),
    ("a?c", "a/c", False, False),
    ("[a-c]", "b", False, True),
    ("[!a-c]", "b", False, False),
    ("[^a-c]", "d", False, True),
    ("[]a]", "]", False, True),
    ("[a-]", "-", False, True),
    (r"[\]x]", "]", False, True),
    (r"[a-\d]", "c", False, True),
    ("[[:digit:]x]", "7", False, True),
    ("[[:digit:]", "7", False, False),
    ("[[:foo:]]", "f", False, False),
    ("[[:]", ":", False, True),
    ("[a", "a", False, False),
    ("[c-a]", "b", False, False),
    ("x[/]y", "x/y", False, False),
    (r"\#a", "#a", False, True),
    ("#a", "#a", False, False),
    (r"\!a", "!a", False, True),
    ("a\\", "a", False, False),
    ("a ", "a", False, True),
    (r"a\ ", "a ", False, True),
    (r"a\  ", "a ", False, True),
    ("a\t", "a", False, False),
    ("a\r", "a", False, True),
    ("/", "a", True, False),
    ("!", "!", False, False),
    ("a.c", "abc", False, False),
]


@pytest.mark.parametrize(("pattern", "path", "is_folder", "matches"), GIT_PATTERNS)
def test_a_pattern_means_what_it_means_to_git(pattern: str, path: str, is_folder: bool, matches: bool) -> None:
    line = IgnoreFile(pattern.encode(), "f").match(path.encode(), path.encode().rpartition(b"/")[2], is_folder)
    assert (line is not None) == matches


def test_the_last_matching_line_decides_and_tells_where_it_stands() -> None:
    file = IgnoreFile(b"\xef\xbb\xbf*.log\n\n# kept\n!keep.log\r\n", ".gitignore")
    kept, left_out = file.match(b"a/keep.log", b"keep.log", False), file.match(b"x.log", b"x.log", False)
    assert kept
    assert kept.negated
    assert kept.label == ".gitignore:4: !keep.log"
    assert left_out
    assert left_out.label == ".gitignore:1: *.log"


def test_case_is_ignored_where_the_repository_says_so() -> None:
    assert IgnoreFile(b"*.LOG", "f").match(b"a.log", b"a.log", False) is None
    assert IgnoreFile(b"*.LOG", "f", fold=True).match(b"a.log", b"a.log", False)


HOSTILE = [
    (b"*a" * 40 + b"b", b"a" * 250),
    (b"a*" * 40 + b"[b]", b"a" * 250),
    (b"**/a/" * 12 + b"b", b"a/" * 120 + b"c"),
    (b"**/*a*/" * 12 + b"b", b"aaaaaaaa/" * 100 + b"c"),
    (b"/" + b"*a*a*a/*" * 5 + b"x", b"a" * 80 + b"/" + b"a" * 80 + b"/y"),
]


@pytest.mark.parametrize(("pattern", "path"), HOSTILE)
def test_no_pattern_of_a_hostile_repository_stalls_a_scan(pattern: bytes, path: bytes) -> None:
    file = IgnoreFile(pattern, "f")
    started = time.process_time()
    assert file.match(path, path.rpartition(b"/")[2], False) is None
    assert time.process_time() - started < 1


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=20), st.booleans())
def test_no_ignore_file_raises(text: bytes, path: bytes, fold: bool) -> None:
    IgnoreFile(text, "f", fold=fold).match(path, path.rpartition(b"/")[2], False)


SECRETS = words("""
.env .ENV .env.local .env.production .env-prod .env_local .envrc prod.env .env.bak .env~
server.pem tls.key server.key.bak id_rsa id_ed25519 id_ecdsa_sk id_rsa_old deploy_id_rsa id_rsa.bak id_rsa~
store.p12 store.pfx app.jks release.keystore vault.kdbx AuthKey_AB12.p8 putty.ppk
.netrc _netrc .pgpass .npmrc .pypirc .git-credentials .htpasswd credentials credentials.json credentials.yml.enc
credentials.production.yaml secrets.yml secrets.toml client_secret_123.json service-account.json
my-service-account.json serviceaccount-prod.json service_account_key.json terraform.tfstate terraform.tfstate.backup
""")

NO_SECRETS = words("""
.env.example .env.sample .env.template .env.production.example example.env .environment env.py env.d.ts
id_rsa.pub id_ed25519.pub credentials.py credentials_test.go secrets.go secrets.md test_secrets.py id_rsa.py
secret.ts account.json accounts.py keyring.py key.go monkey public.txt package.json credentials.tsx secret_store.json
""")


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_whose_name_says_secret_is_never_indexed(name: str) -> None:
    assert exclusions.forbidden(name, "config", is_folder=False) == "secret"


@pytest.mark.parametrize("name", NO_SECRETS)
def test_code_and_examples_are_no_secrets(name: str) -> None:
    assert exclusions.forbidden(name, "config", is_folder=False) is None


@pytest.mark.parametrize(
    ("name", "parent", "is_folder", "reason"),
    [
        (".git", "", True, "excluded"),
        (".git", "", False, "excluded"),
        (".hg", "a", True, "excluded"),
        (".ssh", "a", True, "secret"),
        (".AWS", "a", True, "secret"),
        (".envs", "a", True, "secret"),
        ("config.json", ".docker", False, "secret"),
        ("config.json", "docker", False, None),
        ("config", ".kube", False, "secret"),
        ("credentials", "auth", True, None),
        (".github", "", True, None),
    ],
)
def test_the_folder_around_a_name_counts(name: str, parent: str, is_folder: bool, reason: str | None) -> None:
    assert exclusions.forbidden(name, parent, is_folder=is_folder) == reason


@pytest.mark.parametrize(
    ("name", "beside", "excluded"),
    [
        ("node_modules", [], True),
        ("__pycache__", [], True),
        ("demo.egg-info", [], True),
        ("cmake-build-debug", [], True),
        ("target", ["Cargo.toml"], True),
        ("target", ["target.py"], False),
        ("build", ["build.gradle.kts"], True),
        ("build", ["package.json", "setup.py"], False),
        ("dist", ["package.json"], True),
        ("dist", ["test_setup.py"], False),
        ("obj", ["App.csproj"], True),
        ("obj", ["loader.c"], False),
        ("vendor", ["go.mod"], False),
        ("third_party", [], False),
        ("venv", ["os.py"], False),
        ("out", [], False),
        (".github", [], False),
    ],
)
def test_a_folder_is_output_only_by_evidence(name: str, beside: list[str], excluded: bool) -> None:
    assert bool(exclusions.excluded_folder(name, beside)) == excluded


@pytest.mark.parametrize(
    ("inside", "excluded"),
    [
        (["pyvenv.cfg", "bin"], True),
        (["conda-meta"], True),
        (["CACHEDIR.TAG"], True),
        (["CMakeCache.txt", "CMakeFiles"], True),
        (["CMakeCache.txt", "CMakeLists.txt"], False),
        (["__init__.py", "__main__.py"], False),
        ([], False),
    ],
)
def test_a_folder_is_judged_by_what_it_holds(inside: list[str], excluded: bool) -> None:
    assert bool(exclusions.excluded_content(inside)) == excluded


EXCLUDED = words("""
package-lock.json yarn.lock Cargo.lock go.sum uv.lock Gemfile.lock composer.lock jquery.min.js site.min.css app.js.map
logo.PNG icon.svg font.woff2 a.tar.gz lib.jar mod.wasm a.pyc manual.pdf table.csv data.parquet model.onnx .DS_Store
""")

KEPT = words("""
main.py index.ts style.css README.md Makefile Dockerfile package.json Cargo.toml go.mod notes.ipynb level.map
admin.js linker.map lock.go page.pt records.db png notes.txt .gitignore a.b.c types.d.ts schema.sql locale.po
""")


@pytest.mark.parametrize("name", EXCLUDED)
def test_noise_is_left_out_by_name(name: str) -> None:
    assert exclusions.excluded_file(name)


@pytest.mark.parametrize("name", KEPT)
def test_text_of_any_name_is_kept(name: str) -> None:
    assert not exclusions.excluded_file(name)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", ""),
        (b"plain\ttext\r\n\x0c", ""),
        ("naïve café".encode("latin-1"), ""),
        ("日本語".encode(), ""),
        (b"\xef\xbb\xbfwith a mark", ""),
        (b"\x1b[31mred\x1b[0m", ""),
        (b"x" * 9000 + b"\0", ""),
        (b"a\0b", "it holds zero bytes"),
        (b"\x01\x02\x03\x04text", "it holds control characters"),
        ("text".encode("utf-16"), "UTF-16 text; saved as UTF-8 it would be indexed"),
        ("text".encode("utf-32"), "UTF-32 text; saved as UTF-8 it would be indexed"),
        (b"\xfe\xff\0t", "UTF-16 text; saved as UTF-8 it would be indexed"),
    ],
)
def test_binary_data_is_told_by_its_beginning(data: bytes, detail: str) -> None:
    assert exclusions.binary(data) == detail


@pytest.mark.parametrize(
    ("data", "is_secret"),
    [
        (b"-----BEGIN RSA PRIVATE KEY-----\nMII", True),
        (b"\xef\xbb\xbf\n-----BEGIN OPENSSH PRIVATE KEY-----", True),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", True),
        (b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", True),
        (b"PuTTY-User-Key-File-3: ssh-rsa", True),
        (b'{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\nMII"}', True),
        (b"-----BEGIN CERTIFICATE-----\nMII", False),
        (b"-----BEGIN PUBLIC KEY-----", False),
        (b'KEY = """\n-----BEGIN RSA PRIVATE KEY-----\n"""', False),
        (b'{"private_key": "path/to/key"}', False),
        (b"", False),
    ],
)
def test_a_private_key_is_told_by_its_text(data: bytes, is_secret: bool) -> None:
    assert exclusions.secret_text(data) == is_secret


@pytest.mark.parametrize(
    "data",
    [
        b"// Code generated by protoc-gen-go. DO NOT EDIT.\npackage x",
        b"# -*- coding: utf-8 -*-\n# Generated by the protocol buffer compiler.  DO NOT EDIT!\n",
        b"/**\n * @generated SignedSource<<abc>>\n */",
        b"//---\n// <auto-generated>\n//   by a tool\n",
        b"// GENERATED CODE - DO NOT MODIFY BY HAND\n",
        b"# This file was automatically generated by SWIG.\n# Do not edit it.\n",
        b"/* DO NOT EDIT: autogenerated */",
        b"-- AUTO-GENERATED FILE, do not change\n",
        b"<!-- This file is generated. Do not edit -->",
    ],
)
def test_a_generated_file_says_so_in_a_comment_at_its_beginning(data: bytes) -> None:
    assert exclusions.generated(data)


@pytest.mark.parametrize(
    "data",
    [
        b'HEADER = "// Code generated by us. DO NOT EDIT."\n',
        b"# Skips the files marked `Code generated ... DO NOT EDIT`.\n",
        b"# Generated by Django 4.2 on 2024-01-01\n",
        b"\n" * 40 + b"# Generated by a tool. DO NOT EDIT\n",
        b"# x\n" * 600 + b"# @generated\n",
        b"// keep in step with the generated code\n",
        b"",
    ],
)
def test_code_that_only_speaks_of_generated_files_is_kept(data: bytes) -> None:
    assert not exclusions.generated(data)


@given(st.binary(max_size=300))
def test_no_content_raises(data: bytes) -> None:
    exclusions.binary(data)
    exclusions.secret_text(data)
    exclusions.generated(data)


@given(st.text(min_size=1, max_size=30), st.text(max_size=10), st.booleans())
def test_no_name_raises(name: str, parent: str, is_folder: bool) -> None:
    exclusions.forbidden(name, parent, is_folder=is_folder)
    exclusions.excluded_folder(name, [parent])
    exclusions.excluded_file(name)
