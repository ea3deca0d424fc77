"""Text files as tables of prices: columns, numbers, dates, and the instruments they name."""
