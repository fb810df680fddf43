--- The built-in prompt: a line to type in, the hits below it, and the place of the chosen one beside them.
local live = require('sightline.live')
local preview = require('sightline.preview')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('sightline_prompt')
local LEAST_COLUMNS, LEAST_LINES = 40, 12

---@class sightline.Prompt
---@field live sightline.Live
---@field input integer buffer
---@field list integer buffer
---@field input_window integer
---@field list_window integer
---@field preview sightline.Preview
---@field found sightline.Entry[]
---@field note string
---@field answered string the query whose hits are shown
---@field accepted? { query: string, how?: string } what to open as soon as there is an answer
local Prompt = {}
Prompt.__index = Prompt

---@alias sightline.Box { row: integer, col: integer, width: integer, height: integer }

--- Where the windows go, borders not counted; no preview where there is no room.
---@return { input: sightline.Box, list: sightline.Box, preview?: sightline.Box }
local function layout()
  local width = math.min(vim.o.columns - 4, 200)
  local height = math.min(vim.o.lines - vim.o.cmdheight - 4, 40)
  local row = math.floor((vim.o.lines - height) / 2) - 1
  local col = math.floor((vim.o.columns - width) / 2)
  local left = width >= 110 and math.floor(width / 2) or width
  local list_height = height - 5
  local boxes = { input = { row = row, col = col, width = left - 2, height = 1 } }
  if left < width then
    boxes.preview = { row = row, col = col + left, width = width - left - 2, height = height - 2 }
  elseif list_height >= 16 then
    list_height = math.floor(list_height / 2) - 1
    local below = row + list_height + 5
    boxes.preview = { row = below, col = col, width = left - 2, height = height - list_height - 7 }
  end
  boxes.list = { row = row + 3, col = col, width = left - 2, height = list_height }
  return boxes
end

---@param box sightline.Box
---@param more? table
---@return table
local function place(box, more)
  return vim.tbl_extend('force', { relative = 'editor' }, box, more or {})
end

---@param buffer integer
---@param enter boolean
---@param box sightline.Box
---@param more table
---@return integer
local function float(buffer, enter, box, more)
  local look = { style = 'minimal', border = 'rounded', zindex = 50 }
  return vim.api.nvim_open_win(buffer, enter, place(box, vim.tbl_extend('force', look, more)))
end

---@return sightline.Entry?
function Prompt:selected()
  return self.found[vim.api.nvim_win_get_cursor(self.list_window)[1]]
end

function Prompt:show_preview()
  local entry, box = self:selected(), layout().preview
  if entry and box then
    self.preview:place(place(box))
    self.preview:show(entry)
  else
    self.preview:close()
  end
end

--- The parts of an entry's row, each with its colour.
---@param entry sightline.Entry
---@return { [1]: string, [2]: string }[]
local function parts(entry)
  return {
    { ('%-6s'):format(entry.label), 'Comment' },
    { ('%s:%d'):format(entry.path, entry.lnum), 'Directory' },
    { entry.symbol, 'Function' },
    { entry.text, 'Normal' },
  }
end

---@param row integer from 0
---@param entry sightline.Entry
function Prompt:draw(row, entry)
  local line, marks = '', {}
  for _, part in ipairs(parts(entry)) do
    if part[1] ~= '' then
      line = line == '' and line or line .. '  '
      table.insert(marks, { #line, #line + #part[1], part[2] })
      line = line .. part[1]
    end
  end
  vim.api.nvim_buf_set_lines(self.list, row, row + 1, false, { line })
  for _, mark in ipairs(marks) do
    vim.api.nvim_buf_set_extmark(self.list, NAMESPACE, row, mark[1], { end_col = mark[2], hl_group = mark[3] })
  end
end

---@param found sightline.Found
---@param query string
function Prompt:show(found, query)
  self.found, self.note, self.answered = found.entries, found.note, query
  vim.api.nvim_buf_set_lines(self.list, 0, -1, false, {})
  for index, entry in ipairs(self.found) do
    self:draw(index - 1, entry)
  end
  vim.api.nvim_win_set_cursor(self.list_window, { 1, 0 })
  vim.wo[self.list_window].cursorline = #self.found > 0
  local footer = self.note == '' and '' or (' %s '):format(self.note)
  vim.api.nvim_win_set_config(self.list_window, { footer = footer })
  self:show_preview()
end

---@return string
function Prompt:query()
  return vim.api.nvim_buf_get_lines(self.input, 0, 1, false)[1] or ''
end

--- Leaves insert mode, and then acts: its end would move the cursor left.
---@param action fun()
local function in_normal_mode(action)
  if vim.fn.mode() == 'n' then
    return action()
  end
  vim.api.nvim_create_autocmd('ModeChanged', { pattern = '*:n', once = true, callback = vim.schedule_wrap(action) })
  vim.cmd.stopinsert()
end

---@param action? fun() what comes after
function Prompt:close(action)
  self.live:stop()
  self.preview:close()
  for _, buffer in ipairs({ self.input, self.list }) do
    if vim.api.nvim_buf_is_valid(buffer) then
      vim.api.nvim_buf_delete(buffer, { force = true })
    end
  end
  in_normal_mode(action or function() end)
end

---@param by integer
function Prompt:move(by)
  local count = math.max(1, #self.found)
  local row = vim.api.nvim_win_get_cursor(self.list_window)[1]
  vim.api.nvim_win_set_cursor(self.list_window, { (row - 1 + by) % count + 1, 0 })
  self:show_preview()
end

--- Opens the chosen hit; whoever types and presses Enter at once gets the best when it comes.
---@param how? 'split'|'vsplit'|'tab'
function Prompt:accept(how)
  local query = self:query()
  if query ~= self.answered then
    self.accepted = { query = query, how = how }
    return
  end
  local entry = self:selected()
  if entry then
    self:close(function()
      require('sightline.jump').to(entry, how)
    end)
  end
end

function Prompt:to_quickfix()
  local query = self:query()
  self:close()
  -- The list is asked for anew: what was typed last may not have been answered yet.
  require('sightline').search(query)
end

--- The filter at the cursor: the next of its completions, or their menu.
function Prompt:complete()
  if vim.fn.pumvisible() == 1 then
    return vim.api.nvim_feedkeys(vim.keycode('<C-n>'), 'n', false)
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local start, found = require('sightline.complete').at_end_of(self:query():sub(1, column))
  if #found > 0 then
    vim.fn.complete(start, found)
  end
end

---@param prompt sightline.Prompt
local function map_keys(prompt)
  local function map(keys, action)
    for _, key in ipairs(keys) do
      vim.keymap.set({ 'i', 'n' }, key, action, { buffer = prompt.input, nowait = true })
    end
  end
  local function bound(method, ...)
    local arguments = { ... }
    return function()
      prompt[method](prompt, unpack(arguments))
    end
  end
  map({ '<CR>' }, bound('accept'))
  map({ '<C-x>', '<C-s>' }, bound('accept', 'split'))
  map({ '<C-v>' }, bound('accept', 'vsplit'))
  map({ '<C-t>' }, bound('accept', 'tab'))
  map({ '<C-q>' }, bound('to_quickfix'))
  map({ '<C-n>', '<Down>' }, bound('move', 1))
  map({ '<C-p>', '<Up>' }, bound('move', -1))
  map({ '<Tab>' }, bound('complete'))
  map({ '<Esc>', '<C-c>' }, bound('close'))
end

---@param prompt sightline.Prompt
local function follow(prompt)
  local group = vim.api.nvim_create_augroup('sightline_prompt', {})
  local function on(events, buffer, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = buffer, callback = callback })
  end
  on({ 'TextChanged', 'TextChangedI', 'TextChangedP' }, prompt.input, function()
    local query = prompt:query()
    prompt.live:type(query, function(found)
      if not vim.api.nvim_win_is_valid(prompt.list_window) then
        return
      end
      prompt:show(found, query)
      local accepted = prompt.accepted
      if accepted and accepted.query == query then
        prompt:accept(accepted.how)
      end
    end)
  end)
  on({ 'WinLeave', 'BufLeave' }, prompt.input, function()
    vim.schedule(function()
      prompt:close()
    end)
  end)
  on('VimResized', nil, function()
    if vim.api.nvim_win_is_valid(prompt.input_window) then
      local boxes = layout()
      vim.api.nvim_win_set_config(prompt.input_window, place(boxes.input))
      vim.api.nvim_win_set_config(prompt.list_window, place(boxes.list))
      prompt:show_preview()
    end
  end)
end

--- Asks for a line, for screens that are too small for windows.
local function ask_for_line()
  vim.ui.input({ prompt = 'Sightline: ' }, function(query)
    if query and not query:match('^%s*$') then
      require('sightline').search(query)
    end
  end)
end

--- Opens the prompt.
function M.open()
  if vim.o.columns < LEAST_COLUMNS or vim.o.lines < LEAST_LINES then
    return ask_for_line()
  end
  local search = live.new()
  if not search then
    return
  end
  local prompt = setmetatable({ live = search, preview = preview.new(), found = {}, note = '', answered = '' }, Prompt)
  prompt.input = vim.api.nvim_create_buf(false, true)
  prompt.list = vim.api.nvim_create_buf(false, true)
  vim.bo[prompt.input].filetype = 'sightline-prompt'
  local boxes = layout()
  prompt.list_window = float(prompt.list, false, boxes.list, { focusable = false })
  prompt.input_window = float(prompt.input, true, boxes.input, { title = ' Sightline ' })
  vim.wo[prompt.list_window].wrap = false
  map_keys(prompt)
  follow(prompt)
  vim.cmd.startinsert()
end

return M
