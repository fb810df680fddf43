"""The languages: their names, how a file shows which one it is in, and what reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its LSP language id, where one exists."""

    id: str
    aliases: tuple[str, ...] = ()
    """Further names for the query box."""
    extensions: tuple[str, ...] = ()
    """Without the dot, in lower case."""
    file_names: tuple[str, ...] = ()
    """In lower case unless only capitals count; one that ends with `.` stands for any extension (`dockerfile.`)."""
    interpreters: tuple[str, ...] = ()
    """Commands of a `#!` line, without version."""
    grammar: str = ""
    """The tree-sitter grammar; "" where none is at hand and the text's own structure has to do."""
    queries: tuple[str, ...] = ()
    """The files of `queries/` that say what its definitions and comments are."""


def resolve(name: str) -> Language | None:
    """The language of this id or alias, in any case."""
    return _by_name().get(name.strip().lower())


def detect(path: str, source: bytes = b"") -> Language:
    """The language of a file by its name, and by its first bytes where the name leaves it open."""
    name = re.split(r"[/\\]", path)[-1]
    found = _by_file_name(name) or _by_extension(name) or _by_interpreter(source[:200])
    if found is None:
        return PLAIN_TEXT
    check = _LOOKALIKES.get(name.rpartition(".")[2].lower())
    if check is not None and (other := check(source[:50_000])):
        return _by_name()[other]
    return found


def _by_file_name(name: str) -> Language | None:
    table, lower = _tables()[0], name.lower()
    return table.get(name) or table.get(lower) or table.get(lower.partition(".")[0] + ".")


def _by_extension(name: str) -> Language | None:
    if name.endswith((".C", ".H")):
        return _by_name()["cpp"]
    table, (_, *parts) = _tables()[1], name.lower().split(".")
    longest = table.get(".".join(parts[-2:])) if len(parts) > 1 else None
    return longest or (table.get(parts[-1]) if parts else None)


def _by_interpreter(head: bytes) -> Language | None:
    found = _SHEBANG.match(head)
    return _tables()[2].get(found[1].decode("ascii")) if found else None


@cache
def _by_name() -> dict[str, Language]:
    return {name: language for language in LANGUAGES for name in (*language.aliases, language.id)}


@cache
def _tables() -> tuple[dict[str, Language], dict[str, Language], dict[str, Language]]:
    """Languages by file name, extension and interpreter."""
    return (
        {name: language for language in LANGUAGES for name in language.file_names},
        {extension: language for language in LANGUAGES for extension in language.extensions},
        {command: language for language in LANGUAGES for command in language.interpreters},
    )


_SHEBANG: Final = re.compile(rb"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?([A-Za-z+]+)[\d.]*\b")

_CPP_SIGNS: Final = re.compile(
    rb"^\s*(?:class|namespace|template|using|public:|private:|protected:|constexpr|virtual|friend)\b"
    rb"|^\s*#\s*include\s*<[a-z_]+>|\bstd::|\w::\w|^\s*(?:public|private|protected)\s*:",
    re.MULTILINE,
)
_OBJC_SIGNS: Final = re.compile(rb"^\s*(?:@(?:interface|protocol|class|import|end)\b|#\s*import\b)", re.MULTILINE)


def _header(source: bytes) -> str:
    """A `.h` file may be C, C++ or Objective-C."""
    if _OBJC_SIGNS.search(source):
        return "objective-c"
    return "cpp" if _CPP_SIGNS.search(source) else ""


def _m_file(source: bytes) -> str:
    """A `.m` file may be Matlab."""
    return "matlab" if re.search(rb"^\s*(?:%|function\b|classdef\b)", source, re.MULTILINE) else ""


def _ts_file(source: bytes) -> str:
    """A `.ts` file may be a translation of Qt's, which is XML."""
    return "xml" if source.lstrip()[:5] == b"<?xml" else ""


_LOOKALIKES: Final[dict[str, Callable[[bytes], str]]] = {
    "h": _header,
    "m": _m_file,
    "ts": _ts_file,
}
"""Extensions that several languages share: the id that the text shows, or "" for the table's."""


def _language(
    id: str, names: str = "", files: str = "", commands: str = "", grammar: str = "", queries: str = ""
) -> Language:
    """A row of the table; in `files`, what starts with a dot is an extension, with `=` a file name."""
    words = files.split()
    return Language(
        id=id,
        aliases=tuple(names.split()),
        extensions=tuple(word[1:] for word in words if word[0] == "."),
        file_names=tuple(word.removeprefix("=") for word in words if word[0] != "."),
        interpreters=tuple(commands.split()),
        grammar=grammar,
        queries=tuple((queries or grammar).split()),
    )


PLAIN_TEXT: Final = _language(
    "plaintext", "text txt plain", ".txt .text .log =readme =license =copying =authors =notice"
)

# fmt: off
LANGUAGES: Final = (
    _language("python", "py python3", ".py .pyi .pyw =sconstruct =sconscript =wscript", "python pypy", "python"),
    _language("cython", "pyx", ".pyx .pxd .pxi", "", "python"),
    _language("starlark", "bazel bzl",
              ".bzl .star =BUILD =build.bazel =WORKSPACE =workspace.bazel =module.bazel =tiltfile", "", "python"),
    _language("javascript", "js node ecmascript", ".js .mjs .cjs .es6 =jakefile", "node nodejs deno bun",
              "javascript", "ecmascript javascript"),
    _language("javascriptreact", "jsx", ".jsx", "", "javascript", "ecmascript javascript"),
    _language("typescript", "ts", ".ts .mts .cts", "ts-node tsx", "typescript", "ecmascript typescript"),
    _language("typescriptreact", "tsx", ".tsx", "", "tsx", "ecmascript typescript"),
    _language("go", "golang", ".go", "", "go"),
    _language("go.mod", "gomod", "=go.mod"),
    _language("rust", "rs", ".rs", "rust-script", "rust"),
    _language("java", "", ".java .jav", "", "java"),
    _language("c", "", ".c .h", "tcc", "c"),
    _language("cpp", "c++ cxx cc hpp",
              ".cpp .cc .cxx .c++ .hpp .hh .hxx .h++ .ipp .inl .tpp .ixx .cppm .cu .cuh .ino", "", "cpp", "c cpp"),
    _language("objective-c", "objc objectivec", ".m", "", "objc", "c objc"),
    _language("objective-cpp", "objcpp objc++", ".mm", "", "objc", "c objc"),
    _language("csharp", "cs c#", ".cs .csx .cake", "", "c_sharp"),
    _language("ruby", "rb",
              ".rb .rake .gemspec .ru .podspec .thor .jbuilder .rabl =rakefile =gemfile =podfile "
              "=vagrantfile =guardfile =capfile =fastfile =brewfile =appraisals =dangerfile", "ruby jruby rake",
              "ruby"),
    _language("php", "", ".php .phtml .php3 .php4 .php5 .phps", "php", "php"),
    _language("kotlin", "kt kts", ".kt .kts", "kotlin", "kotlin"),
    _language("scala", "sc", ".scala .sc .sbt .mill", "scala", "scala"),
    _language("swift", "", ".swift", "swift", "swift"),
    _language("lua", "", ".lua .luau .rockspec", "lua luajit", "lua"),
    _language("elixir", "ex exs", ".ex .exs", "elixir", "elixir"),
    _language("erlang", "erl", ".erl .hrl .escript =rebar.config", "escript", "erlang"),
    _language("haskell", "hs", ".hs .hsc .hs-boot", "runhaskell runghc", "haskell"),
    _language("elm", "", ".elm", "", "elm"),
    _language("ocaml", "ml", ".ml", "ocaml", "ocaml"),
    _language("ocaml.interface", "mli", ".mli"),
    _language("shellscript", "sh bash shell zsh ksh",
              ".sh .bash .zsh .ksh .bats .ebuild =.bashrc =.bash_profile =.bash_aliases =.profile "
              "=.zshrc =.zshenv =.zprofile =pkgbuild =apkbuild", "sh bash zsh dash ksh ash bats", "bash"),
    _language("zig", "", ".zig .zon", "", "zig"),
    _language("dart", "", ".dart", "dart", "dart"),
    _language("sql", "postgresql mysql sqlite plsql", ".sql .psql .ddl .pgsql", "", "sql"),
    _language("html", "htm", ".html .htm .xhtml", "", "html"),
    _language("css", "", ".css", "", "css"),
    _language("perl", "pl", ".pl .pm .t .psgi", "perl", "perl"),
    _language("r", "rlang", ".r =.rprofile", "rscript", "r"),
    _language("julia", "jl", ".jl", "julia", "julia"),
    _language("makefile", "make mk", ".mk .mak .make =makefile =gnumakefile =makefile.", "make", "make"),
    _language("dockerfile", "docker", ".dockerfile =dockerfile =containerfile =dockerfile. =containerfile.", "",
              "dockerfile"),
    _language("terraform", "hcl tf", ".tf .tfvars .hcl .nomad"),
    _language("fortran", "f90", ".f90 .f95 .f03 .f08 .f .for .f77", "", "fortran"),
    _language("commonlisp", "lisp cl", ".lisp .lsp .cl .asd", "sbcl", "commonlisp"),
    _language("emacs-lisp", "elisp el", ".el =.emacs =cask", "", "elisp"),
    _language("hack", "", ".hack .hhi", "hhvm", "hack"),
    _language("markdown", "md mdx", ".md .markdown .mdown .mkd .mdx .mdc .rmd .qmd"),
    _language("restructuredtext", "rst", ".rst .rest"),
    _language("asciidoc", "adoc", ".adoc .asciidoc"),
    _language("org", "orgmode", ".org"),
    _language("latex", "tex", ".tex .sty .cls .ltx"),
    _language("json", "",
              ".json .webmanifest .geojson .ipynb .har .avsc =.babelrc =.eslintrc =.prettierrc "
              "=composer.lock"),
    _language("jsonc", "json5", ".jsonc .json5 .code-workspace =tsconfig.json =jsconfig.json =.jshintrc"),
    _language("yaml", "yml", ".yaml .yml =.clang-format =.clang-tidy"),
    _language("toml", "", ".toml =pipfile =cargo.lock =poetry.lock"),
    _language("ini", "cfg conf",
              ".ini .cfg .conf .desktop .service .socket .timer =.editorconfig =.gitconfig =.npmrc =.flake8"),
    _language("properties", "", ".properties"),
    _language("xml", "",
              ".xml .xsd .xsl .xslt .svg .plist .csproj .vbproj .fsproj .props .targets .resx .xaml .xib "
              ".storyboard .wsdl .pom"),
    _language("vue", "", ".vue"),
    _language("svelte", "", ".svelte"),
    _language("astro", "", ".astro"),
    _language("scss", "", ".scss"),
    _language("sass", "", ".sass"),
    _language("less", "", ".less"),
    _language("stylus", "", ".styl"),
    _language("graphql", "gql", ".graphql .gql .graphqls"),
    _language("proto", "protobuf proto3", ".proto"),
    _language("thrift", "", ".thrift"),
    _language("clojure", "clj", ".clj .cljs .cljc .edn", "bb clojure"),
    _language("scheme", "scm racket", ".scm .ss .rkt"),
    _language("fsharp", "fs f#", ".fs .fsi .fsx"),
    _language("vb", "vbnet visualbasic", ".vb .bas .vbs"),
    _language("groovy", "gradle", ".groovy .gradle .gvy =jenkinsfile", "groovy"),
    _language("powershell", "ps1 pwsh", ".ps1 .psm1 .psd1", "pwsh powershell"),
    _language("bat", "batch cmd", ".bat .cmd"),
    _language("fish", "", ".fish", "fish"),
    _language("nushell", "nu", ".nu", "nu"),
    _language("tcl", "", ".tcl .tk", "tclsh wish expect"),
    _language("awk", "", ".awk", "awk gawk mawk"),
    _language("viml", "vim vimscript", ".vim =.vimrc =vimrc"),
    _language("nix", "", ".nix"),
    _language("nim", "", ".nim .nims"),
    _language("crystal", "cr", ".cr", "crystal"),
    _language("d", "dlang", ".d .di"),
    _language("v", "vlang verilog", ".v .vh"),
    _language("systemverilog", "sv", ".sv .svh"),
    _language("vhdl", "", ".vhd .vhdl"),
    _language("pascal", "delphi", ".pas .pp .dpr .lpr"),
    _language("ada", "", ".adb .ads"),
    _language("cobol", "", ".cob .cbl"),
    _language("matlab", "octave", ".mlx .octave", "octave"),
    _language("solidity", "sol", ".sol"),
    _language("gdscript", "gd", ".gd"),
    _language("glsl", "", ".glsl .vert .frag .comp .geom"),
    _language("hlsl", "", ".hlsl .fx"),
    _language("wgsl", "", ".wgsl"),
    _language("asm", "assembly", ".s .asm .nasm"),
    _language("llvm", "", ".ll"),
    _language("wat", "wasm", ".wat .wast"),
    _language("gleam", "", ".gleam"),
    _language("purescript", "purs", ".purs"),
    _language("lean", "", ".lean"),
    _language("coq", "", ".coq"),
    _language("cmake", "", ".cmake =cmakelists.txt"),
    _language("meson", "", "=meson.build =meson_options.txt"),
    _language("ninja", "", ".ninja"),
    _language("just", "", "=justfile =.justfile .just", "just"),
    _language("prisma", "", ".prisma"),
    _language("bicep", "", ".bicep"),
    _language("rego", "", ".rego"),
    _language("jsonnet", "", ".jsonnet .libsonnet"),
    _language("cue", "", ".cue"),
    _language("jinja", "jinja2", ".j2 .jinja .jinja2"),
    _language("handlebars", "hbs", ".hbs .handlebars .mustache"),
    _language("erb", "", ".erb .rhtml"),
    _language("haml", "", ".haml"),
    _language("pug", "jade", ".pug .jade"),
    _language("twig", "", ".twig"),
    _language("liquid", "", ".liquid"),
    _language("blade", "", ".blade.php"),
    _language("razor", "cshtml", ".cshtml .razor"),
    _language("eex", "heex", ".eex .heex .leex"),
    _language("diff", "patch", ".diff .patch .rej"),
    _language("csv", "tsv", ".csv .tsv"),
    _language("ignore", "gitignore",
              "=.gitignore =.dockerignore =.npmignore =.eslintignore =.prettierignore =.sightlineignore"),
    PLAIN_TEXT,
)
# fmt: on
