--- The quickfix list of an answer, with a preview of the entry at the cursor.
local config = require('sightline.config')
local entries = require('sightline.entries')
local preview = require('sightline.preview')

local M = {}

---@type table? the open preview
local shown
---@type boolean? whether there is a preview; before the first `p` the option decides
local wanted

---@param found sightline.Entry[]
---@return table[]
local function items_of(found)
  return vim.tbl_map(function(entry)
    return {
      filename = entry.filename,
      lnum = entry.lnum,
      col = entry.col,
      end_lnum = entry.end_lnum,
      end_col = entry.end_col,
      text = entries.line(entry),
      user_data = entry,
    }
  end, found)
end

--- Closes the preview.
function M.close_preview()
  if shown then
    shown:close()
    shown = nil
  end
end

--- The entry at the cursor of a quickfix window, if its list is ours.
---@return sightline.Entry?
local function entry_at_cursor()
  local list = vim.fn.getqflist({ context = 0, items = 0 })
  if vim.bo.buftype ~= 'quickfix' or type(list.context) ~= 'table' or not list.context.sightline then
    return nil
  end
  local item = list.items[vim.api.nvim_win_get_cursor(0)[1]]
  return item and type(item.user_data) == 'table' and item.user_data or nil
end

--- Shows what is at the cursor above the quickfix window.
local function update_preview()
  local entry = wanted and entry_at_cursor()
  if not entry then
    return M.close_preview()
  end
  local window = vim.api.nvim_get_current_win()
  local above = vim.api.nvim_win_get_position(window)[1] - 2
  local height = math.min(math.floor(vim.o.lines / 2), above)
  if height < 3 then
    return M.close_preview()
  end
  shown = shown or preview.new()
  shown:place({
    relative = 'win',
    win = window,
    anchor = 'SW',
    row = 0,
    col = 0,
    width = math.max(1, vim.api.nvim_win_get_width(window) - 2),
    height = height,
  })
  shown:show(entry)
end

local function toggle_preview()
  wanted = not wanted
  update_preview()
end

--- Neovim has one quickfix buffer for all lists, so these look first whose list it shows.
---@param buffer integer
local function follow_cursor(buffer)
  local group = vim.api.nvim_create_augroup('sightline_quickfix', {})
  vim.api.nvim_create_autocmd('CursorMoved', { group = group, buffer = buffer, callback = update_preview })
  -- Another list comes into the buffer. In the middle of that no window can be opened.
  vim.api.nvim_create_autocmd('BufReadPost', {
    group = group,
    pattern = 'quickfix',
    callback = vim.schedule_wrap(update_preview),
  })
  vim.api.nvim_create_autocmd({ 'WinLeave', 'BufWinLeave' }, {
    group = group,
    buffer = buffer,
    callback = M.close_preview,
  })
  vim.keymap.set('n', 'p', function()
    if entry_at_cursor() then
      toggle_preview()
    end
  end, { buffer = buffer, desc = 'Sightline: preview on or off' })
end

--- Makes a quickfix list and opens its window.
---@param found sightline.Entry[]
---@param title string what was asked
---@param answer table
function M.show(found, title, answer)
  local caveat = entries.caveat(answer)
  vim.fn.setqflist({}, ' ', {
    title = caveat == '' and title or ('%s (%s)'):format(title, caveat),
    items = items_of(found),
    context = { sightline = { complete = answer.complete, mode = answer.mode } },
  })
  if wanted == nil then
    wanted = config.options().preview
  end
  vim.cmd('botright copen')
  follow_cursor(vim.api.nvim_get_current_buf())
  update_preview()
end

return M
