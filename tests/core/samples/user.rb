# frozen_string_literal: true

require 'json'

module Shop::Models
  LIMIT = 10

  # A user
  # of the shop.
  class User < ApplicationRecord
    include Named
    attr_accessor :name, :email
    has_many :orders
    scope :active, -> { where(active: true) }

    def initialize(name)
      @name = name
      local = 1
    end

    # Says hello.
    def greet!(other = nil) = "hello"

    def self.find(id)
      id
    end

    class << self
      def build; end
    end

    def ==(other); end
    alias hello greet!
    define_method(:dynamic) { 1 }

    private def secret?; end
  end
end

def top_level; end
