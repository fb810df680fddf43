--- `:checkhealth sightline`
local config = require('sightline.config')
local pickers = require('sightline.pickers')
local root = require('sightline.root')

local M = {}

local health = vim.health
local DOCTOR_TIMEOUT = 30000

local function check_neovim()
  local version = 'Neovim ' .. tostring(vim.version())
  if vim.lsp.enable then
    health.ok(version)
  elseif vim.fn.has('nvim-0.10') == 1 then
    health.ok(version .. ': the first command attaches the server to files, as does require("sightline").enable()')
  else
    health.error(version .. ': 0.10 or later is needed')
  end
  -- Only since 0.12 can that be asked.
  if vim.lsp.is_enabled then
    local is_enabled = vim.lsp.is_enabled(config.NAME)
    local off = "is off: commands start the server, which does not see text that is not saved"
    health.info(("vim.lsp.enable('sightline') %s"):format(is_enabled and 'is on' or off))
  end
end

local function check_options()
  local problems = config.problems()
  for _, problem in ipairs(problems) do
    health.warn(problem, { 'see :help sightline-options' })
  end
  if #problems == 0 then
    health.ok('options are valid')
  end
end

--- Another command of the program that runs the server; nil where its command cannot be told.
---@param command string[]|function
---@return string[]?
local function sibling_command(command, ...)
  if type(command) == 'table' and command[#command] == 'serve' then
    return vim.list_extend(vim.list_slice(command, 1, #command - 1), { ... })
  end
end

---@param command string[]
---@return string? output
---@return string? failure
local function output_of(command)
  local started, process = pcall(vim.system, command, { text = true, timeout = DOCTOR_TIMEOUT })
  if not started then
    return nil, tostring(process)
  end
  local done = process:wait()
  local output = vim.trim(done.stdout or '')
  return output ~= '' and output or nil, vim.trim(done.stderr or '')
end

---@return boolean whether the server can be run
local function check_program()
  local command = config.resolved().cmd
  if type(command) ~= 'table' then
    health.info('the server is started by a function')
    return true
  elseif vim.fn.executable(command[1]) == 0 then
    health.error(command[1] .. ' is not executable', {
      'install the server: ' .. config.INSTALL,
      "or name its command: vim.lsp.config('sightline', { cmd = { '/path/to/sightline', 'serve' } })",
    })
    return false
  end
  local ask = sibling_command(command, '--version')
  local version, failure = nil, nil
  if ask then
    version, failure = output_of(ask)
  end
  if ask and not version then
    health.error(('%s does not run: %s'):format(command[1], failure), { 'install it again: ' .. config.INSTALL })
    return false
  end
  health.ok(('%s, run as: %s'):format(version or 'the server', table.concat(command, ' ')))
  return true
end

--- What `sightline doctor` finds.
---@param folder string
local function check_server(folder)
  local ask = sibling_command(config.resolved().cmd, 'doctor', folder, '--json')
  local output, failure = nil, nil
  if ask then
    output, failure = output_of(ask)
  end
  local read, found = pcall(vim.json.decode, output or '')
  if not read or type(found.checks) ~= 'table' then
    return failure and health.warn('sightline doctor says nothing: ' .. failure)
  end
  for _, check in ipairs(found.checks) do
    if check.is_fine then
      health.ok(('%s: %s'):format(check.name, check.message))
    else
      health.error(('%s: %s'):format(check.name, check.message), { check.hint })
    end
  end
end

local function check_clients()
  local found = vim.lsp.get_clients({ name = config.NAME })
  for _, each in ipairs(found) do
    local info = each.server_info -- which Neovim 0.10 does not keep
    local version = info and info.version and (': %s %s'):format(info.name, info.version) or ''
    health.ok(('running in %s%s'):format(each.config.root_dir, version))
  end
  if #found == 0 then
    health.info('not running yet')
  end
end

local function check_pickers()
  for name in vim.spairs(pickers.PLUGINS) do
    health.info(('%s: %s'):format(name, pickers.is_installed(name) and 'installed' or 'not installed'))
  end
end

function M.check()
  health.start('sightline')
  check_neovim()
  check_options()
  local folder, reason = root.current()
  if folder then
    health.ok('searches ' .. folder)
  else
    health.warn(assert(reason))
  end
  health.start('sightline: server')
  if check_program() and folder then
    check_server(folder)
  end
  check_clients()
  health.start('sightline: pickers')
  check_pickers()
end

return M
