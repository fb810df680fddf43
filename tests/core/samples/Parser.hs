{-# LANGUAGE OverloadedStrings #-}
-- | Parsing.
module Text.Parser (parse) where

import Data.List (sort)

-- | The result.
data Result a = Done a | Failed { reason :: String }
  deriving (Show, Eq)

newtype Parser a = Parser { runParser :: String -> Result a }
type Name = String

-- | Parses text
-- from a string.
parse :: Parser a -> String -> Result a
parse p "" = Failed "empty"
parse p s = go s
  where
    go x = runParser p x

infixl 4 <+>
(<+>) :: Parser a -> Parser a -> Parser a
a <+> b = a

class Pretty a where
  pretty :: a -> String
  pretty _ = ""

instance Pretty Int where
  pretty = show

limit = 10
