%% A counter.
-module(counter).
-export([start/0, loop/1]).
-record(state, {count = 0}).
-define(MAX, 10).
-type count() :: integer().
-callback init(term()) -> ok.

%% Starts it.
-spec start() -> pid().
start() -> spawn(fun() -> loop(0) end).

loop(0) -> ok;
loop(N) -> loop(N - 1).
loop(N, M) -> N + M.
