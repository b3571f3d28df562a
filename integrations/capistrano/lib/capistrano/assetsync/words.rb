# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Numbers in words, as assetsync itself writes them.
    module Words
      UNITS = %w[kB MB GB TB].freeze

      module_function

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
