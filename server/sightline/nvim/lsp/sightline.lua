-- What vim.lsp.enable('sightline') starts on Neovim 0.11 and later; vim.lsp.config('sightline', {...}) changes it.
---@type vim.lsp.Config
return require('sightline.config').lsp()
