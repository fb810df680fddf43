-- What vim.lsp.enable('sightline') starts on Neovim 0.11 and later; vim.lsp.config('sightline', {...}) changes it.

-- Neovim itself only logs that a server which is enabled cannot be run.
vim.schedule(function()
  if vim.lsp.is_enabled and vim.lsp.is_enabled('sightline') then
    require('sightline.client').check_installed()
  end
end)

---@type vim.lsp.Config
return require('sightline.config').lsp()
