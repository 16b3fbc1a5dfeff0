package present_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
)

func TestSideBySideFitsTheWidth(t *testing.T) {
	left := []string{"short", strings.Repeat("word ", 30), strings.Repeat("x", 200)}
	right := []string{strings.Repeat("é", 130)}
	for _, width := range []int{100, 120, 300} {
		var out bytes.Buffer
		if err := present.SideBySide(&out, width, left, right); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > min(width, 120) {
				t.Errorf("width %d: a line has %d characters: %s", width, n, line)
			}
		}
		for _, want := range []string{strings.Repeat("x", 40), strings.Repeat("é", 40)} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("width %d: text was lost:\n%s", width, out.String())
			}
		}
	}
}

func TestSideBySide(t *testing.T) {
	tests := []struct {
		name        string
		width       int
		left, right []string
		want        string
	}{
		{"columns", 120, []string{"a", "b"}, []string{"c"}, pad("a", 58) + " | c\n" + pad("b", 58) + " |\n"},
		{"longer right", 120, []string{"a"}, []string{"c", "d"}, pad("a", 58) + " | c\n" + pad("", 58) + " | d\n"},
		{"broken at a space", 100, []string{strings.Repeat("y", 40) + " and more"}, nil,
			pad(strings.Repeat("y", 40)+" and", 48) + " |\n" + pad("    more", 48) + " |\n"},
		{"stacked", 99, []string{"a", "b"}, []string{"c"}, "a\nb\nc\n"},
		{"no control characters", 80, []string{"a\x1b[2Jb\tc"}, nil, "a?[2Jb?c\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := present.SideBySide(&out, tc.width, tc.left, tc.right); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

func TestWidthOfWhatIsNoTerminalIs120(t *testing.T) {
	if got := present.Width(new(bytes.Buffer)); got != 120 {
		t.Errorf("got %d", got)
	}
}
