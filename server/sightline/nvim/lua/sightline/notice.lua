--- What the user is told, in one voice.
local M = {}

local install_told = false

---@param text string
---@param level? integer
function M.say(text, level)
  vim.notify('sightline: ' .. text, level or vim.log.levels.INFO)
end

---@param text string
function M.warn(text)
  M.say(text, vim.log.levels.WARN)
end

---@param text string
function M.error(text)
  M.say(text, vim.log.levels.ERROR)
end

---@param caveat string what the answer lacks; empty when it lacks nothing
function M.nothing_found(caveat)
  M.say('nothing found' .. (caveat == '' and '' or (' (%s)'):format(caveat)))
end

--- An error of the server as a sentence, with what to do about it.
---@param failure lsp.ResponseError
---@return string
function M.sentence(failure)
  local data = type(failure.data) == 'table' and failure.data or {}
  local hint = type(data.hint) == 'string' and data.hint or ''
  return hint == '' and failure.message or ('%s. %s'):format((failure.message:gsub('%.$', '')), hint)
end

---@param failure lsp.ResponseError
function M.failed(failure)
  M.error(M.sentence(failure))
end

--- That the server is not installed: once where nobody asked for it, each time where somebody did.
---@param program string
---@param asked boolean
function M.not_installed(program, asked)
  if asked or not install_told then
    install_told = true
    local install = require('sightline.config').INSTALL
    -- No error: that would end the autocommand or the script in whose middle this may be.
    M.warn(('%s is not executable. Install the server: %s. See :checkhealth sightline'):format(program, install))
  end
end

return M
