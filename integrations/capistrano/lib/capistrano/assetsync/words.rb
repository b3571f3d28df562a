# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Numbers in words and text of others, as assetsync itself writes them.
    module Words
      UNITS = %w[kB MB GB TB].freeze

      # Characters that change how the text around them looks, or are not seen: those of assetsync's
      # crates/core/src/text.rs.
      UNSAFE = /
        [\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}&&[^\t\n\u{fe00}-\u{fe0f}]]
      /x.freeze

      module_function

      # The same text, with characters and bytes that must not reach a terminal as escapes; in hashes and arrays, too.
      def shown(value)
        case value
        when String then text_shown(value)
        when Array then value.map { |item| shown(item) }
        when Hash then value.transform_values { |item| shown(item) }
        else value
        end
      end

      def text_shown(text)
        text = text.dup.force_encoding(Encoding::UTF_8)
        text = text.scrub { |bytes| bytes.unpack("C*").map { |byte| format("\\x%02x", byte) }.join }
        text.gsub("\r\n", "\n").gsub(UNSAFE) { |character| format("\\u{%x}", character.ord) }
      end

      def counted(number, noun)
        "#{number} #{noun}#{'s' unless number == 1}"
      end

      def size(bytes)
        bytes = bytes.to_i
        return "#{bytes} B" if bytes < 1000

        power = [Math.log(bytes, 1000).floor, UNITS.size].min
        format("%<amount>.1f %<unit>s", amount: bytes.fdiv(1000**power), unit: UNITS[power - 1])
      end

      # Seconds since 1970.
      def time(seconds)
        Time.at(seconds.to_i).utc.strftime("%Y-%m-%d %H:%M UTC")
      end
    end
  end
end
