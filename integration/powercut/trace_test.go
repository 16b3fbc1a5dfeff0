package powercut

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diary is a watcher that writes down what it is shown.
type diary struct{ lines []string }

func (d *diary) begins(c *call) error {
	d.lines = append(d.lines, fmt.Sprintf("%d %s(%s)", c.begin, c.name, strings.Join(texts(c.args), "; ")))
	return nil
}

func (d *diary) ends(c *call) error {
	d.lines = append(d.lines, fmt.Sprintf("%d %s = %d", c.end, c.name, c.result))
	return nil
}

func texts(args [][]byte) []string {
	var all []string
	for _, arg := range args {
		all = append(all, string(arg))
	}
	return all
}

func TestReadTrace(t *testing.T) {
	for _, test := range []struct {
		name, trace string
		want        []string
	}{
		{
			"a call in one line", `12  fsync(3</top/a>) = 0` + "\n",
			[]string{"2 fsync(3</top/a>)", "3 fsync = 0"},
		},
		{
			"a call in two lines, with another between them",
			`12  pwrite64(3</top/a>, "x", 1, 0 <unfinished ...>` + "\n" + `7   fsync(4</top/b>)   = -1 EIO (Input/output error)` + "\n" + `12  <... pwrite64 resumed>)   = 1` + "\n",
			[]string{`2 pwrite64(3</top/a>; "x"; 1; 0)`, "4 fsync(4</top/b>)", "5 fsync = -1", "6 pwrite64 = 1"},
		},
		{
			"a call that the process does not survive",
			`12  write(3</top/a>, "x", 1 <unfinished ...>` + "\n" + `12  <... write resumed>) = ?` + "\n" + `12  +++ killed by SIGKILL +++` + "\n",
			[]string{`2 write(3</top/a>; "x"; 1)`},
		},
		{
			"what is not below the directory",
			`12  fsync(3</other>) = 0` + "\n" + `12  write(1</dev/null>, "x", 1 <unfinished ...>` + "\n" + `12  <... write resumed>) = 1` + "\n",
			nil,
		},
		{
			"brackets and commas within strings",
			`12  renameat(AT_FDCWD</>, "/top/a,\")<", AT_FDCWD</>, "/top/b") = 0` + "\n",
			[]string{`2 renameat(AT_FDCWD</>; "/top/a,\")<"; AT_FDCWD</>; "/top/b")`, "3 renameat = 0"},
		},
		{
			"a result in hexadecimal, flags and structures",
			`12  mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</top/a>, 0) = 0x7f00` + "\n" + `12  --- SIGURG {si_signo=SIGURG} ---` + "\n",
			[]string{"2 mmap(NULL; 4096; PROT_READ; MAP_SHARED; 3</top/a>; 0)", "3 mmap = 32512"},
		},
		{
			"an end without its line end", `12  fsync(3</top/a>) = 0` + "\n" + `12  fsync(3</top/a>`,
			[]string{"2 fsync(3</top/a>)", "3 fsync = 0"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d diary
			if err := readTrace(strings.NewReader(test.trace), "/top", &d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, d.lines); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestReadTraceRefuses(t *testing.T) {
	for name, trace := range map[string]string{
		"no thread":               `fsync(3</top/a>) = 0`,
		"no result":               `12  fsync(3</top/a>)`,
		"a result of no number":   `12  fsync(3</top/a>) = yes`,
		"a string without an end": `12  write(3</top/a>, "x, 1) = 1`,
		"two calls at once":       `12  fsync(3</top/a> <unfinished ...>` + "\n" + `12  fsync(3</top/a>) = 0`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := readTrace(strings.NewReader(trace+"\n"), "/top", new(diary)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestUnquote(t *testing.T) {
	for _, test := range []struct{ arg, want, fails string }{
		{`""`, "", ""},
		{`"plain"`, "plain", ""},
		{`"\n\t\r\v\f\"\\"`, "\n\t\r\v\f\"\\", ""},
		{`"\0\1\12\3779\08"`, "\x00\x01\x0a\xff9\x008", ""},
		{`"cut"...`, "", "abridged"},
		{`0x7ffe1000`, "", "not allowed"},
		{`"\q"`, "", "unknown escape"},
	} {
		got, err := unquote([]byte(test.arg))
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: got %v, want an error that says %q", test.arg, err, test.fails)
			}
			continue
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.arg, got, err, test.want)
		}
	}
}
