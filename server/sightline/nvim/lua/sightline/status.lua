--- What the servers last said of their indexes.
local M = {}

---@type table<integer, table> by client
local last = {}

function M.changed(status, client_id)
  last[client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'SightlineStatusChanged', data = status, modeline = false })
  vim.cmd.redrawstatus()
end

function M.text()
  local _, status = next(last)
  return status and ('Sightline: %s'):format(status.phase) or ''
end

function M.show() end

function M.index(options) end

return M
