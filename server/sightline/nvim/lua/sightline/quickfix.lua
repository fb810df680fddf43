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
local function close_preview()
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
    return close_preview()
  end
  local window = vim.api.nvim_get_current_win()
  local above = vim.api.nvim_win_get_position(window)[1] - 2
  local height = math.min(math.floor(vim.o.lines / 2), above)
  if height < 3 then
    return close_preview()
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
    callback = close_preview,
  })
  vim.keymap.set('n', 'p', function()
    if entry_at_cursor() then
      toggle_preview()
    end
  end, { buffer = buffer, desc = 'Sightline: preview on or off' })
end

--- Where an item is in a list that was filled anew; one that is gone leaves its place to another.
---@param items table[] the new ones
---@param item? table an old one
---@param number integer its place
---@return integer
local function place_of(items, item, number)
  local entry = item and item.user_data
  for place, each in ipairs(entry and items or {}) do
    if each.filename == entry.filename and each.lnum == entry.lnum then
      return place
    end
  end
  return math.max(1, math.min(number, #items))
end

--- Fills a list that there is already; its current item, and the cursor in its window, stay where they were.
---@param id integer
---@param content table
local function refill(id, content)
  local before = vim.fn.getqflist({ id = id, idx = 0, items = 0, winid = 0 })
  local is_shown = before.winid ~= 0 and vim.fn.getqflist({ id = 0 }).id == id
  local cursor = is_shown and vim.api.nvim_win_get_cursor(before.winid)
  local current = place_of(content.items, before.items[before.idx], before.idx)
  vim.fn.setqflist({}, 'r', vim.tbl_extend('error', content, { id = id, idx = current }))
  if cursor then
    local row = place_of(content.items, before.items[cursor[1]], cursor[1])
    vim.api.nvim_win_set_cursor(before.winid, { row, cursor[2] })
  end
end

---@class sightline.List
---@field id integer
---@field title string
---@field is_empty boolean

--- Puts an answer into a quickfix list: a new one, also where nothing was found, unless one is given.
---@param found sightline.Entry[]
---@param asked string what was asked
---@param answer table
---@param list? sightline.List
---@return sightline.List
function M.fill(found, asked, answer, list)
  local caveat = entries.caveat(answer)
  local title = caveat == '' and asked or ('%s (%s)'):format(asked, caveat)
  local content = {
    title = title,
    items = items_of(found),
    context = { sightline = { complete = answer.complete, mode = answer.mode } },
  }
  if list then
    refill(list.id, content)
  else
    vim.fn.setqflist({}, ' ', content)
  end
  return { id = list and list.id or vim.fn.getqflist({ id = 0 }).id, title = title, is_empty = #found == 0 }
end

--- Whether a list is still what it was made for.
---@param list sightline.List
---@return boolean
function M.is_there(list)
  return vim.fn.getqflist({ id = list.id, title = 0 }).title == list.title
end

--- Opens the quickfix window, if it is this list that it shows.
---@param list sightline.List
---@param enter boolean
function M.open(list, enter)
  if vim.fn.getqflist({ id = 0 }).id ~= list.id then
    return
  end
  if wanted == nil then
    wanted = config.options().preview
  end
  local window = vim.api.nvim_get_current_win()
  vim.cmd('botright copen')
  follow_cursor(vim.api.nvim_get_current_buf())
  if enter then
    update_preview()
  else
    vim.api.nvim_set_current_win(window)
  end
end

return M
