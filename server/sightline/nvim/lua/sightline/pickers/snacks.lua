--- A source for snacks.picker: `Snacks.picker.sightline()` once it is registered, see |sightline-snacks|.
local M = {}

---@param entry sightline.Entry
---@return table
local function item_of(entry)
  return {
    text = ('%s %s %s'):format(entry.path, entry.symbol, entry.text),
    file = entry.filename,
    pos = { entry.lnum, entry.col - 1 },
    end_pos = { entry.end_lnum, entry.end_col - 1 },
    line = entry.text,
    label = entry.symbol,
    entry = entry,
  }
end

--- Searches for what is typed; snacks runs this in a coroutine, which it ends when another key comes.
---@param context table snacks' own: the picker, and in `filter` what is typed
---@return table|fun(add: fun(item: table))
local function finder(_, context)
  local live = context.filter.search ~= '' and require('sightline.live').new(context.filter.current_buf)
  if not live then
    return {}
  end
  ---@async
  return function(add)
    local async, found = require('snacks.picker.util.async').running(), nil
    async:on(
      'abort',
      vim.schedule_wrap(function()
        live:stop()
      end)
    )
    vim.schedule(function()
      live:ask(context.filter.search, function(answer)
        found = answer
        context.picker.title = require('sightline.live').title(found)
        context.picker:update_titles()
        async:resume()
      end)
    end)
    while not found do
      async:suspend()
    end
    vim.iter(found.entries):map(item_of):each(add)
  end
end

---@param item table
---@param picker table
---@return table
local function format(item, picker)
  local shown = require('snacks.picker.format').filename(item, picker)
  if item.label ~= '' then
    vim.list_extend(shown, { { item.label, 'SnacksPickerLabel' }, { '  ' } })
  end
  Snacks.picker.highlight.format(item, item.line, shown)
  return shown
end

--- The source; goes to `picker.sources.sightline` of snacks' own options.
M.source = {
  title = 'Sightline',
  finder = finder,
  format = format,
  live = true,
  supports_live = true,
  show_empty = true,
  -- The server's order is the order.
  matcher = { sort_empty = false },
  sort = { fields = { 'idx' } },
}

function M.open()
  require('snacks').picker.pick(vim.tbl_extend('force', { source = 'sightline' }, M.source))
end

return M
