--- The language client: found, started where there is none, and asked.
local config = require('sightline.config')
local notice = require('sightline.notice')
local root = require('sightline.root')

local M = {}

local IS_0_11 = vim.fn.has('nvim-0.11') == 1
local START_TIMEOUT = 60000
local POLL = 20

local is_attaching = false

---@class sightline.Call
---@field cancel fun() ends the request; its callback is then not called

--- The program that a command runs, if it cannot be run.
---@param command string[]|function
---@return string?
local function missing(command)
  if type(command) == 'table' and vim.fn.executable(command[1]) == 0 then
    return command[1]
  end
end

--- Tells, once, where the server cannot be run.
---@return boolean whether it can
function M.check_installed()
  local absent = missing(config.resolved().cmd)
  if absent then
    notice.not_installed(absent, false)
  end
  return absent == nil
end

--- Names the root of a buffer that Neovim wants to attach a client to, if it has one.
---@param buffer integer
---@param on_root fun(folder: string)
function M.attach(buffer, on_root)
  local folder = root.of(buffer)
  if folder and M.check_installed() then
    on_root(folder)
  end
end

---@param folder string
---@return vim.lsp.Client?
local function running(folder)
  for _, client in ipairs(vim.lsp.get_clients({ name = config.NAME, _uninitialized = true })) do
    if client.config.root_dir == folder and not M.is_stopped(client) then
      return client
    end
  end
end

--- Starts the server for a folder, attached to no buffer, so that a search works from anywhere.
---@param folder string
---@return integer? id
local function start(folder)
  local chosen = vim.tbl_extend('force', config.resolved(), { root_dir = folder })
  if IS_0_11 then
    return vim.lsp.start(chosen, { attach = false })
  end
  local id, failure = vim.lsp.start_client(chosen)
  if failure then
    notice.warn(failure)
  end
  return id
end

--- The client of a folder, started if need be; nil after a notice.
---@param folder string
---@return vim.lsp.Client?
function M.of(folder)
  local found = running(folder)
  if found then
    return found
  end
  local absent = missing(config.resolved().cmd)
  if absent then
    notice.not_installed(absent, true)
    return nil
  end
  local id = start(folder)
  return id and vim.lsp.get_client_by_id(id) or nil
end

-- The client's functions take `self` since 0.11.

---@param client vim.lsp.Client
---@return boolean
function M.is_stopped(client)
  if IS_0_11 then
    return client:is_stopped()
  end
  return client.is_stopped()
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(failure: lsp.ResponseError?, result: any)
---@return integer? id
local function send(client, method, params, handler)
  local sent, id
  if IS_0_11 then
    sent, id = client:request(method, params, handler)
  else
    sent, id = client.request(method, params, handler)
  end
  return sent and id or nil
end

---@param client vim.lsp.Client
---@param id integer
local function cancel(client, id)
  if IS_0_11 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

--- Calls back with the client as soon as it is initialized; a server that never is gives a notice.
---@param client vim.lsp.Client
---@param callback fun(client: vim.lsp.Client)
local function when_ready(client, callback)
  if client.initialized then
    return callback(client)
  end
  local waited = 0
  local timer = assert(vim.uv.new_timer())
  local function look()
    waited = waited + POLL
    if timer:is_closing() then
      return
    elseif client.initialized then
      timer:close()
      callback(client)
    elseif M.is_stopped(client) or not vim.lsp.get_client_by_id(client.id) then
      timer:close()
      notice.error('the server ended before it was ready. See :SightlineLog and :checkhealth sightline')
    elseif waited > START_TIMEOUT then
      timer:close()
      notice.error('the server does not answer. See :SightlineLog')
    end
  end
  timer:start(POLL, POLL, vim.schedule_wrap(look))
end

---@class sightline.RequestOptions
---@field root? string the folder whose server is asked; the current one without it
---@field buffer? integer attached first, so that the server sees its unsaved text

--- Asks the server, starting it if need be.
---@param method string
---@param params table
---@param callback fun(failure: lsp.ResponseError?, result: any, client: vim.lsp.Client)
---@param options? sightline.RequestOptions
---@return sightline.Call
function M.request(method, params, callback, options)
  options = options or {}
  local cancelled, running_in, id = false, nil, nil
  local call = {
    cancel = function()
      if not cancelled and id then
        cancel(running_in, id)
      end
      cancelled = true
    end,
  }
  local folder, reason = options.root, nil
  if not folder then
    folder, reason = root.current()
  end
  if not folder then
    notice.warn(assert(reason))
    return call
  end
  local client = M.of(folder)
  if not client then
    return call
  end
  if not IS_0_11 then
    M.attach_on_0_10()
  end
  when_ready(client, function()
    if cancelled then
      return
    end
    if options.buffer and vim.api.nvim_buf_is_loaded(options.buffer) then
      vim.lsp.buf_attach_client(options.buffer, client.id)
    end
    running_in = client
    id = send(client, method, params, function(failure, result)
      id = nil
      if not cancelled then
        callback(failure, result, client)
      end
    end)
    if not id then
      notice.warn('the server has ended. See :SightlineLog')
    end
  end)
  return call
end

--- Neovim 0.10 has no vim.lsp.enable: attach to buffers as it does, those that are open and those to come.
function M.attach_on_0_10()
  if is_attaching then
    return
  end
  is_attaching = true
  local function attach(buffer)
    M.attach(buffer, function(folder)
      local client = M.of(folder)
      if client then
        vim.lsp.buf_attach_client(buffer, client.id)
      end
    end)
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('sightline_attach', {}),
    callback = function(event)
      attach(event.buf)
    end,
  })
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype ~= '' then
      attach(buffer)
    end
  end
end

return M
