--- Which folder is searched: the nearest one with a .sightline/config.json or a .git, else the working directory.
local M = {}

local MARKERS = { '.sightline/config.json', '.git' }

--- The nearest folder upward from `path`, itself included, that has a marker.
---@param path string
---@return string?
local function marked(path)
  -- vim.fs.root of 0.10 gives .sightline, and not the folder that holds it.
  for folder in vim.fs.parents(path .. '/.') do
    for _, marker in ipairs(MARKERS) do
      if vim.uv.fs_stat(vim.fs.joinpath(folder, marker)) then
        return folder
      end
    end
  end
end

---@param path string
---@param folder string
---@return boolean
local function is_within(path, folder)
  local prefix = folder:sub(-1) == '/' and folder or folder .. '/'
  return path == folder or vim.startswith(path, prefix)
end

--- Whether a folder is nobody's project: the home folder, or one above it.
---@param folder string
---@return boolean
local function is_too_wide(folder)
  local home = vim.uv.os_homedir()
  return home ~= nil and is_within(vim.fs.normalize(home), folder)
end

---@return string
local function working_directory()
  return vim.fs.normalize(assert(vim.uv.cwd()))
end

--- The path of the file that a buffer shows; nil for help, terminals, and buffers of other plugins.
---@param buffer integer
---@return string?
local function file_of(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  if vim.bo[buffer].buftype == '' and name ~= '' and not name:match('^%a[%w+.-]+://') then
    return vim.fs.normalize(vim.fn.fnamemodify(name, ':p'))
  end
end

--- The root for a buffer that a server is to be attached to; nil leaves the buffer alone.
---@param buffer integer
---@return string?
function M.of(buffer)
  local file = file_of(buffer)
  if not file then
    return nil
  end
  local folder = working_directory()
  return marked(vim.fs.dirname(file)) or (is_within(file, folder) and not is_too_wide(folder) and folder or nil)
end

--- The root for a command: of the current file, or of the file beside a list such as the quickfix window.
---@param buffer? integer instead of the current one
---@return string? root
---@return string? reason why there is none
function M.current(buffer)
  local beside = vim.fn.winbufnr(vim.fn.winnr('#'))
  for _, each in ipairs({ buffer or vim.api.nvim_get_current_buf(), beside }) do
    local root = vim.api.nvim_buf_is_valid(each) and M.of(each)
    if root then
      return root
    end
  end
  local folder = working_directory()
  local root = marked(folder) or folder
  if is_too_wide(root) and not vim.uv.fs_stat(vim.fs.joinpath(root, MARKERS[1])) then
    return nil, ('%s is too wide to search as one project: open a file of the project, or :cd to it'):format(root)
  end
  return root
end

return M
