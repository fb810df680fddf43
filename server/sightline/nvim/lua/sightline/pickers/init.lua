--- Which picker searches while you type: our own, or one of the well-known plugins.
local notice = require('sightline.notice')

local M = {}

--- Each with the module that it comes with, to tell whether it is installed.
M.PLUGINS = { telescope = 'telescope', ['fzf-lua'] = 'fzf-lua', snacks = 'snacks' }

local OPENERS = {
  builtin = function()
    require('sightline.prompt').open()
  end,
  telescope = function()
    require('telescope').extensions.sightline.sightline()
  end,
  ['fzf-lua'] = function()
    require('sightline.pickers.fzf').open()
  end,
  snacks = function()
    require('sightline.pickers.snacks').open()
  end,
}

---@param name string
---@return boolean
function M.is_installed(name)
  local plugin = M.PLUGINS[name]
  return plugin == nil or pcall(require, plugin)
end

--- Opens a picker; our own where the chosen one is not installed.
---@param name sightline.Picker
function M.open(name)
  if not OPENERS[name] then
    notice.warn(('there is no picker "%s"; there are builtin, telescope, fzf-lua and snacks'):format(name))
    name = 'builtin'
  elseif not M.is_installed(name) then
    notice.warn(('%s is not installed, so this is the built-in prompt'):format(name))
    name = 'builtin'
  end
  OPENERS[name]()
end

return M
