--- What the servers say of their indexes: for the statusline, for `:SightlineStatus`, and at the end of a job.
local client = require('sightline.client')
local config = require('sightline.config')
local notice = require('sightline.notice')
local root = require('sightline.root')

local M = {}

local POLL = 500

---@class sightline.Status
---@field phase string idle, waiting, paused, or what the index is busy with
---@field percent integer
---@field files integer
---@field chunks integer
---@field degraded { code: string, message: string }[]

---@type table<integer, sightline.Status> by client
local last = {}

---@param status sightline.Status
---@return string
local function counted(status)
  return ('%d files, %d chunks'):format(status.files, status.chunks)
end

--- Takes in a `sightline/statusChanged`.
---@param status sightline.Status
---@param client_id integer
function M.changed(status, client_id)
  last[client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'SightlineStatusChanged', modeline = false, data = status })
  vim.cmd.redrawstatus()
end

--- The client of the current buffer, or else any.
---@return vim.lsp.Client?
local function nearest()
  local all = vim.lsp.get_clients({ name = config.NAME })
  return vim.lsp.get_clients({ name = config.NAME, bufnr = 0 })[1] or all[1]
end

--- A few words for a statusline; empty where no server runs.
---@return string
function M.text()
  local found = nearest()
  local status = found and last[found.id]
  if not found then
    return ''
  elseif not status then
    return 'Sightline'
  elseif status.phase == 'waiting' then
    local is_lost = vim.iter(status.degraded):any(function(each)
      return each.code == 'databaseUnavailable'
    end)
    return is_lost and 'Sightline: no database' or 'Sightline: waiting'
  elseif status.phase == 'idle' then
    return 'Sightline: ready'
  end
  return ('Sightline: %s %d%%'):format(status.phase, status.percent)
end

---@param folder table
---@return string
local function folder_line(folder)
  local path = vim.fn.fnamemodify(vim.uri_to_fname(folder.uri), ':~')
  local index = ('%d%% indexed, %s'):format(folder.indexedPercent, counted(folder))
  return ('  %s  %s (%s), %s'):format(path, folder.phase, folder.role, index)
end

---@param job table
---@return string
local function job_line(job)
  local told = type(job.error) == 'string' and job.error or job.message
  return ('  %s %s: %s'):format(job.kind, job.state, told)
end

---@param title string
---@param rows any[]
---@param line fun(row: any): string
---@return string[]
local function section(title, rows, line)
  return #rows == 0 and {} or vim.list_extend({ '', title }, vim.tbl_map(line, rows))
end

---@param status table
---@return string[]
local function report(status)
  local lines = { ('Sightline %s, database: %s, model: %s'):format(status.version, status.database, status.model) }
  vim.list_extend(lines, section('Folders', status.folders, folder_line))
  vim.list_extend(lines, section('Jobs', vim.list_slice(status.jobs, 1, 5), job_line))
  return vim.list_extend(
    lines,
    section('Problems', status.problems, function(problem)
      return '  ' .. problem
    end)
  )
end

--- Shows lines in a window that q and <Esc> close.
---@param lines string[]
local function show_lines(lines)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = 'wipe'
  local longest = vim.iter(lines):map(vim.fn.strdisplaywidth):fold(20, math.max)
  local width, height = math.min(longest, vim.o.columns - 4), math.min(#lines, vim.o.lines - 6)
  vim.api.nvim_open_win(buffer, true, {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    width = width,
    height = height,
    style = 'minimal',
    border = 'rounded',
    title = ' Sightline ',
  })
  for _, key in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', key, '<Cmd>close<CR>', { buffer = buffer, nowait = true })
  end
end

--- Shows what is indexed, and how far.
function M.show()
  client.request('sightline/status', vim.empty_dict(), function(failure, status)
    if failure then
      return notice.failed(failure)
    end
    show_lines(report(status))
  end)
end

--- Paths as the server wants them, relative to the root; nil after a notice where one is outside.
---@param paths string[]
---@param folder string
---@return string[]?
local function relative(paths, folder)
  local found = {}
  for _, path in ipairs(paths) do
    local whole = vim.fs.normalize(vim.fn.fnamemodify(path, ':p')):gsub('(.)/$', '%1')
    if whole ~= folder and not vim.startswith(whole, folder .. '/') then
      notice.warn(('%s is not in %s'):format(path, folder))
      return nil
    end
    table.insert(found, whole:sub(#folder + 2))
  end
  return found
end

--- Tells how a job ended, as soon as it has.
---@param job table
---@param folder string
local function follow(job, folder)
  if job.state ~= 'running' and job.state ~= 'pending' then
    if type(job.error) == 'string' then
      return notice.error(job.error)
    end
    return (next(job.failures) and notice.warn or notice.say)(job.message)
  end
  vim.defer_fn(function()
    client.request('sightline/jobs', vim.empty_dict(), function(failure, answer)
      for _, each in ipairs(failure and {} or answer.jobs) do
        if each.id == job.id then
          follow(each, folder)
        end
      end
    end, { root = folder })
  end, POLL)
end

--- Brings the index up to date, of all files or some; with `force` each is read again.
---@param options { force?: boolean, paths?: string[] }
function M.index(options)
  local folder, reason = root.current()
  if not folder then
    return notice.warn(assert(reason))
  end
  local paths = relative(options.paths or {}, folder)
  if not paths then
    return
  end
  local params = { force = options.force or nil, paths = #paths > 0 and paths or nil }
  client.request('sightline/index', next(params) and params or vim.empty_dict(), function(failure, job)
    if failure then
      return notice.failed(failure)
    end
    follow(job, folder)
  end, { root = folder })
end

return M
