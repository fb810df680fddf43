defmodule Shop.Worker do
  @moduledoc "Does the work."
  use GenServer

  @timeout 5_000
  @type state :: %{name: String.t()}
  @callback run(term) :: :ok

  defstruct [:name]

  @doc """
  Starts it.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts \\ []) do
    GenServer.start_link(__MODULE__, opts)
  end

  @impl true
  def handle_call(:get, _from, state), do: {:reply, state, state}
  def handle_call({:put, v}, _from, _state) when is_list(v) do
    {:reply, :ok, v}
  end

  # Private.
  defp secret, do: 1
  defmacro twice(x), do: quote(do: unquote(x) * 2)

  defmodule Inner do
    def go(a) when a > 1, do: a
  end
end

defprotocol Size do
  def size(data)
end

defimpl Size, for: Map do
  def size(m), do: map_size(m)
end
