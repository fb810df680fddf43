--- A source for fzf-lua.
local M = {}

---@param entry sightline.Entry
---@return string
local function line_of(entry)
  local ansi = require('fzf-lua.utils').ansi_codes
  local words = { entry.symbol ~= '' and ansi.blue(entry.symbol) or nil, entry.text }
  return ('%s:%d:%d:%s'):format(entry.filename, entry.lnum, entry.col, table.concat(vim.tbl_values(words), '  '))
end

--- Opens fzf, which asks anew at every pause; the server's order is kept.
---@param options? table as for any picker of fzf-lua
function M.open(options)
  local live = require('sightline.live').new()
  if not live then
    return
  end
  local make_entry = require('fzf-lua.make_entry')
  options = vim.tbl_deep_extend('force', {
    prompt = 'Sightline> ',
    previewer = 'builtin',
    cwd = live.root,
    file_icons = false,
    actions = require('fzf-lua.config').globals.actions.files,
    fzf_opts = { ['--no-sort'] = true, ['--delimiter'] = ':' },
  }, options or {})
  return require('fzf-lua').fzf_live(function(args)
    return function(add, add_nothing)
      live:ask(args[1] or '', function(found)
        for _, entry in ipairs(found.entries) do
          add(make_entry.file(line_of(entry), options))
        end
        add_nothing()
      end)
    end
  end, options)
end

return M
