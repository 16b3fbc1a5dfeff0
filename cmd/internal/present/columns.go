package present

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

const (
	// fullWidth is how wide columns are made at most, and where the output is
	// not a terminal.
	fullWidth = 120
	// stackBelow is the width under which two columns would be too narrow.
	stackBelow = 100
	separator  = " | "
)

// Width is the number of characters in a line of w: the terminal's, or 120 if
// w is none.
func Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return fullWidth
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return fullWidth
	}
	return width
}

// SideBySide prints two texts beside each other in a line width of at most
// 120, or one after the other when width is less than 100. Lines that are too
// long are broken.
func SideBySide(w io.Writer, width int, left, right []string) error {
	if width < stackBelow {
		for _, line := range slices.Concat(left, right) {
			if _, err := fmt.Fprintln(w, Printable(line)); err != nil {
				return err
			}
		}
		return nil
	}
	column := (min(width, fullWidth) - len(separator)) / 2
	left, right = wrap(left, column), wrap(right, column)
	for i := range max(len(left), len(right)) {
		line := fmt.Sprintf("%-*s%s%s", column, at(left, i), separator, at(right, i))
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrap breaks lines into pieces of at most width characters. Pieces after the
// first are indented.
func wrap(lines []string, width int) []string {
	var out []string
	for _, line := range lines {
		rest := []rune(Printable(line))
		for len(rest) > width {
			n := breakAt(rest, width)
			out = append(out, string(rest[:n]))
			rest = append([]rune("    "), []rune(strings.TrimLeft(string(rest[n:]), " "))...)
		}
		out = append(out, string(rest))
	}
	return out
}

// breakAt is the length of the first piece: up to a space, or to after one of
// ",/:", if there is one in the second half of the width.
func breakAt(line []rune, width int) int {
	for n := width; n > width/2; n-- {
		if line[n] == ' ' || strings.ContainsRune(",/:", line[n-1]) {
			return n
		}
	}
	return width
}
