--- Options in `vim.g.sightline`, and the configuration of the language client that follows from them.
local M = {}

---@alias sightline.Picker 'builtin'|'telescope'|'fzf-lua'|'snacks'

---@class sightline.Options
---@field cmd? string[] command that runs the server
---@field settings? table<string, any> what the server is told as `sightline.*`
---@field limit? integer how many files an answer has; the server's setting without it
---@field debounce? integer milliseconds without a key before the prompt searches
---@field preview? boolean whether the quickfix window shows what is under the cursor
---@field picker? sightline.Picker what `:Sightline` without a query opens

M.NAME = 'sightline'
M.INSTALL = 'pip install sightline-ls (or: uv tool install sightline-ls)'

---@type sightline.Options
local DEFAULTS = { debounce = 120, preview = true, picker = 'builtin' }

local TYPES = {
  cmd = 'table',
  settings = 'table',
  limit = 'number',
  debounce = 'number',
  preview = 'boolean',
  picker = 'string',
}

--- The user's options over the defaults; those of a wrong type do not count.
---@return sightline.Options
function M.options()
  local options = vim.deepcopy(DEFAULTS)
  local given = vim.g.sightline
  for name, value in pairs(type(given) == 'table' and given or {}) do
    if type(value) == TYPES[name] then
      options[name] = value
    end
  end
  return options
end

--- What is wrong with `vim.g.sightline`, a sentence each.
---@return string[]
function M.problems()
  local given = vim.g.sightline
  if given ~= nil and type(given) ~= 'table' then
    return { 'vim.g.sightline is no table' }
  end
  local problems = {}
  for name, value in pairs(given or {}) do
    if not TYPES[name] then
      table.insert(problems, ('vim.g.sightline.%s: there is no such option'):format(name))
    elseif type(value) ~= TYPES[name] then
      table.insert(problems, ('vim.g.sightline.%s: should be a %s'):format(name, TYPES[name]))
    end
  end
  table.sort(problems)
  return problems
end

--- The `sightline` of the Python environment that this plugin is installed in, if it is there.
---@return string?
function M.sibling()
  local here = vim.fs.normalize(debug.getinfo(1, 'S').source:sub(2))
  for folder in vim.fs.parents(here) do
    for _, name in ipairs({ 'bin/sightline', 'Scripts/sightline.exe' }) do
      local path = folder .. '/' .. name
      if vim.uv.fs_stat(folder .. '/pyvenv.cfg') and vim.fn.executable(path) == 1 then
        return path
      end
    end
  end
end

--- The default command: `sightline` on the PATH, or else the one that came with this plugin.
---@return string[]
local function command()
  local program = vim.fn.executable('sightline') == 0 and M.sibling() or 'sightline'
  return { program, 'serve' }
end

--- The configuration before the user's vim.lsp.config('sightline', ...).
---@return table
function M.lsp()
  local options = M.options()
  return {
    cmd = options.cmd or command(),
    root_dir = function(buffer, on_root)
      require('sightline.client').attach(buffer, on_root)
    end,
    settings = options.settings and { sightline = options.settings } or nil,
    handlers = {
      ['sightline/statusChanged'] = function(_, status, context)
        require('sightline.status').changed(status, context.client_id)
      end,
    },
    commands = {
      -- The code action "Find similar code" ends here and not in the server, which has no quickfix list.
      ['sightline.showSimilar'] = function(action)
        require('sightline').similar({ params = action.arguments[1] })
      end,
    },
  }
end

--- The configuration that a client starts with.
---@return table
function M.resolved()
  -- A broken vim.lsp.config('sightline', ...) is reported by Neovim itself.
  local config = vim.lsp.config and vim.lsp.config[M.NAME] or M.lsp()
  return vim.tbl_extend('force', config, { name = M.NAME })
end

return M
