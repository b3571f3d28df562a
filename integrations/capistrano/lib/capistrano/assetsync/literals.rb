# frozen_string_literal: true

require "set"
require "capistrano/assetsync/origins"

module Capistrano
  class Assetsync < Plugin
    # What an action's code says, without running it: its texts and symbols, and the methods it calls. Ruby's compiled
    # form of it is read, so comments and the way it is written make no difference. Methods that deploy.rb defines are
    # followed. A Ruby without that form (JRuby, TruffleRuby) says nothing.
    class Literals
      # The first item of a compiled piece of code.
      MAGIC = "YARVInstructionSequence/SimpleDataFormat"

      attr_reader :texts, :calls

      def initialize(action)
        @texts = Set.new
        @calls = Set.new
        read(action)
      end

      private

      def read(code)
        return unless defined?(RubyVM::InstructionSequence)

        sequence = RubyVM::InstructionSequence.of(code)
        instructions(sequence.to_a) if sequence
      end

      def instructions(sequence)
        sequence.last.grep(Array).each { |_name, *operands| operands.each { |operand| operand(operand) } }
      end

      def operand(operand)
        case operand
        when String, Symbol then @texts << operand.to_s
        when Hash then call(operand[:mid]) if operand.key?(:mid)
        when Array then operand.first == MAGIC ? instructions(operand) : operand.each { |item| operand(item) }
        end
      end

      def call(name)
        return unless @calls.add?(name) && Object.private_method_defined?(name, false)

        method = Object.instance_method(name)
        read(method) if method.source_location && Origins.kind(method) == :foreign
      end
    end
  end
end
