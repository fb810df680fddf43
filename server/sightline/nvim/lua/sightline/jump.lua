--- Going to an entry.
local M = {}

local SPLITS = { split = 'split', vsplit = 'vsplit', tab = 'tab split' }

--- Opens the entry's file at its best line, and leaves a mark to come back to.
---@param entry sightline.Entry
---@param how? 'split'|'vsplit'|'tab' in the current window without it
function M.to(entry, how)
  if SPLITS[how] then
    vim.cmd(SPLITS[how])
  end
  vim.cmd("normal! m'")
  local buffer = vim.fn.bufadd(entry.filename)
  vim.bo[buffer].buflisted = true
  vim.api.nvim_win_set_buf(0, buffer)
  local lnum = math.min(entry.lnum, vim.api.nvim_buf_line_count(buffer))
  vim.api.nvim_win_set_cursor(0, { lnum, entry.col - 1 })
  vim.cmd('normal! zvzz')
end

return M
