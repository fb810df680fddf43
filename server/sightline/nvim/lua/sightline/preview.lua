--- A floating window that shows the place of an entry, in colour.
local M = {}

---@class sightline.Preview
---@field window? integer
---@field buffer? integer
---@field filename? string whose text the buffer holds
---@field snippet? boolean whether that is only the text that came with the answer
local Preview = {}
Preview.__index = Preview

local MOST_BYTES = 1024 * 1024
local NAMESPACE = vim.api.nvim_create_namespace('sightline_preview')

--- A preview that is not on the screen yet.
---@return sightline.Preview
function M.new()
  vim.api.nvim_set_hl(0, 'SightlineLine', { link = 'CursorLine', default = true })
  vim.api.nvim_set_hl(0, 'SightlineMatch', { link = 'Search', default = true })
  return setmetatable({}, Preview)
end

--- The text of a file as it is now; nil where it cannot or should not be read.
---@param filename string
---@return string[]?
local function file_text(filename)
  local buffer = vim.fn.bufnr(vim.fn.fnameescape(filename))
  if buffer ~= -1 and vim.api.nvim_buf_is_loaded(buffer) then
    return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  end
  local stat = vim.uv.fs_stat(filename)
  if stat and stat.type == 'file' and stat.size <= MOST_BYTES and vim.fn.filereadable(filename) == 1 then
    return vim.fn.readfile(filename)
  end
end

---@param buffer integer
---@param filename string
local function colour(buffer, filename)
  -- The buffer's own filetype stays empty: no plugin is to take it for a file.
  local filetype = vim.filetype.match({ buf = buffer, filename = filename }) or ''
  local language = vim.treesitter.language.get_lang(filetype) or filetype
  if not pcall(vim.treesitter.start, buffer, language) then
    vim.treesitter.stop(buffer)
    vim.bo[buffer].syntax = filetype
  end
end

---@return boolean
function Preview:is_open()
  return self.window ~= nil and vim.api.nvim_win_is_valid(self.window)
end

--- Puts the window where `place` says, a configuration as for nvim_open_win.
---@param place vim.api.keyset.win_config
function Preview:place(place)
  if self:is_open() then
    vim.api.nvim_win_set_config(self.window, place)
    return
  end
  if not self.buffer or not vim.api.nvim_buf_is_valid(self.buffer) then
    self.buffer = vim.api.nvim_create_buf(false, true)
    self.filename = nil
  end
  local look = { style = 'minimal', border = 'rounded', focusable = false, zindex = 60, noautocmd = true }
  self.window = vim.api.nvim_open_win(self.buffer, false, vim.tbl_extend('force', look, place))
  vim.wo[self.window].number = true
  vim.wo[self.window].wrap = false
  vim.wo[self.window].foldenable = false
end

---@param entry sightline.Entry
function Preview:load(entry)
  if self.filename == entry.filename and not self.snippet then
    return
  end
  local text = file_text(entry.filename)
  self.filename, self.snippet = entry.filename, text == nil
  -- A NUL byte comes as a newline, which a line of a buffer cannot hold.
  local lines = vim.tbl_map(function(line)
    return (line:gsub('\n', ' '))
  end, text or entry.snippet)
  vim.api.nvim_buf_set_lines(self.buffer, 0, -1, false, lines)
  colour(self.buffer, entry.filename)
end

--- Shows an entry in the window, which has to have been placed.
---@param entry sightline.Entry
function Preview:show(entry)
  self:load(entry)
  local offset = self.snippet and entry.snippet_lnum - 1 or 0
  local count = vim.api.nvim_buf_line_count(self.buffer)
  local lnum = math.max(1, math.min(entry.lnum - offset, count))
  vim.api.nvim_buf_clear_namespace(self.buffer, NAMESPACE, 0, -1)
  vim.api.nvim_buf_set_extmark(self.buffer, NAMESPACE, lnum - 1, 0, { line_hl_group = 'SightlineLine' })
  for _, mark in ipairs(entry.marks) do
    -- The file may have changed since it was searched.
    local options = { end_col = mark[3], hl_group = 'SightlineMatch', strict = false }
    if mark[1] - offset >= 0 and mark[1] - offset < count then
      vim.api.nvim_buf_set_extmark(self.buffer, NAMESPACE, mark[1] - offset, mark[2], options)
    end
  end
  vim.wo[self.window].numberwidth = math.max(4, #tostring(count) + 1)
  local top = math.max(1, lnum - math.floor(vim.api.nvim_win_get_height(self.window) / 2))
  vim.api.nvim_win_call(self.window, function()
    -- Not :normal, which would upset the insert mode that the prompt is in.
    vim.fn.winrestview({ lnum = lnum, col = 0, topline = top })
  end)
  vim.api.nvim_win_set_config(self.window, { title = (' %s:%d '):format(entry.path, entry.lnum) })
end

function Preview:close()
  if self:is_open() then
    vim.api.nvim_win_close(self.window, true)
  end
  if self.buffer and vim.api.nvim_buf_is_valid(self.buffer) then
    vim.api.nvim_buf_delete(self.buffer, { force = true })
  end
  self.window, self.buffer, self.filename = nil, nil, nil
end

return M
