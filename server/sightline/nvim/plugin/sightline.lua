-- Commands and <Plug> maps; what they do is loaded when it is first asked for.
if vim.g.loaded_sightline then
  return
end
vim.g.loaded_sightline = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('sightline: Neovim 0.10 or later is needed', vim.log.levels.WARN)
  return
end

local command = vim.api.nvim_create_user_command

command('Sightline', function(options)
  local sightline = require('sightline')
  if options.args:match('^%s*$') then
    sightline.pick()
  else
    sightline.search(options.args, { all = options.bang })
  end
end, {
  nargs = '*',
  bang = true,
  desc = 'Search code by meaning; with ! all hits of each file',
  complete = function(lead)
    return require('sightline.complete').word(lead)
  end,
})

command('SightlineSimilar', function(options)
  local range = options.range > 0 and { options.line1, options.line2 } or nil
  require('sightline').similar({ lines = range, all = options.bang })
end, { range = true, bang = true, desc = 'Find code like the range, or like the definition at the cursor' })

command('SightlineStatus', function()
  require('sightline').show_status()
end, { desc = 'What is indexed, and how far' })

command('SightlineIndex', function(options)
  require('sightline').index({ force = options.bang, paths = options.fargs })
end, {
  nargs = '*',
  bang = true,
  complete = 'file',
  desc = 'Bring the index up to date; with ! read every file again',
})

command('SightlineLog', function()
  require('sightline').log()
end, { desc = "Neovim's log of language servers" })

local function plug(modes, name, description, action)
  vim.keymap.set(modes, ('<Plug>(sightline-%s)'):format(name), action, { desc = 'Sightline: ' .. description })
end

plug('n', 'search', 'search while you type', function()
  require('sightline').pick()
end)
plug('n', 'search-word', 'search the word at the cursor', function()
  require('sightline').search(vim.fn.expand('<cword>'))
end)
plug('x', 'search-word', 'search the selected text', function()
  require('sightline').search(require('sightline.selection').text())
end)
plug('n', 'similar', 'code like the definition at the cursor', function()
  require('sightline').similar()
end)
plug('x', 'similar', 'code like the selection', function()
  require('sightline').similar({ lines = require('sightline.selection').lines() })
end)
