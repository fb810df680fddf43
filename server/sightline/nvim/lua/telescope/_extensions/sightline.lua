--- `:Telescope sightline`, after require('telescope').load_extension('sightline').
local telescope = require('telescope')

---@param entry sightline.Entry
---@return table
local function make_entry(entry)
  local displayer = require('telescope.pickers.entry_display').create({
    separator = '  ',
    items = { { width = 36 }, { width = 28 }, { remaining = true } },
  })
  return {
    value = entry,
    ordinal = ('%s %s %s'):format(entry.path, entry.symbol, entry.text),
    display = function()
      local place = ('%s:%d'):format(entry.path, entry.lnum)
      return displayer({
        { place, 'TelescopeResultsIdentifier' },
        { entry.symbol, 'TelescopeResultsFunction' },
        entry.text,
      })
    end,
    filename = entry.filename,
    lnum = entry.lnum,
    col = entry.col,
    start = entry.lnum,
    finish = entry.end_lnum,
    text = require('sightline.entries').line(entry),
  }
end

--- A finder that asks the server after every pause; telescope forgets what comes for an older prompt.
---@param live sightline.Live
---@param set_title fun(title: string)
---@return table
local function finder(live, set_title)
  return setmetatable({
    close = function()
      live:stop()
    end,
  }, {
    __call = function(_, prompt, process_result, process_complete)
      live:type(prompt or '', function(found)
        set_title(require('sightline.live').title(found))
        for index, entry in ipairs(found.entries) do
          local shown = make_entry(entry)
          shown.index = index
          if process_result(shown) then
            return
          end
        end
        process_complete()
      end)
    end,
  })
end

---@param options? table as for any picker of telescope
local function search(options)
  local live = require('sightline.live').new()
  if not live then
    return
  end
  local values = require('telescope.config').values
  options = options or {}
  local picker
  local function set_title(title)
    local border = vim.tbl_get(picker, 'layout', 'prompt', 'border')
    if border then
      border:change_title(title)
    end
  end
  picker = require('telescope.pickers').new(options, {
    prompt_title = 'Sightline',
    finder = finder(live, set_title),
    previewer = values.grep_previewer(options),
    -- It only marks what matches: the server's order is the order.
    sorter = require('telescope.sorters').highlighter_only(options),
  })
  picker:find()
end

return telescope.register_extension({ exports = { sightline = search } })
