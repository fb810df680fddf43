--- Completion of the filters of a query: lang:, kind:, path:, file:, changed:, project:, each also with a minus.
local root = require('sightline.root')

local M = {}

M.KEYS = { 'lang:', 'kind:', 'path:', 'file:', 'changed:', 'project:' }

-- A test holds these two to the server's own tables.
M.KINDS = vim.split(
  'class struct interface trait enum union module namespace type object impl function method constructor macro '
    .. 'property field constant variable heading key code text',
  ' '
)
M.LANGUAGES = vim.split(
  'ada asciidoc asm astro awk bat bicep blade c clojure cmake cobol commonlisp coq cpp crystal csharp '
    .. 'css csv cue cython d dart diff dockerfile eex elixir elm emacs-lisp erb erlang fish fortran fsharp '
    .. 'gdscript gleam glsl go go.mod graphql groovy hack haml handlebars haskell hlsl html ignore ini java '
    .. 'javascript javascriptreact jinja json jsonc jsonnet julia just kotlin latex lean less liquid llvm '
    .. 'lua makefile markdown matlab meson nim ninja nix nushell objective-c objective-cpp ocaml '
    .. 'ocaml.interface org pascal perl php plaintext powershell prisma properties proto pug purescript '
    .. 'python r razor rego restructuredtext ruby rust sass scala scheme scss shellscript solidity sql '
    .. 'starlark stylus svelte swift systemverilog tcl terraform thrift toml twig typescript typescriptreact '
    .. 'v vb vhdl viml vue wat wgsl xml yaml zig',
  ' '
)

---@param names string[]
---@param lead string
---@return string[]
local function beginning_with(names, lead)
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names)
end

--- Folders and files below the root.
---@param lead string
---@return string[]
local function paths(lead)
  local folder = root.current()
  if not folder then
    return {}
  end
  local found = vim.fn.globpath(vim.fn.escape(folder, ',\\*?[{'), vim.fn.escape(lead, '*?[{') .. '*', false, true, true)
  return vim.tbl_map(function(path)
    local relative = path:sub(#folder + 2)
    return vim.fn.isdirectory(path) == 1 and relative .. '/' or relative
  end, found)
end

--- Names of files that are open, and globs for their kind.
---@return string[]
local function file_names()
  local names = {}
  for _, buffer in ipairs(vim.fn.getbufinfo({ buflisted = 1 })) do
    local name = vim.fs.basename(buffer.name)
    local extension = name:match('%.[%w_]+$')
    if name ~= '' then
      names[name] = true
    end
    if extension then
      names['*' .. extension] = true
    end
  end
  return vim.fn.sort(vim.tbl_keys(names))
end

local VALUES = {
  lang = function(lead)
    return beginning_with(M.LANGUAGES, lead)
  end,
  kind = function(lead)
    return beginning_with(M.KINDS, lead)
  end,
  path = paths,
  file = function(lead)
    return beginning_with(file_names(), lead)
  end,
}

---@param value string
---@return string
local function quoted(value)
  return value:find('[%s,"]') and '"' .. value:gsub('["\\]', '\\%0') .. '"' or value
end

--- What the last word of a query may become.
---@param word string
---@return string[]
function M.word(word)
  local minus, key, before, value = word:match('^(%-?)(%l+):(.-)([^,]*)$')
  if key and VALUES[key] then
    return vim.tbl_map(function(found)
      return minus .. key .. ':' .. before .. quoted(found)
    end, VALUES[key](value))
  end
  local sign, start = word:match('^(%-?)(.*)$')
  return vim.tbl_map(function(found)
    return sign .. found
  end, beginning_with(M.KEYS, start))
end

--- For the prompt: the column where the word begins, and what it may become.
---@param line string up to the cursor
---@return integer column from 1
---@return string[]
function M.at_end_of(line)
  local word = line:match('%S*$')
  return #line - #word + 1, M.word(word)
end

return M
