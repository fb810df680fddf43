--- Semantic code search. `:help sightline` tells what there is; nothing needs a call of setup().
local config = require('sightline.config')

local M = {}

---@class sightline.SearchOptions
---@field all? boolean each file's further hits as well
---@field limit? integer

---@class sightline.SimilarOptions
---@field lines? integer[] first and last line; the definition at the cursor without them
---@field all? boolean each file's further hits as well
---@field params? table the server's own parameters instead of these

--- Attaches the server to buffers of projects; on Neovim 0.11 and later the same as vim.lsp.enable('sightline').
function M.enable()
  if vim.lsp.enable then
    vim.lsp.enable(config.NAME)
  else
    require('sightline.client').attach_on_0_10()
  end
end

--- Searches, and fills the quickfix list.
---@param query string
---@param options? sightline.SearchOptions
---@return sightline.Call
function M.search(query, options)
  options = options or {}
  return require('sightline.asking').ask({
    method = 'sightline/search',
    params = { query = query, limit = options.limit or config.options().limit },
    title = 'Sightline: ' .. query,
    all = options.all,
  })
end

--- Finds code like some lines of the current buffer, and fills the quickfix list.
---@param options? sightline.SimilarOptions
---@return sightline.Call
function M.similar(options)
  options = options or {}
  local params, buffer = options.params, vim.api.nvim_get_current_buf()
  if not params then
    local lines = options.lines or require('sightline.selection').around_cursor()
    local last = vim.fn.getline(lines[2])
    params = {
      textDocument = { uri = vim.uri_from_bufnr(buffer) },
      range = {
        start = { line = lines[1] - 1, character = 0 },
        -- Whatever the encoding: a line has at most as many units as bytes, and LSP takes too large for its end.
        ['end'] = { line = lines[2] - 1, character = #last },
      },
      limit = config.options().limit,
    }
  end
  local first, last = params.range.start.line + 1, params.range['end'].line + 1
  local name = vim.fn.fnamemodify(vim.uri_to_fname(params.textDocument.uri), ':~:.')
  return require('sightline.asking').ask({
    method = 'sightline/similar',
    params = params,
    title = ('Sightline: like %s:%d-%d'):format(name, first, last),
    all = options.all,
    buffer = buffer,
  })
end

--- Opens a prompt that searches while you type: our own, or the picker that is chosen in `vim.g.sightline.picker`.
---@param picker? sightline.Picker
function M.pick(picker)
  require('sightline.asking').cancel()
  require('sightline.pickers').open(picker or config.options().picker)
end

--- Brings the index up to date; Neovim shows the progress as that of any server.
---@param options? { force?: boolean, paths?: string[] }
function M.index(options)
  require('sightline.status').index(options or {})
end

--- Shows what is indexed, and how far.
function M.show_status()
  require('sightline.status').show()
end

--- A few words for a statusline; empty where no server runs.
---@return string
function M.status()
  return require('sightline.status').text()
end

--- Opens the log that Neovim keeps of language servers, at its end.
function M.log()
  local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
  vim.cmd('tabnew ' .. vim.fn.fnameescape(path))
  vim.bo.modifiable = false
  vim.cmd('normal! G')
end

return M
