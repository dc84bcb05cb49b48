"""A row of weights as a stack of pictures: which neighbours each has."""

LEFT, LEFT_2, UP, UP_RIGHT, UP_LEFT, UP_2, PLANE = range(7)
ABOVE, ABOVE_LEFT, ABOVE_RIGHT, ABOVE_UP, ABOVE_DOWN, ABOVE_2, ABOVE_3 = range(7, 14)
N_NEAR = 14
ROWS_BACK = [0] * 7 + [1] * 5 + [2, 3]

IMAGE, KERNEL, LINE = range(3)
REACH = 3


class Picture:
    def __init__(self, channels, taps, grid):
        if taps > 1:
            self.kind = KERNEL
            self.height, self.width = grid or (1, taps)
        elif grid and grid[0] * grid[1] > 1:
            self.kind = IMAGE
            self.height, self.width = grid
        else:
            self.kind = LINE
            self.height, self.width = 1, channels * taps
        w = self.width
        self.area = self.height * w
        self.offsets = [-1, -2, -w, 1 - w, -1 - w, -2 * w, -self.area, 0, -1, 1, -w, w, 0, 0]

    def present(self, row, plane, y, x):
        """Which neighbours are there."""
        left, right, up, down = x >= 1, x + 1 < self.width, y >= 1, y + 1 < self.height
        here = [left, x >= 2, up, up and right, up and left, y >= 2, plane > 0]
        above = [row >= 1 and there for there in (True, left, right, up, down)]
        return here + above + [row >= 2, row >= 3]
