--- A source for fzf-lua.
local M = {}

---@param entry sightline.Entry
---@return string
local function line_of(entry)
  local ansi = require('fzf-lua.utils').ansi_codes
  local symbol = entry.symbol == '' and '' or ansi.blue(entry.symbol) .. '  '
  return ('%s:%d:%d:%s%s'):format(entry.filename, entry.lnum, entry.col, symbol, entry.text)
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
  local finish = nil ---@type fun()? ends the answer that fzf still reads
  return require('fzf-lua').fzf_live(function(typed)
    return function(add)
      if finish then
        finish()
      end
      finish = add
      live:ask(typed[1] or '', function(found)
        finish = nil
        local window = require('fzf-lua.utils').fzf_winobj()
        if window then
          window:update_main_title((' %s '):format(require('sightline.live').title(found)))
        end
        for _, entry in ipairs(found.entries) do
          add(make_entry.file(line_of(entry), options))
        end
        add(nil)
      end)
    end
  end, options)
end

return M
