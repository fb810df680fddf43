module Main exposing (..)

{-| The model. -}
type alias Model =
    { count : Int }

type Msg
    = Increment
    | Set Int

-- Changes it.
update : Msg -> Model -> Model
update msg model =
    model

port save : String -> Cmd msg
