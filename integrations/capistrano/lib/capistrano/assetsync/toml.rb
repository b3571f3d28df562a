# frozen_string_literal: true

require "json"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Writes values as TOML. Text, numbers, booleans and lists of them are written in JSON, which is TOML too but for
    # one character.
    module Toml
      # The key can't be written, or a value is of a kind that no setting takes.
      Unwritable = Class.new(StandardError)

      # JSON leaves this character as it is, and TOML wants it escaped.
      DELETE = "\u007F"

      module_function

      # The text of a file: `sections` are pairs of a header, empty for the top, and a hash of keys and values. A key
      # that is a list of names is a dotted one. Values that are nil are left out.
      def dump(sections)
        sections.map { |header, values| section(header, values.compact) }.reject(&:empty?).join("\n")
      end

      def section(header, values)
        return "" if values.empty?

        lines = values.map { |name, value| "#{key(name)} = #{value(value)}\n" }
        lines.unshift("#{header}\n") unless header.empty?
        lines.join
      end

      def key(name)
        Array(name).map { |part| bare?(part.to_s) ? part.to_s : text(part) }.join(".")
      end

      def value(value)
        case value
        when true, false, Integer then value.to_s
        when Array then "[#{value.map { |item| value(item) }.join(', ')}]"
        when String, Symbol, Pathname then text(value)
        else raise Unwritable, "#{value.inspect} is no text, number, boolean or list of them"
        end
      end

      def text(value)
        text = value.to_s
        # In the locale "C", variables of the environment are marked as ASCII, whatever they hold.
        text = text.dup.force_encoding(Encoding::UTF_8) unless text.valid_encoding?
        JSON.generate(text.encode(Encoding::UTF_8)).gsub(DELETE, '\u007f')
      rescue EncodingError, JSON::GeneratorError
        raise Unwritable, "#{value.to_s.inspect} is not UTF-8"
      end

      def bare?(name)
        name.match?(/\A[A-Za-z0-9_-]+\z/)
      end
    end
  end
end
