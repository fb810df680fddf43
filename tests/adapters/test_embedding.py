"""Vectors are what the model's formula says, of unit length, the same every time, and need no network."""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline
from sightline.adapters.embedding import LocalEmbedder, Model2Vec, StaticModel, Vectors, bundled, load, path_text
from sightline.core.bags import Document, collect, names_of
from sightline.core.chunking import parse
from sightline.errors import EmbedderError, SettingsError
from support import environment

MODELS = Path(sightline.__file__).parent / "models"
VOCABULARY = ("parse", "json", "file", "read", "p", "ar", "se", "arse", "rse", "js", "on", "a", "дом", "42")
PYTHON = (
    b'"""Reads files."""\n\n\ndef parse_json(path):\n    # opens the file\n    return json.loads(path.read_text())\n'
)
SOURCES = {
    "src/files/json_reader.py": PYTHON * 9,
    "src/Matrix.java": b"class Matrix {\n  int multiply(int other) { return rows * other; } // \xff caf\xe9\r\n}\n"
    * 40,
    "README.md": "# Größe\n\nWords about 数据.\n".encode(),
    "a/blank.txt": b"\n\n\n",
    "empty.py": b"",
}
WORDS = st.sampled_from(
    ["parse", "json", "parrsejs", "pase", "zzz", "on", "File", "größe", "42", " ", "_", "(", "数据", "#", "\n"]
)
COMPOUNDS = st.lists(st.sampled_from(VOCABULARY[:12]), min_size=1, max_size=2).map("".join)
TEXTS = st.lists(WORDS, max_size=12).map("".join)


def documents(sources: dict[str, bytes]) -> list[Document]:
    return [Document(path, source, parse(path, source)) for path, source in sources.items()]


def embedded(embedder: LocalEmbedder, documents: list[Document]) -> Vectors:
    bag = collect(documents)
    bodies = embedder.embed_bodies(documents, bag, np.ones(bag.chunk_count, np.bool_))
    return embedder.compose(bodies, documents)


def unit(vector: Vectors) -> Vectors:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def composed(embedder: LocalEmbedder, documents: list[Document]) -> list[Vectors]:
    """Each chunk's vector, from those of its text, path and names."""
    return [
        unit(
            embedder.embed_passage(document.source[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace"))
            + 0.7 * embedder.embed_passage(path_text(document.path))
            + 0.5 * embedder.embed_passage(names_of(chunk))
        )
        for document in documents
        for chunk in document.syntax.chunks
    ]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of fourteen words, in the format of the bundled one."""
    folder, random, count = tmp_path_factory.mktemp("model"), np.random.default_rng(7), len(VOCABULARY)
    np.savez_compressed(
        folder / "vectors.npz",
        q=random.integers(-127, 128, (count, 16)).astype(np.int8),
        s=random.uniform(0.1, 2, count).astype(np.float16),
        r=random.uniform(0.1, 2, count).astype(np.float16),
        # `ar` and `se` are likelier than `arse`, but for the price of short pieces.
        logp=np.array([-2.0 if len(word) == 2 else -6.0 - len(word) / 8 for word in VOCABULARY], np.float16),
    )
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    return folder


@pytest.fixture(scope="module")
def tiny(model_folder: Path) -> StaticModel:
    return StaticModel(model_folder)


@pytest.fixture(scope="module")
def arrays(model_folder: Path) -> dict[str, np.ndarray]:
    with np.load(model_folder / "vectors.npz") as table:
        return {name: table[name].astype(float) for name in table.files}


def likeliest(word: str, logp: np.ndarray) -> list[int]:
    """Of all ways to cut a word, the likeliest one's known pieces."""

    def worth(piece: str) -> float:
        if piece not in VOCABULARY:
            return -25.0 if len(piece) == 1 else -math.inf
        return float(logp[VOCABULARY.index(piece)]) - (4.0 if len(piece) < 3 else 0.0)

    ways = (
        [word[start:end] for start, end in itertools.pairwise([0, *places, len(word)])]
        for number in range(len(word))
        for places in itertools.combinations(range(1, len(word)), number)
    )
    best = [word] if word in VOCABULARY else max(ways, key=lambda way: sum(map(worth, way)))
    return [VOCABULARY.index(piece) for piece in best if piece in VOCABULARY]


@settings(deadline=None)
@given(words=st.lists(COMPOUNDS | st.text("pjarseon", min_size=1, max_size=8), max_size=4))
def test_a_text_is_the_weighted_sum_of_its_words_likeliest_pieces(
    tiny: StaticModel, arrays: dict[str, np.ndarray], words: list[str]
) -> None:
    counts = Counter(piece for word in words for piece in likeliest(word, arrays["logp"]))
    passage, query = np.zeros(16), np.zeros(16)
    for piece, count in counts.items():
        row = math.sqrt(count) * arrays["s"][piece] * arrays["q"][piece]
        passage, query = passage + row, query + arrays["r"][piece] * row
    np.testing.assert_allclose(tiny.embed_passage(" ".join(words)), unit(passage), atol=1e-5)
    np.testing.assert_allclose(tiny.embed_query(" ".join(words)), unit(query), atol=1e-5)


@pytest.mark.parametrize("spelling", ["parseJson", "parse_json", "PARSE-JSON", "ParseJSON", "«parse» json"])
def test_spellings_of_a_name_have_one_vector(tiny: StaticModel, spelling: str) -> None:
    np.testing.assert_array_equal(tiny.embed_passage(spelling), tiny.embed_passage("parse json"))


@settings(deadline=None)
@given(text=TEXTS, path=st.sampled_from(["parse.py", "src/json/File.md", "x.txt"]))
def test_a_chunk_is_composed_of_its_text_its_path_and_its_names(tiny: StaticModel, text: str, path: str) -> None:
    own = documents({path: text.encode()})
    np.testing.assert_allclose(embedded(tiny, own), np.reshape(composed(tiny, own), (-1, 16)), atol=1e-5)


def test_chunks_of_real_files_are_composed_alike_by_the_bundled_model() -> None:
    own = documents(SOURCES)
    assert sum(len(document.syntax.chunks) for document in own) > 8
    np.testing.assert_allclose(embedded(bundled(), own), composed(bundled(), own), atol=1e-5)


def test_vectors_have_unit_length_and_the_models_dimensions() -> None:
    vectors = embedded(bundled(), documents(SOURCES))
    assert vectors.dtype == np.float32
    assert vectors.shape[1] == bundled().identity.dimensions == 256
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert float(np.linalg.norm(bundled().embed_query("open a file"))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["", " \n", "(...)", "___", "\ufffd"])
def test_a_text_without_words_is_zero(text: str) -> None:
    assert not bundled().embed_query(text).any()
    assert not bundled().embed_passage(text).any()


def test_no_chunks_have_no_vectors() -> None:
    assert embedded(bundled(), []).shape == (0, 256)
    assert embedded(bundled(), documents({"empty.py": b""})).shape == (0, 256)


def test_a_chunk_has_the_same_vector_in_every_batch_and_process() -> None:
    together = embedded(bundled(), documents(SOURCES))
    alone = np.concatenate([embedded(StaticModel(MODELS), [each]) for each in documents(SOURCES)])
    np.testing.assert_array_equal(together, alone)


def test_meaning_is_nearer_than_chance() -> None:
    own = documents(
        {"a.py": b"def load(path):\n    return path.read_text()\n", "b.py": b"def dot(rows, columns):\n    return 0\n"}
    )
    cosines = embedded(bundled(), own) @ bundled().embed_query("read a file from disk")
    assert cosines[0] > cosines[1] + 0.1


def test_the_bundled_model_needs_no_network() -> None:
    script = (
        "import socket\n"
        "class Forbidden:\n"
        "    def __init__(self, *args, **kwargs): raise AssertionError('no network')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = Forbidden\n"
        "from sightline.adapters import embedding\n"
        "print(len(embedding.load('static').embed_query('open a file')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=MODELS.parents[1], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("256", 0), done.stderr


def test_the_model_is_loaded_once() -> None:
    assert load("static") is bundled()


def test_an_unknown_provider_is_named_with_those_that_would_do() -> None:
    with pytest.raises(SettingsError, match=r"embedding\.provider: 'word2vec' is unknown") as caught:
        load("word2vec")
    assert "static" in caught.value.hint


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "vectors.npz").unlink(),
        lambda folder: (folder / "vocab.txt").unlink(),
        lambda folder: (folder / "vectors.npz").write_bytes(b""),
        lambda folder: (folder / "vectors.npz").write_bytes(b"junk" * 99),
        lambda folder: (folder / "vectors.npz").write_bytes((folder / "vectors.npz").read_bytes()[:500]),
        lambda folder: np.savez(folder / "vectors.npz", q=np.zeros((2, 2), np.int8)),
        lambda folder: (folder / "vocab.txt").write_bytes(b"\xff\xfe\xff"),
    ],
)
def test_a_model_that_cannot_be_read_is_an_error(
    spoil: Callable[[Path], object], model_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    spoil(folder)
    with pytest.raises(EmbedderError, match="cannot be read") as caught:
        StaticModel(folder)
    assert "Install" in caught.value.hint


def test_flipped_bytes_in_a_model_are_an_error(tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS, tmp_path / "model")
    content = bytearray((folder / "vectors.npz").read_bytes())
    content[3_000_000:3_000_100] = bytes(100)
    (folder / "vectors.npz").write_bytes(content)
    with pytest.raises(EmbedderError, match="cannot be read"):
        StaticModel(folder)


def test_a_model2vec_model_must_be_named() -> None:
    with pytest.raises(SettingsError, match=r"embedding\.model is empty"):
        load("model2vec")


def test_without_the_library_the_error_says_what_to_install() -> None:
    # None in sys.modules is Python's own way to say that a package cannot be imported.
    script = """
import sys
sys.modules["model2vec"] = None
from sightline.adapters.embedding import load
from sightline.errors import EmbedderError
try:
    load("model2vec", "some/model")
except EmbedderError as error:
    print(error, error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment(Path())
    )
    assert "model2vec is not installed" in done.stdout
    assert "pip install 'sightline-ls[model2vec]'" in done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model2vec model of a few words."""
    from model2vec import StaticModel as Library
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {
        word: number for number, word in enumerate(["[UNK]", "x", "open", "file", "read", "parse", "json", "Matrix"])
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(3).normal(size=(len(words), 12)).astype(np.float32)
    folder = tmp_path_factory.mktemp("model2vec") / "tiny"
    Library(vectors, tokenizer).save_pretrained(folder)
    return folder


def test_a_model2vec_model_composes_unit_vectors_alike(saved: Path) -> None:
    model = load("model2vec", str(saved))
    assert isinstance(model, Model2Vec)
    assert (model.identity.name, model.identity.dimensions) == (f"model2vec:{saved}", 12)
    own = documents(SOURCES)
    np.testing.assert_allclose(embedded(model, own), composed(model, own), atol=1e-5)
    np.testing.assert_allclose(model.embed_query("parseJson"), model.embed_query("parse_Json"), atol=1e-6)
    assert float(np.linalg.norm(model.embed_query("open file"))) == pytest.approx(1, abs=1e-5)
    assert not model.embed_query("").any()
    assert embedded(model, []).shape == (0, 12)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [None, b"{"])
def test_a_model2vec_model_that_cannot_be_loaded_is_an_error(
    saved: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(EmbedderError, match="cannot be loaded") as caught:
        load("model2vec", str(folder))
    assert "config.json" in caught.value.hint
