"""Recipes: one a network and paper, as plain data. `sodkeras train --recipe=NAME`."""
